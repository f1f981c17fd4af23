/** The books: what the clients were told, against what lies in the database file. */
import { join } from "node:path";
import { toEvent } from "../src/adapters/sqlite/rows.ts";
import { openDatabase } from "../src/adapters/sqlite/schema.ts";
import { DATABASE_FILE } from "../src/adapters/sqlite/storage.ts";
import { type DocumentRecord, evolve, isTerminal, type JourneyState, legalAfter } from "../src/document.ts";
import type { SluiceEvent } from "../src/events.ts";
import type { Books } from "./load.ts";

export interface Balance {
  wrong: string[];
  by_status: Record<string, number>;
  events: number;
  chunks: number;
}

type Row = Record<string, string | number | null>;

export function openBooks(data_dir: string) {
  const db = openDatabase(join(data_dir, DATABASE_FILE), { readOnly: true });
  const all = (sql: string, ...values: (string | number)[]) => db.prepare(sql).all(...values) as Row[];
  const count = (sql: string, ...values: (string | number)[]) => all(sql, ...values)[0]?.n as number;

  function unended(): number {
    return count("SELECT count(*) AS n FROM jobs WHERE state IN ('queued', 'retrying', 'running')");
  }

  function balance(books: Books, followers: SluiceEvent[][]): Balance {
    const wrong = [...books.wrong];
    const documents = all("SELECT * FROM documents");
    const by_id = new Map(documents.map((row) => [row.document_id as string, row]));
    const by_status: Record<string, number> = {};
    for (const job of all(
      "SELECT job_id, state FROM jobs WHERE state IN ('queued', 'retrying', 'running')",
    )) {
      wrong.push(`${job.job_id} is still ${job.state}`);
    }
    for (const document_id of books.acknowledged.keys()) {
      const row = by_id.get(document_id);
      if (!row && !books.removed.has(document_id)) wrong.push(`${document_id} was acknowledged and is lost`);
      if (row && books.deleted.has(document_id)) wrong.push(`${document_id} was deleted and is there`);
      const status = row ? (row.status as string) : "deleted";
      by_status[status] = (by_status[status] ?? 0) + 1;
    }
    wrong.push(...judgeJobs(books));
    const contents = all(
      "SELECT collection, sha256, count(*) AS n FROM documents WHERE removed = 0 GROUP BY 1, 2 HAVING n > 1",
    );
    for (const { sha256, n } of contents) wrong.push(`${n} documents have the bytes ${sha256}`);

    const log = all("SELECT * FROM events ORDER BY sequence").map(toEvent);
    for (const { event_type, document_id, data } of log) {
      // Every upload was repeated until it was answered: one that nobody was told of was done a second time.
      if (event_type !== "rag.document.uploaded" || books.uploaded.has(data.job_id)) continue;
      wrong.push(`${document_id}: the upload of ${data.job_id} was never acknowledged, or was done twice`);
    }
    for (const [document_id, events] of Map.groupBy(log, (event) => event.document_id)) {
      wrong.push(...judgeLog(document_id, events, by_id.get(document_id)));
    }
    for (const row of documents) wrong.push(...judgeDocument(row));
    wrong.push(...judgeIndex());
    for (const [place, received] of followers.entries()) {
      const missed = log.find(({ sequence, event_id }, index) => {
        const heard = received[index];
        return heard?.sequence !== sequence || heard.event_id !== event_id;
      });
      if (missed || received.length !== log.length) {
        wrong.push(
          `follower ${place} heard ${received.length} of ${log.length} events; wrong from ${missed?.sequence} (of ${missed?.document_id})`,
        );
      }
    }
    return { wrong, by_status, events: log.length, chunks: count("SELECT count(*) AS n FROM chunks") };
  }

  function judgeJobs(books: Books): string[] {
    const wrong: string[] = [];
    const states = new Map(all("SELECT job_id, state FROM jobs").map((row) => [row.job_id, row.state]));
    for (const [document_id, jobs] of books.acknowledged) {
      for (const job_id of jobs) {
        const state = states.get(job_id);
        if (state === undefined) wrong.push(`${document_id}: its job ${job_id} was acknowledged and is lost`);
        if (books.cancelled.has(job_id) && state !== "cancelled") {
          wrong.push(`${document_id}: its job ${job_id} was cancelled and is ${state}`);
        }
      }
    }
    return wrong;
  }

  function judgeDocument(row: Row): string[] {
    const { document_id, status, searchable_version, chunks_created, version } = row;
    const wrong: string[] = [];
    if (row.removed === 1) return [`${document_id} was deleted and never erased`];
    if (!isTerminal(status as DocumentRecord["status"])) wrong.push(`${document_id} is still ${status}`);
    if (status === "completed" && searchable_version !== version)
      wrong.push(`${document_id} shows an old version`);
    for (const left of all(
      "SELECT DISTINCT version FROM chunks WHERE document_id = ?",
      document_id as string,
    )) {
      const redrivable = status === "failed" && left.version === version;
      if (left.version !== searchable_version && !redrivable) {
        wrong.push(`chunks of version ${left.version} of ${document_id} (${status} at ${version}) are left`);
      }
    }
    if (searchable_version === null) return wrong;
    const [found] = all(
      `SELECT count(*) AS chunks, max(ordinal) AS last, sum(indexed) AS indexed, count(e.chunk_row) AS embedded
       FROM chunks LEFT JOIN embeddings AS e USING (chunk_row) WHERE document_id = ? AND version = ?`,
      document_id as string,
      searchable_version as number,
    );
    const expected = chunks_created as number;
    if (
      found?.chunks !== expected ||
      found.indexed !== expected ||
      found.embedded !== expected ||
      found.last !== expected - 1
    ) {
      wrong.push(`${document_id} should have ${expected} chunks: ${JSON.stringify(found)}`);
    }
    return wrong;
  }

  function judgeIndex(): string[] {
    const wrong: string[] = [];
    const indexed = all(
      `SELECT chunk_row, document_id, ordinal, vector = zeroblob(length(vector)) AS wordless
       FROM chunks LEFT JOIN embeddings USING (chunk_row) WHERE indexed = 1`,
    );
    const words = all("SELECT rowid AS chunk_row FROM chunks_fts");
    const vectors = all("SELECT embedder_row FROM embedders").flatMap(({ embedder_row }) =>
      all(`SELECT rowid AS chunk_row FROM vectors_${embedder_row}`),
    );
    wrong.push(...judgeEntries("words", words, indexed));
    // What has no words for the embedder has no direction either, and no place among the vectors.
    const embeddable = indexed.filter(({ wordless }) => wordless !== 1);
    wrong.push(...judgeEntries("vector", vectors, embeddable));
    const lost = count(
      "SELECT count(*) AS n FROM chunks WHERE document_id NOT IN (SELECT document_id FROM documents)",
    );
    if (lost > 0) wrong.push(`${lost} chunks belong to no document`);
    return wrong;
  }

  return { unended, balance, close: () => db.close() };
}

/** One entry for each chunk, and none for anything else. */
function judgeEntries(what: string, entries: Row[], chunks: Row[]): string[] {
  const wrong: string[] = [];
  const times = new Map<unknown, number>();
  for (const { chunk_row } of entries) times.set(chunk_row, (times.get(chunk_row) ?? 0) + 1);
  for (const { chunk_row, document_id, ordinal } of chunks) {
    const found = times.get(chunk_row) ?? 0;
    times.delete(chunk_row);
    if (found !== 1)
      wrong.push(`${document_id}: chunk ${ordinal} has its ${what} in the index ${found} times`);
  }
  for (const chunk_row of times.keys())
    wrong.push(`the index has the ${what} of row ${chunk_row}, which is no chunk there`);
  return wrong;
}

function judgeLog(document_id: string, events: SluiceEvent[], stored: Row | undefined): string[] {
  let state: JourneyState = "none";
  let record: DocumentRecord | undefined;
  for (const event of events) {
    const next = legalAfter(state, event.event_type);
    if (next === undefined)
      return [`${event.event_type} (${event.sequence}) of ${document_id} is not legal in ${state}`];
    state = next;
    const { tenant_id, collection } = event;
    record = evolve(record ?? { tenant_id, document_id, collection, metadata: {} }, event);
  }
  if (!stored) return state === "deleted" ? [] : [`${document_id} is gone, and no event says so`];
  const same = (
    ["status", "version", "searchable_version", "chunks_created", "job_id", "revision"] as const
  ).filter((field) => record?.[field] !== stored[field]);
  return same.map(
    (field) => `${document_id}: ${field} is ${stored[field]}, by its events ${record?.[field]}`,
  );
}
