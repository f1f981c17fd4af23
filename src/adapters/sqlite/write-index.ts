/** Writes of the search index, inside the open transaction. Synchronous: they run on the writer thread. */
import type { IndexEntry } from "../../ports/vector-index.ts";
import { toBytes } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { putChunk } from "./write-chunk.ts";

/** The vector table of an embedder, or undefined while it has none. */
export function vectorTable(sql: Sql, embedder_id: string): string | undefined {
  const row = sql("SELECT embedder_row FROM embedders WHERE embedder_id = ?").get(embedder_id);
  return row ? `vectors_${row.embedder_row}` : undefined;
}

function ensureVectorTable(sql: Sql, embedder_id: string, dimensions: number): string {
  const table = vectorTable(sql, embedder_id);
  if (table) return table;
  const { lastInsertRowid } = sql("INSERT INTO embedders (embedder_id, dimensions) VALUES (?, ?)").run(
    embedder_id,
    dimensions,
  );
  // The tenant is the partition: a search reads the vectors of one tenant only.
  sql(
    `CREATE VIRTUAL TABLE vectors_${lastInsertRowid} USING vec0 (
       tenant_id text partition key, vector float[${dimensions}] distance_metric=cosine, chunk_size=256
     )`,
  ).run();
  return `vectors_${lastInsertRowid}`;
}

/**
 * Indexes entries of versions that searches do not see yet: searches join on the document's searchable version, so
 * nothing shows before the publishing transaction flips it.
 */
export function stageEntries(sql: Sql, embedder_id: string, dimensions: number, entries: IndexEntry[]): void {
  const table = ensureVectorTable(sql, embedder_id, dimensions);
  const find = sql(
    "SELECT chunk_row, indexed FROM chunks WHERE document_id = ? AND version = ? AND ordinal = ?",
  );
  for (const { chunk, tenant_id, vector } of entries) {
    let row = find.get(chunk.document_id, chunk.version, chunk.ordinal);
    // The pipeline has written the row before; staged a second time, the later entry takes the place of the earlier.
    if (row?.indexed !== 0) putChunk(sql, chunk);
    if (row?.indexed === 1) dropRow(sql, row.chunk_row as number);
    row ??= find.get(chunk.document_id, chunk.version, chunk.ordinal);
    if (!row) throw new Error(`chunk ${chunk.chunk_id} was not stored`);
    const chunk_row = BigInt(row.chunk_row as number);
    sql("INSERT INTO chunks_fts (rowid, text, headings) VALUES (?, ?, ?)").run(
      chunk_row,
      chunk.text,
      chunk.heading_path.join(" "),
    );
    // Text with nothing to embed has no direction, and so no place among neighbours.
    if (vector.some((value) => value !== 0)) {
      sql(`INSERT INTO ${table} (rowid, tenant_id, vector) VALUES (?, ?, ?)`).run(
        chunk_row,
        tenant_id,
        toBytes(vector),
      );
    }
    sql("UPDATE chunks SET indexed = 1 WHERE chunk_row = ?").run(chunk_row);
  }
}

/** Gives entries of searchable versions a vector of this embedder beside those that they have. */
export function addVectors(sql: Sql, embedder_id: string, dimensions: number, entries: IndexEntry[]): void {
  const table = ensureVectorTable(sql, embedder_id, dimensions);
  const find = sql(
    `SELECT chunk_row FROM chunks JOIN documents ON documents.document_id = chunks.document_id
       AND documents.searchable_version = chunks.version AND documents.removed = 0
     WHERE chunks.document_id = ? AND chunks.version = ? AND ordinal = ? AND indexed = 1 AND tenant_id = ?`,
  );
  for (const { chunk, tenant_id, vector } of entries) {
    const row = find.get(chunk.document_id, chunk.version, chunk.ordinal, tenant_id);
    if (!row) continue;
    const chunk_row = BigInt(row.chunk_row as number);
    sql(`DELETE FROM ${table} WHERE rowid = ?`).run(chunk_row);
    if (vector.some((value) => value !== 0)) {
      sql(`INSERT INTO ${table} (rowid, tenant_id, vector) VALUES (?, ?, ?)`).run(
        chunk_row,
        tenant_id,
        toBytes(vector),
      );
    }
  }
}

/** Takes a version's chunks out of the index; the chunks themselves stay. */
export function dropIndexed(sql: Sql, document_id: string, version: number): void {
  const rows = sql("SELECT chunk_row FROM chunks WHERE document_id = ? AND version = ? AND indexed = 1").all(
    document_id,
    version,
  );
  if (rows.length === 0) return;
  for (const { chunk_row } of rows) dropRow(sql, chunk_row as number);
  sql("UPDATE chunks SET indexed = 0 WHERE document_id = ? AND version = ?").run(document_id, version);
}

function dropRow(sql: Sql, chunk_row: number): void {
  sql("DELETE FROM chunks_fts WHERE rowid = ?").run(chunk_row);
  for (const { embedder_row } of sql("SELECT embedder_row FROM embedders").all()) {
    sql(`DELETE FROM vectors_${embedder_row} WHERE rowid = ?`).run(chunk_row);
  }
}

/** The same, for the tenant that owns the document only. */
export function removeIndexed(sql: Sql, tenant_id: string, document_id: string, version: number): void {
  const owned = sql("SELECT 1 FROM documents WHERE document_id = ? AND tenant_id = ?").get(
    document_id,
    tenant_id,
  );
  if (owned) dropIndexed(sql, document_id, version);
}
