/** Lists of documents: their orders, a place in one, what `text` finds, and how many there are. Pure. */
import { type Document, type DocumentStatus, documentStatuses } from "./document.ts";

export const documentSorts = ["created_at", "updated_at", "filename", "size_bytes"] as const;
/**
 * What a list is ordered by; equals by document_id, in the same direction. `filename`: by code points, A–Z as a–z, so
 * that every database gives the same order whatever its locale.
 */
export type DocumentSort = (typeof documentSorts)[number];
export const sortOrders = ["asc", "desc"] as const;
export type SortOrder = (typeof sortOrders)[number];

/** Where a document stands in a list: it stays a place when the document changes or goes. */
export interface DocumentPlace {
  /** Of the field that the list is sorted by. */
  value: string | number;
  document_id: string;
}

/** How many documents there are, of each kind. */
export interface DocumentCounts {
  total: number;
  by_status: Record<DocumentStatus, number>;
  /** Most first. */
  by_media_type: { media_type: string; documents: number }[];
}

/** @returns 1 where a list begins with the least, -1 where with the greatest. Default: names ascending, all else newest or largest first */
export function directionOf(sort: DocumentSort = "created_at", order?: SortOrder): 1 | -1 {
  return (order ?? (sort === "filename" ? "asc" : "desc")) === "asc" ? 1 : -1;
}

export function placeInList(document: Document, sort: DocumentSort = "created_at"): DocumentPlace {
  return { value: document[sort], document_id: document.document_id };
}

/** The meaning that every store must give `sort`, ascending. */
export function comparePlaces(a: DocumentPlace, b: DocumentPlace): number {
  const byValue =
    typeof a.value === "number"
      ? a.value - Number(b.value)
      : Buffer.compare(sortKey(a.value), sortKey(String(b.value)));
  return byValue || (a.document_id < b.document_id ? -1 : a.document_id > b.document_id ? 1 : 0);
}

const sortKey = (text: string) => Buffer.from(text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()));

/**
 * A regular expression, for JavaScript (with the flag u) as for PostgreSQL, that finds a text whatever its case: each
 * letter as the set of those that are the same but for case. What a database folds by itself hangs on its locale.
 */
export function textPattern(text: string): string {
  return [...text]
    .map((letter) => {
      const same = casesOf(letter);
      return same.length > 1 ? `[${same.join("")}]` : escaped(letter);
    })
    .join("");
}

/** What `text` finds a document by: whether it is a part of its name or title. */
export function textFinder(text: string): (document: Pick<Document, "filename" | "about">) => boolean {
  const pattern = new RegExp(textPattern(text), "u");
  return ({ filename, about }) => pattern.test(filename) || pattern.test(about.title ?? "");
}

/** Of how many documents there are of each status and type. */
export function countsOf(
  groups: Iterable<{ status: DocumentStatus; media_type: string; documents: number }>,
): DocumentCounts {
  const by_status = Object.fromEntries(documentStatuses.map((status) => [status, 0]));
  const byType = new Map<string, number>();
  let total = 0;
  for (const { status, media_type, documents } of groups) {
    total += documents;
    by_status[status] = (by_status[status] ?? 0) + documents;
    byType.set(media_type, (byType.get(media_type) ?? 0) + documents);
  }
  const by_media_type = [...byType]
    .map(([media_type, documents]) => ({ media_type, documents }))
    .sort((a, b) => b.documents - a.documents || (a.media_type < b.media_type ? -1 : 1));
  return { total, by_status: by_status as DocumentCounts["by_status"], by_media_type };
}

const escaped = (letter: string) => (/[$()*+.?[\\\]^{|}/]/.test(letter) ? `\\${letter}` : letter);

let cases: Map<string, string[]> | undefined;

function casesOf(letter: string): string[] {
  cases ??= allCases();
  return cases.get(folded(letter)) ?? [letter];
}

/** Also what has three forms, as σ, ς and Σ. */
function allCases(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  // Past this, Unicode has no letters with case.
  for (let code = 0; code < 0x1_ea00; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const letter = String.fromCodePoint(code);
    if (letter.toLowerCase() === letter && letter.toUpperCase() === letter) continue;
    const key = folded(letter);
    found.set(key, [...(found.get(key) ?? []), letter]);
  }
  return found;
}

const folded = (letter: string) => letter.toLowerCase().toUpperCase();
