/** Lists of documents and their counts. Synchronous: what has to read on goes to a reader thread. */
import type { DatabaseSync } from "node:sqlite";
import type { DocumentStatus } from "../../document.ts";
import {
  countsOf,
  type DocumentCounts,
  type DocumentSort,
  directionOf,
  textPattern,
} from "../../document-list.ts";
import type { DocumentQuery, DocumentSelection } from "../../ports/document-store.ts";
import { conditions, type Row, toDocument } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { filterConditions } from "./search-queries.ts";

/** NOCASE takes A–Z as a–z and nothing else, as `comparePlaces` does. */
const SORTED_BY: Record<DocumentSort, string> = {
  created_at: "created_at",
  updated_at: "updated_at",
  filename: "filename COLLATE NOCASE",
  size_bytes: "size_bytes",
};

/** What conditions on text ask for, on each connection that lists. */
export function addTextFunction(db: DatabaseSync): void {
  let last = { source: "", pattern: /(?:)/u };
  db.function("fits_pattern", { deterministic: true }, (source, filename, title) => {
    if (last.source !== source) last = { source: String(source), pattern: new RegExp(String(source), "u") };
    const { pattern } = last;
    return pattern.test(String(filename)) || (title !== null && pattern.test(String(title))) ? 1 : 0;
  });
}

/** Whether an index alone finds the page, or nearly: else it may read every document of the tenant. */
export function isListedByIndex({ sort, text, filter, parent_document_id, ...rest }: DocumentQuery): boolean {
  if (parent_document_id !== undefined) return true;
  if (text !== undefined || filter !== undefined) return false;
  const { collection, statuses, media_type } = rest;
  if (sort === undefined || sort === "created_at") return true;
  return (
    sort === "updated_at" && collection === undefined && statuses === undefined && media_type === undefined
  );
}

export function listDocuments(
  sql: Sql,
  { sort = "created_at", order, before, limit, ...selection }: DocumentQuery,
) {
  const { where, values, parent } = selected(selection);
  const [direction, beyond] = directionOf(sort, order) === 1 ? ["ASC", ">"] : ["DESC", "<"];
  const by = SORTED_BY[sort];
  const ordered = `ORDER BY documents.${by} ${direction}, documents.document_id ${direction}`;
  // Named, because the planner doesn't know how many documents a tenant has, and may take an index that holds less.
  const index = parent
    ? "documents_parent"
    : sort === "updated_at"
      ? "documents_updated"
      : "documents_created";
  const place = before ? ` AND (documents.${by}, documents.document_id) ${beyond} (?, ?)` : "";
  // First which they are: sorting and most conditions need what lies in the index alone.
  const rows = sql(
    `SELECT documents.* FROM (
       SELECT document_id FROM documents INDEXED BY ${index} WHERE ${where}${place} ${ordered} LIMIT ?
     ) AS page CROSS JOIN documents ON documents.document_id = page.document_id ${ordered}`,
  ).all(...values, ...(before ? [before.value, before.document_id] : []), limit) as Row[];
  return rows.map(toDocument);
}

export function summarizeDocuments(sql: Sql, selection: DocumentSelection): DocumentCounts {
  const { where, values, parent } = selected(selection);
  const index = parent ? "documents_parent" : "documents_created";
  const rows = sql(
    `SELECT status, media_type, count(*) AS documents FROM documents INDEXED BY ${index} WHERE ${where}
     GROUP BY status, media_type`,
  ).all(...values);
  return countsOf(rows as unknown as { status: DocumentStatus; media_type: string; documents: number }[]);
}

function selected({
  tenant_id,
  collection,
  statuses,
  media_type,
  text,
  parent_document_id,
  filter,
}: DocumentSelection) {
  const parent = parent_document_id !== undefined;
  const given = conditions({
    // Behind a +, what must not tempt the planner away from the index that was named.
    [parent ? "+tenant_id = ?" : "tenant_id = ?"]: tenant_id,
    "parent_document_id = ?": parent_document_id,
    "collection = ?": collection,
    "+status IN (SELECT value FROM json_each(?))": statuses && JSON.stringify(statuses),
    "+media_type = ?": media_type,
    "fits_pattern(?, filename, about ->> 'title')": text === undefined ? undefined : textPattern(text),
  });
  const fields = filterConditions(filter ?? {});
  return {
    where: ["removed = 0", given.where, ...fields.where].join(" AND "),
    values: [...given.values, ...fields.values],
    parent,
  };
}
