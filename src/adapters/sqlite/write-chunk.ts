import type { Chunk } from "../../chunk.ts";
import type { Commit } from "../../ports/document-store.ts";
import type { Sql } from "./schema.ts";

/** Writes a chunk, in place of an earlier one with the same place in the same version. */
export function putChunk(sql: Sql, chunk: Chunk): void {
  sql(
    `INSERT INTO chunks (document_id, version, ordinal, text, page, sheet, row_start, row_end, char_start, char_end,
       heading_path, section_start, header, token_count)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (document_id, version, ordinal) DO UPDATE SET text = excluded.text, page = excluded.page,
       sheet = excluded.sheet, row_start = excluded.row_start, row_end = excluded.row_end,
       char_start = excluded.char_start, char_end = excluded.char_end, heading_path = excluded.heading_path,
       section_start = excluded.section_start, header = excluded.header, token_count = excluded.token_count`,
  ).run(
    chunk.document_id,
    chunk.version,
    chunk.ordinal,
    chunk.text,
    chunk.page,
    chunk.sheet,
    chunk.row_start,
    chunk.row_end,
    chunk.char_start,
    chunk.char_end,
    JSON.stringify(chunk.heading_path),
    chunk.section_start,
    chunk.header,
    chunk.token_count,
  );
}

/** Drops the chunks of a version from an ordinal on, and their vectors. */
export function discardChunks(
  sql: Sql,
  tenant_id: string,
  { document_id, version, from }: NonNullable<Commit["discard_chunks"]>,
): void {
  const these = `document_id = ?1 AND version = ?2 AND ordinal >= ?3
    AND EXISTS (SELECT 1 FROM documents WHERE document_id = ?1 AND tenant_id = ?4)`;
  const values = [document_id, version, from, tenant_id];
  sql(`DELETE FROM embeddings WHERE chunk_row IN (SELECT chunk_row FROM chunks WHERE ${these})`).run(
    ...values,
  );
  sql(`DELETE FROM chunks WHERE ${these}`).run(...values);
}
