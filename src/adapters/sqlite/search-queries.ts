/** The two searches, as SQL over sqlite-vec and FTS5. Synchronous: they run on reader threads. */

import { SluiceError } from "../../errors.ts";
import type { FilterCondition, FilterScalar, SearchFilter } from "../../filter.ts";
import { chunkId } from "../../ids.ts";
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import { toBytes } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { embeddersInForce } from "./write-embedders.ts";
import { vectorTable } from "./write-index.ts";

type Values = (string | number)[];

/** sqlite-vec answers at most this many neighbours at once. */
const MAX_NEIGHBOURS = 4_096;

/** Joins a chunk to its document where that version is the one that searches see. */
const VISIBLE = `JOIN documents ON documents.document_id = chunks.document_id
  AND documents.searchable_version = chunks.version AND documents.removed = 0`;

export function nearest(
  sql: Sql,
  embedder_id: string,
  scope: IndexScope,
  vector: Float32Array,
  limit: number,
): IndexHit[] {
  if (!vector.some((value) => value !== 0)) return [];
  refuseOthers(sql, embedder_id);
  const table = vectorTable(sql, embedder_id);
  if (!table) return [];
  const narrowed = scope.collection !== undefined || scope.filter !== undefined;
  // Entries not (or no longer) visible are few: asking for somewhat more usually leaves enough. Where it does not,
  // or where conditions leave out many, the visible rows are named to the index, which is exact but reads them first.
  if (!narrowed) {
    const wanted = Math.min(MAX_NEIGHBOURS, limit * 2 + 32);
    const { hits, seen } = neighbours(sql, table, scope, vector, wanted, "", []);
    if (hits.length >= limit || seen < wanted) return hits.slice(0, limit);
  }
  const { where, values } = conditions(scope);
  const { hits } = neighbours(
    sql,
    table,
    scope,
    vector,
    Math.min(MAX_NEIGHBOURS, limit),
    `AND rowid IN (SELECT chunk_row FROM chunks ${VISIBLE} WHERE ${where})`,
    values,
  );
  return hits;
}

function neighbours(
  sql: Sql,
  table: string,
  scope: IndexScope,
  vector: Float32Array,
  wanted: number,
  restriction: string,
  values: Values,
): { hits: IndexHit[]; seen: number } {
  const rows = sql(
    `WITH near AS MATERIALIZED (
       SELECT rowid AS chunk_row, distance FROM ${table}
       WHERE vector MATCH ? AND k = ? AND tenant_id = ? ${restriction}
     )
     SELECT near.distance, chunks.document_id, chunks.version, chunks.ordinal, documents.document_id AS visible
     FROM near JOIN chunks USING (chunk_row) LEFT ${VISIBLE}
     ORDER BY near.distance, chunks.document_id, chunks.ordinal`,
  ).all(toBytes(vector), wanted, scope.tenant_id, ...values);
  const hits = rows
    .filter((row) => row.visible !== null)
    .map((row) => toHit(row, 1 - (row.distance as number)));
  return { hits, seen: rows.length };
}

export function matching(sql: Sql, scope: IndexScope, words: string, limit: number): IndexHit[] {
  const query = toFtsQuery(words);
  if (query === "") return [];
  const { where, values } = conditions(scope);
  const rows = sql(
    `SELECT bm25(chunks_fts, 1.0, 0.5) AS rank, chunks.document_id, chunks.version, chunks.ordinal
     FROM chunks_fts JOIN chunks ON chunks.chunk_row = chunks_fts.rowid ${VISIBLE}
     WHERE chunks_fts MATCH ? AND ${where}
     ORDER BY rank, chunks.document_id, chunks.ordinal LIMIT ?`,
  ).all(query, ...values, limit);
  return rows.map((row) => toHit(row, -(row.rank as number)));
}

function toHit(row: Record<string, unknown>, score: number): IndexHit {
  const document_id = row.document_id as string;
  const version = row.version as number;
  return { chunk_id: chunkId(document_id, version, row.ordinal as number), document_id, version, score };
}

/** Vectors of an embedder that doesn't serve may be there for a part of the documents only. */
function refuseOthers(sql: Sql, embedder_id: string): void {
  const { serving } = embeddersInForce(sql);
  if (serving === null || serving === embedder_id) return;
  throw new SluiceError(
    "embedder_mismatch",
    `Searches go by vectors of ${serving} here, not by those of ${embedder_id}.`,
  );
}

/** Plain words to FTS5's query language: each word quoted, any of them may match, BM25 ranks the rest. */
export function toFtsQuery(words: string): string {
  const terms = words.match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu) ?? [];
  return [...new Set(terms)]
    .slice(0, 64)
    .map((term) => `"${term}"`)
    .join(" OR ");
}

function conditions(scope: IndexScope): { where: string; values: Values } {
  const where = ["documents.tenant_id = ?"];
  const values: Values = [scope.tenant_id];
  if (scope.collection !== undefined) {
    where.push("documents.collection = ?");
    values.push(scope.collection);
  }
  for (const [field, condition] of Object.entries(scope.filter ?? ({} satisfies SearchFilter))) {
    const test = comparison(condition);
    // A scalar is its own only item; a list offers each of its items.
    where.push(
      `EXISTS (SELECT 1 FROM json_each(documents.metadata) AS field, json_each(
         CASE field.type WHEN 'array' THEN field.value ELSE json_array(json(documents.metadata -> field.fullkey)) END
       ) AS item WHERE field.key = ? AND ${test.where})`,
    );
    values.push(field, ...test.values);
  }
  return { where: where.join(" AND "), values };
}

function comparison(condition: FilterCondition): { where: string; values: Values } {
  if (typeof condition !== "object") return equals(condition);
  if ("in" in condition) {
    const tests = condition.in.map(equals);
    return {
      where: `(${tests.map((test) => test.where).join(" OR ")})`,
      values: tests.flatMap((test) => test.values),
    };
  }
  const where: string[] = ["item.type <> 'null'"];
  const values: Values = [];
  const operators = { gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;
  for (const [name, operator] of Object.entries(operators)) {
    const bound = (condition as Record<string, string | number | undefined>)[name];
    if (bound === undefined) continue;
    where.push(`${typeOf(bound)} AND item.value ${operator} ?`);
    values.push(bound);
  }
  return { where: `(${where.join(" AND ")})`, values };
}

function equals(value: FilterScalar): { where: string; values: Values } {
  if (typeof value === "boolean") return { where: `item.type = '${value}'`, values: [] };
  return { where: `(${typeOf(value)} AND item.value = ?)`, values: [value] };
}

function typeOf(value: string | number): string {
  return typeof value === "string" ? "item.type = 'text'" : "item.type IN ('integer', 'real')";
}
