/** Writes of the search index, inside the open transaction. Synchronous: they run on the writer thread. */
import { passageOf } from "../../chunk.ts";
import type { IndexEntry } from "../../ports/vector-index.ts";
import { namesOf, separateWords } from "../keywords.ts";
import { tenantWord } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { isZero } from "./vector-code.ts";
import {
  allVectorTables,
  dropVectors,
  ensureVectorTables,
  putVectors,
  type VectorEntry,
  type VectorTables,
} from "./vector-tables.ts";
import { putChunk } from "./write-chunk.ts";

/**
 * Indexes entries of versions that searches do not see yet: searches join on the document's searchable version, so
 * nothing shows before the publishing transaction flips it.
 */
export function stageEntries(sql: Sql, embedder_id: string, dimensions: number, entries: IndexEntry[]): void {
  const tables = ensureVectorTables(sql, embedder_id, dimensions);
  const vectors = new Map<number, VectorEntry>();
  const find = sql(
    "SELECT chunk_row, indexed FROM chunks WHERE document_id = ? AND version = ? AND ordinal = ?",
  );
  for (const entry of entries) {
    const { chunk, tenant_id, collection, vector } = entry;
    let row = find.get(chunk.document_id, chunk.version, chunk.ordinal);
    // The pipeline has written the row before; staged a second time, the later entry takes the place of the earlier.
    if (row?.indexed !== 0) putChunk(sql, chunk);
    if (row?.indexed === 1) dropRows(sql, [row.chunk_row as number]);
    row ??= find.get(chunk.document_id, chunk.version, chunk.ordinal);
    if (!row) throw new Error(`chunk ${chunk.chunk_id} was not stored`);
    const chunk_row = row.chunk_row as number;
    sql("INSERT INTO chunks_fts (rowid, text, headings, filename, tenant) VALUES (?, ?, ?, ?, ?)").run(
      BigInt(chunk_row),
      separateWords(passageOf(chunk)),
      separateWords(chunk.heading_path.join(" ")),
      separateWords(namesOf(entry)),
      tenantWord(tenant_id),
    );
    // Text with nothing to embed has no direction, and so no place among neighbours.
    if (isZero(vector)) vectors.delete(chunk_row);
    else vectors.set(chunk_row, { chunk_row, tenant_id, collection, vector });
    sql("UPDATE chunks SET indexed = 1 WHERE chunk_row = ?").run(chunk_row);
  }
  putVectors(sql, tables, [...vectors.values()]);
}

/** Gives entries of searchable versions a vector of this embedder beside those that they have. */
export function addVectors(sql: Sql, embedder_id: string, dimensions: number, entries: IndexEntry[]): void {
  const tables = ensureVectorTables(sql, embedder_id, dimensions);
  const find = sql(
    `SELECT chunk_row FROM chunks JOIN documents ON documents.document_id = chunks.document_id
       AND documents.searchable_version = chunks.version AND documents.removed = 0
     WHERE chunks.document_id = ? AND chunks.version = ? AND ordinal = ? AND indexed = 1 AND tenant_id = ?`,
  );
  const vectors = new Map<number, VectorEntry>();
  for (const { chunk, tenant_id, collection, vector } of entries) {
    const row = find.get(chunk.document_id, chunk.version, chunk.ordinal, tenant_id);
    const chunk_row = row?.chunk_row as number | undefined;
    if (chunk_row !== undefined) vectors.set(chunk_row, { chunk_row, tenant_id, collection, vector });
  }
  dropVectors(sql, tables, [...vectors.keys()]);
  putVectors(
    sql,
    tables,
    [...vectors.values()].filter(({ vector }) => !isZero(vector)),
  );
}

/** Takes a version's chunks out of the index; the chunks themselves stay. */
export function dropIndexed(sql: Sql, document_id: string, version: number): void {
  const rows = sql("SELECT chunk_row FROM chunks WHERE document_id = ? AND version = ? AND indexed = 1").all(
    document_id,
    version,
  );
  if (rows.length === 0) return;
  dropRows(
    sql,
    rows.map(({ chunk_row }) => chunk_row as number),
  );
  sql("UPDATE chunks SET indexed = 0 WHERE document_id = ? AND version = ?").run(document_id, version);
}

function dropRows(sql: Sql, rows: number[]): void {
  for (const chunk_row of rows) sql("DELETE FROM chunks_fts WHERE rowid = ?").run(chunk_row);
  for (const tables of allVectorTables(sql)) dropVectors(sql, tables, rows);
}

/** Takes those of these rows out of an embedder's tables that are of no indexed chunk. @returns how many */
export function dropStrayVectors(sql: Sql, tables: VectorTables, rows: number[]): number {
  const stray = sql(
    `SELECT value FROM json_each(?)
     WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE chunk_row = value AND indexed = 1)`,
  ).all(JSON.stringify(rows));
  return dropVectors(
    sql,
    tables,
    stray.map(({ value }) => value as number),
  );
}

/** What `dropIndexed` does, for the tenant that owns the document only. */
export function removeIndexed(sql: Sql, tenant_id: string, document_id: string, version: number): void {
  const owned = sql("SELECT 1 FROM documents WHERE document_id = ? AND tenant_id = ?").get(
    document_id,
    tenant_id,
  );
  if (owned) dropIndexed(sql, document_id, version);
}
