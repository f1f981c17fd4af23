/**
 * Passages as searches found them, of this page's life: a document that has changed since no longer has the text that
 * the reader came for.
 */
import type { SearchHit } from "../../../src/search/search.ts";

const KEPT = 300;
const passages = new Map<string, string>();

type Place = Pick<SearchHit, "document_id" | "version" | "char_start" | "char_end">;

const keyOf = ({ document_id, version, char_start, char_end }: Place) =>
  `${document_id} ${version} ${char_start} ${char_end}`;

export function rememberPassages(hits: readonly SearchHit[]): void {
  for (const hit of hits) {
    passages.delete(keyOf(hit));
    passages.set(keyOf(hit), hit.text);
  }
  for (const key of passages.keys()) {
    if (passages.size <= KEPT) return;
    passages.delete(key);
  }
}

/** @returns undefined for what this page has not found itself */
export function foundPassage(place: Place): string | undefined {
  return passages.get(keyOf(place));
}
