/** What lies in an SQLite database. */
import { join } from "node:path";
import { toEvent } from "../src/adapters/sqlite/rows.ts";
import { openDatabase } from "../src/adapters/sqlite/schema.ts";
import { DATABASE_FILE } from "../src/adapters/sqlite/storage.ts";
import { toBlock } from "../src/adapters/sqlite/vector-tables.ts";
import type { Ledger, StoredChunks, StoredDocument } from "./balance.ts";

type Row = Record<string, string | number | null>;

export function openSqliteBooks(data_dir: string): Ledger {
  const db = openDatabase(join(data_dir, DATABASE_FILE), { readOnly: true });
  const all = <T = Row>(sql: string) => db.prepare(sql).all() as T[];

  function judgeIndex(): string[] {
    const wrong: string[] = [];
    const indexed = all(
      `SELECT chunk_row, document_id, ordinal, vector = zeroblob(length(vector)) AS wordless
       FROM chunks LEFT JOIN embeddings USING (chunk_row) WHERE indexed = 1`,
    );
    const words = all("SELECT rowid AS chunk_row FROM chunks_fts");
    const embedders = all("SELECT embedder_row FROM embedders").map(({ embedder_row }) => embedder_row);
    const vectors = embedders.flatMap((row) => all(`SELECT chunk_row FROM vectors_${row}`));
    const codes = embedders.flatMap((row) =>
      all<Record<string, Uint8Array>>(`SELECT rows, codes FROM codes_${row}`).flatMap((block) =>
        [...toBlock(block).rows].map((chunk_row): Row => ({ chunk_row })),
      ),
    );
    wrong.push(...judgeEntries("words", words, indexed));
    // What has no words for the embedder has no direction either, and no place among the vectors.
    const embeddable = indexed.filter(({ wordless }) => wordless !== 1);
    wrong.push(...judgeEntries("vector", vectors, embeddable));
    wrong.push(...judgeEntries("code", codes, embeddable));
    return wrong;
  }

  return {
    unended: async () =>
      all<{ n: number }>("SELECT count(*) AS n FROM jobs WHERE state IN ('queued', 'retrying', 'running')")[0]
        ?.n as number,
    read: async () => ({
      documents: all<Omit<StoredDocument, "removed"> & { removed: number }>("SELECT * FROM documents").map(
        (row) => ({
          ...row,
          removed: row.removed === 1,
        }),
      ),
      jobs: all("SELECT job_id, state FROM jobs"),
      log: all("SELECT * FROM events ORDER BY sequence").map(toEvent),
      chunks: all<StoredChunks>(
        `SELECT document_id, version, count(*) AS chunks, max(ordinal) AS last, sum(indexed) AS indexed,
           count(e.chunk_row) AS embedded
         FROM chunks LEFT JOIN embeddings AS e USING (chunk_row) GROUP BY 1, 2`,
      ),
      wrong: judgeIndex(),
    }),
    close: async () => db.close(),
  };
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
