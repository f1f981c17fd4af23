/** Writes of the embedders' register, inside the open transaction. Synchronous: they run on the writer thread. */
import { type Commit, ConflictError } from "../../ports/document-store.ts";
import type { EmbeddersInForce } from "../../ports/embedder-register.ts";
import type { Sql } from "./schema.ts";
import { dropVectors, toBlock, vectorTables } from "./vector-tables.ts";

export type EmbedderChange =
  | { begin: string; began_at: string }
  | { listed: string; document_id: string }
  | { finish: string }
  | { cancel: string }
  | { remove_retired: number };

/** Searchable versions without complete vectors of the embedder ?1. */
export const LACKING = `FROM documents WHERE removed = 0 AND searchable_version IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM indexed_versions AS own WHERE own.document_id = documents.document_id
    AND own.version = documents.searchable_version AND own.embedder_id = ?1)`;

export function embeddersInForce(sql: Sql): EmbeddersInForce {
  const row = sql("SELECT serving, target FROM embedder_state").get();
  return row as unknown as EmbeddersInForce;
}

export function requireEmbedders(sql: Sql, { serving, target }: EmbeddersInForce): void {
  const known = embeddersInForce(sql);
  if (known.serving !== serving || known.target !== target) throw new ConflictError("embedders");
}

export function putIndexed(
  sql: Sql,
  tenant_id: string,
  { document_id, version, embedder_id }: NonNullable<Commit["indexed"]>,
): void {
  const { changes } = sql(
    `INSERT OR IGNORE INTO indexed_versions (document_id, version, embedder_id)
     SELECT document_id, searchable_version, ? FROM documents
     WHERE document_id = ? AND tenant_id = ? AND searchable_version = ? AND removed = 0`,
  ).run(embedder_id, document_id, tenant_id, version);
  if (changes === 1) sql("UPDATE embedder_state SET serving = ? WHERE serving IS NULL").run(embedder_id);
}

export function applyEmbedderChange(sql: Sql, change: EmbedderChange): boolean {
  const { serving, target } = embeddersInForce(sql);
  if ("begin" in change) {
    if (target !== null && target !== change.begin) throw new ConflictError("embedders");
    sql("DELETE FROM retired_embedders WHERE embedder_id = ?").run(change.begin);
    sql(
      "UPDATE embedder_state SET target = ?, began_at = iif(target IS NULL, ?, began_at), listed_to = NULL",
    ).run(change.begin, change.began_at);
    return true;
  }
  if ("listed" in change) {
    if (target !== change.listed) return false;
    sql("UPDATE embedder_state SET listed_to = ?").run(change.document_id);
    return true;
  }
  if ("remove_retired" in change) return removeRetired(sql, change.remove_retired);
  const done = "finish" in change;
  const embedder_id = done ? change.finish : change.cancel;
  if (target !== embedder_id) return false;
  if (done && sql(`SELECT 1 ${LACKING} LIMIT 1`).get(embedder_id)) return false;
  const retired = done ? serving : target;
  const stays = done ? target : serving;
  if (retired !== null && retired !== stays) {
    sql("INSERT OR IGNORE INTO retired_embedders (embedder_id) VALUES (?)").run(retired);
  }
  sql("UPDATE embedder_state SET serving = ?, target = NULL, began_at = NULL, listed_to = NULL").run(stays);
  return true;
}

/** What says that versions are complete goes first: none may count as such any more when its first vector is gone. */
function removeRetired(sql: Sql, limit: number): boolean {
  const retired = sql("SELECT embedder_id FROM retired_embedders LIMIT 1").get();
  if (!retired) return false;
  const embedder_id = retired.embedder_id as string;
  const marks = sql(
    `DELETE FROM indexed_versions WHERE embedder_id = ?1 AND (document_id, version) IN
       (SELECT document_id, version FROM indexed_versions WHERE embedder_id = ?1 LIMIT ?2)`,
  ).run(embedder_id, limit);
  if (marks.changes > 0) return true;
  const tables = vectorTables(sql, embedder_id);
  if (tables) {
    // A block is written anew for each vector taken out of it, so a whole one goes at once; then what is in none.
    const block = sql(`SELECT rows, codes FROM ${tables.codes} LIMIT 1`).get();
    const rows = block
      ? [...toBlock(block).rows]
      : sql(`SELECT chunk_row FROM ${tables.vectors} LIMIT ?`)
          .all(limit)
          .map(({ chunk_row }) => chunk_row as number);
    if (dropVectors(sql, tables, rows) > 0) return true;
    sql(`DROP TABLE ${tables.codes}`).run();
    sql(`DROP TABLE ${tables.vectors}`).run();
    sql("DELETE FROM embedders WHERE embedder_id = ?").run(embedder_id);
  }
  sql("DELETE FROM retired_embedders WHERE embedder_id = ?").run(embedder_id);
  return true;
}
