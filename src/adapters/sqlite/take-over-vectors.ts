/** Migration: vectors out of sqlite-vec's tables, which earlier versions searched by, into those of vector-tables.ts. */
import type { DatabaseSync } from "node:sqlite";
import { getLoadablePath } from "sqlite-vec";
import { toVector } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { isZero } from "./vector-code.ts";
import { allVectorTables, createVectorTables, putVectors, type VectorEntry } from "./vector-tables.ts";

/** Vectors put at once, and after how many it is told how far it has come. */
const BATCH = 512;
const TOLD_AFTER = 50 * BATCH;

export function takeOverVectors(db: DatabaseSync, sql: Sql, tell: (message: string) => void): void {
  const embedders = sql("SELECT embedder_row, embedder_id FROM embedders").all();
  if (embedders.length === 0) return;
  // Only to drop what it made.
  db.enableLoadExtension(true);
  db.loadExtension(getLoadablePath());
  db.enableLoadExtension(false);
  for (const { embedder_row } of embedders) db.exec(`DROP TABLE vectors_${embedder_row}`);
  for (const tables of allVectorTables(sql)) createVectorTables(sql, tables);

  const { total } = sql("SELECT count(*) AS total FROM embeddings").get() as { total: number };
  const rows = sql(
    `SELECT chunk_row, embeddings.embedder_id, tenant_id, collection, vector
     FROM embeddings JOIN chunks USING (chunk_row) JOIN documents USING (document_id)
     WHERE indexed = 1 AND embeddings.embedder_id = ? AND chunk_row > ? ORDER BY chunk_row LIMIT ${BATCH}`,
  );
  let done = 0;
  for (const [place, tables] of allVectorTables(sql).entries()) {
    const embedder_id = embedders[place]?.embedder_id as string;
    for (let last = 0; ; ) {
      const batch = rows.all(embedder_id, last) as unknown as (VectorEntry & { vector: Uint8Array })[];
      const entries = batch.map((row): VectorEntry => ({ ...row, vector: toVector(row.vector) }));
      putVectors(
        sql,
        tables,
        entries.filter(({ vector }) => !isZero(vector)),
      );
      if (batch.length < BATCH) break;
      last = batch.at(-1)?.chunk_row as number;
      done += batch.length;
      if (done % TOLD_AFTER === 0)
        tell(`Taking over the vectors of an earlier version: ${done} of ${total}.`);
    }
  }
}
