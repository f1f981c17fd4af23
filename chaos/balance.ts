/** The books: what the clients were told, against what lies in the database. */
import { type DocumentRecord, evolve, isTerminal, type JourneyState, legalAfter } from "../src/document.ts";
import type { SluiceEvent } from "../src/events.ts";
import type { Books } from "./load.ts";

export interface Balance {
  wrong: string[];
  by_status: Record<string, number>;
}

export interface StoredDocument {
  document_id: string;
  collection: string;
  sha256: string;
  status: string;
  version: number;
  searchable_version: number | null;
  chunks_created: number;
  job_id: string;
  revision: number;
  removed: boolean;
}

/** What is stored of one version's text. */
export interface StoredChunks {
  document_id: string;
  version: number;
  chunks: number;
  /** Greatest ordinal. */
  last: number;
  /** Of the chunks, how many the keyword index has. */
  indexed: number;
  embedded: number;
}

/** All that lies in the database, whichever it is. */
export interface Ledger {
  /** Jobs that are not over. */
  unended(): Promise<number>;
  read(): Promise<{
    documents: StoredDocument[];
    jobs: { job_id: string; state: string }[];
    log: SluiceEvent[];
    chunks: StoredChunks[];
    /** What is wrong with the index, and with anything else that only this database can be asked. */
    wrong: string[];
  }>;
  close(): Promise<void>;
}

type Stored = Awaited<ReturnType<Ledger["read"]>>;

export function balance(books: Books, followers: SluiceEvent[][], stored: Stored): Balance {
  const { documents, jobs, log, chunks } = stored;
  const wrong = [...books.wrong, ...stored.wrong];
  const by_id = new Map(documents.map((row) => [row.document_id, row]));
  const by_status: Record<string, number> = {};
  for (const { job_id, state } of jobs) {
    if (["queued", "retrying", "running"].includes(state)) wrong.push(`${job_id} is still ${state}`);
  }
  for (const document_id of books.acknowledged.keys()) {
    const row = by_id.get(document_id);
    if (!row && !books.removed.has(document_id)) wrong.push(`${document_id} was acknowledged and is lost`);
    if (row && books.deleted.has(document_id)) wrong.push(`${document_id} was deleted and is there`);
    const status = row ? row.status : "deleted";
    by_status[status] = (by_status[status] ?? 0) + 1;
  }
  wrong.push(...judgeJobs(books, new Map(jobs.map(({ job_id, state }) => [job_id, state]))));
  const living = documents.filter(({ removed }) => !removed);
  for (const [content, twins] of Map.groupBy(living, (row) => `${row.collection} ${row.sha256}`)) {
    if (twins.length > 1) wrong.push(`${twins.length} documents have the bytes ${content}`);
  }
  for (const { event_type, document_id, data } of log) {
    // Every upload was repeated until it was answered: one that nobody was told of was done a second time.
    if (event_type !== "rag.document.uploaded" || books.uploaded.has(data.job_id)) continue;
    wrong.push(`${document_id}: the upload of ${data.job_id} was never acknowledged, or was done twice`);
  }
  for (const [document_id, events] of Map.groupBy(log, (event) => event.document_id)) {
    wrong.push(...judgeLog(document_id, events, by_id.get(document_id)));
  }
  const byDocument = Map.groupBy(chunks, ({ document_id }) => document_id);
  for (const row of documents) wrong.push(...judgeDocument(row, byDocument.get(row.document_id) ?? []));
  for (const document_id of byDocument.keys()) {
    if (!by_id.has(document_id)) wrong.push(`${document_id} has chunks and is no document`);
  }
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
  return { wrong, by_status };
}

/**
 * What a broker was handed, against the log: every event at least once, and those of a document in order, each counted
 * where it came first.
 */
export function judgePublished(log: SluiceEvent[], published: SluiceEvent[]): string[] {
  const wrong: string[] = [];
  const first = new Map<string, SluiceEvent>();
  for (const event of published) if (!first.has(event.event_id)) first.set(event.event_id, event);
  const missing = log.filter(({ event_id }) => !first.has(event_id));
  if (missing.length > 0) {
    wrong.push(
      `${missing.length} of ${log.length} events were never published, from ${missing[0]?.sequence} on`,
    );
  }
  if (first.size > log.length)
    wrong.push(`${first.size - log.length} events were published and are in no log`);
  for (const [document_id, events] of Map.groupBy(first.values(), (event) => event.document_id)) {
    const late = events.find(
      ({ sequence }, place) => place > 0 && sequence < (events[place - 1]?.sequence ?? 0),
    );
    if (late) wrong.push(`${document_id}: event ${late.sequence} was published after a later one`);
  }
  return wrong;
}

function judgeJobs(books: Books, states: Map<string, string>): string[] {
  const wrong: string[] = [];
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

function judgeDocument(row: StoredDocument, chunks: StoredChunks[]): string[] {
  const { document_id, status, searchable_version, chunks_created, version } = row;
  const wrong: string[] = [];
  if (row.removed) return [`${document_id} was deleted and never erased`];
  if (!isTerminal(status as DocumentRecord["status"])) wrong.push(`${document_id} is still ${status}`);
  if (status === "completed" && searchable_version !== version)
    wrong.push(`${document_id} shows an old version`);
  for (const left of chunks) {
    const redrivable = status === "failed" && left.version === version;
    if (left.version !== searchable_version && !redrivable) {
      wrong.push(`chunks of version ${left.version} of ${document_id} (${status} at ${version}) are left`);
    }
  }
  if (searchable_version === null) return wrong;
  const found = chunks.find((each) => each.version === searchable_version);
  const whole =
    found?.chunks === chunks_created &&
    found.indexed === chunks_created &&
    found.embedded === chunks_created &&
    found.last === chunks_created - 1;
  if (!whole) wrong.push(`${document_id} should have ${chunks_created} chunks: ${JSON.stringify(found)}`);
  return wrong;
}

function judgeLog(document_id: string, events: SluiceEvent[], stored: StoredDocument | undefined): string[] {
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
