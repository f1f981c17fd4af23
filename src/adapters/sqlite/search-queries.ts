/** What both searches go by: who may see what, and what fits a filter. Synchronous: they run on reader threads. */

import { SluiceError } from "../../errors.ts";
import { type FilterCondition, type FilterScalar, isAboutField, type SearchFilter } from "../../filter.ts";
import { chunkId } from "../../ids.ts";
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import type { Sql } from "./schema.ts";
import { embeddersInForce } from "./write-embedders.ts";

type Values = (string | number)[];

/** Joins a chunk to its document where that version is the one that searches see. */
export const VISIBLE = `JOIN documents ON documents.document_id = chunks.document_id
  AND documents.searchable_version = chunks.version AND documents.removed = 0`;

export function toHit(row: Record<string, unknown>, score: number): IndexHit {
  const document_id = row.document_id as string;
  const version = row.version as number;
  return { chunk_id: chunkId(document_id, version, row.ordinal as number), document_id, version, score };
}

/** Vectors of an embedder that doesn't serve may be there for a part of the documents only. */
export function refuseOthers(sql: Sql, embedder_id: string): void {
  const { serving } = embeddersInForce(sql);
  if (serving === null || serving === embedder_id) return;
  throw new SluiceError(
    "embedder_mismatch",
    `Searches go by vectors of ${serving} here, not by those of ${embedder_id}.`,
  );
}

export function conditions(scope: IndexScope): { where: string; values: Values } {
  const where = ["documents.tenant_id = ?"];
  const values: Values = [scope.tenant_id];
  if (scope.collection !== undefined) {
    where.push("documents.collection = ?");
    values.push(scope.collection);
  }
  const fields = filterConditions(scope.filter ?? {});
  where.push(...fields.where);
  values.push(...fields.values);
  return { where: where.join(" AND "), values };
}

type Test = { where: string; values: Values };

/** The meaning of `matchesFilter`, over `documents`: conditions that all must hold. */
export function filterConditions(filter: SearchFilter): { where: string[]; values: Values } {
  const tests = Object.entries(filter).map(([field, condition]): Test => {
    const test = comparison(condition, equals);
    // A scalar is its own only item; a list offers each of its items.
    const own = {
      where: `EXISTS (SELECT 1 FROM json_each(documents.metadata) AS field, json_each(
         CASE field.type WHEN 'array' THEN field.value ELSE json_array(json(documents.metadata -> field.fullkey)) END
       ) AS item WHERE field.key = ? AND ${test.where})`,
      values: [field, ...test.values],
    };
    if (!isAboutField(field)) return own;
    const told = comparison(condition, field === "language" ? isLanguage : equals);
    return {
      where: `CASE WHEN documents.metadata -> '$.${field}' IS NOT NULL THEN ${own.where}
         ELSE EXISTS (SELECT 1 FROM json_each(documents.about) AS item WHERE item.key = '${field}' AND ${told.where}) END`,
      values: [...own.values, ...told.values],
    };
  });
  return { where: tests.map((test) => test.where), values: tests.flatMap((test) => test.values) };
}

function comparison(condition: FilterCondition, equals: (value: FilterScalar) => Test): Test {
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

/** `isLanguageWithin`. */
function isLanguage(value: FilterScalar): Test {
  if (typeof value !== "string") return { where: "0", values: [] };
  return {
    where: "(item.type = 'text' AND instr(lower(item.value) || '-', ? || '-') = 1)",
    values: [value.toLowerCase()],
  };
}

function equals(value: FilterScalar): Test {
  if (typeof value === "boolean") return { where: `item.type = '${value}'`, values: [] };
  return { where: `(${typeOf(value)} AND item.value = ?)`, values: [value] };
}

function typeOf(value: string | number): string {
  return typeof value === "string" ? "item.type = 'text'" : "item.type IN ('integer', 'real')";
}
