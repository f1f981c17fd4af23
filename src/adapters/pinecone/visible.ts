/** Which of the records that a query found may be shown, by one look at the documents. */
import type { DocumentRecord } from "../../document.ts";
import { matchesFilter } from "../../filter.ts";
import { chunkId } from "../../ids.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import type { Match } from "./client.ts";
import { type Place, placeOf } from "./records.ts";

export type Candidate = Place & { score: number };

type Documents = Pick<DocumentStore, "locateChunks">;

/** Each chunk once, whatever records there are of it. Equal scores in the order of documents, then of their chunks, so that the same search gives the same order. */
export function toCandidates(matches: readonly Match[]): Candidate[] {
  const byId = new Map<string, Candidate>();
  for (const { id, score } of matches) {
    const place = placeOf(id);
    if (place !== undefined) byId.set(place.chunk_id, { ...place, score });
  }
  return [...byId.values()].sort((a, b) => {
    if (a.score !== b.score) return b.score - a.score;
    if (a.document_id !== b.document_id) return a.document_id < b.document_id ? -1 : 1;
    return a.ordinal - b.ordinal;
  });
}

/** The documents of all candidates, read at one instant; those without a version to show are left out. */
export async function readDocuments(
  documents: Documents,
  tenant_id: string,
  candidates: readonly Candidate[],
): Promise<Map<string, DocumentRecord>> {
  // The first chunk stands for its version: there is one wherever there is any, and documents are far fewer.
  const firsts = new Set(candidates.map(({ document_id, version }) => chunkId(document_id, version, 0)));
  const located = firsts.size === 0 ? [] : await documents.locateChunks(tenant_id, [...firsts]);
  return new Map(located.map(({ document }) => [document.document_id, document]));
}

export function isVisible(
  candidate: Candidate,
  document: DocumentRecord | undefined,
  scope: IndexScope,
): boolean {
  if (document === undefined || document.searchable_version !== candidate.version) return false;
  if (scope.collection !== undefined && document.collection !== scope.collection) return false;
  return scope.filter === undefined || matchesFilter(document, scope.filter);
}

/**
 * The best `limit` of the candidates whose chunk is there and searchable, all of them by one look: chunks of two versions
 * of a document never come together.
 *
 * @returns also which of those looked at may not be shown any more
 */
export async function showBest(
  documents: Documents,
  scope: IndexScope,
  candidates: readonly Candidate[],
  limit: number,
): Promise<{ hits: IndexHit[]; lost: string[] }> {
  if (candidates.length === 0) return { hits: [], lost: [] };
  for (let size = limit; ; size *= 2) {
    const asked = candidates.slice(0, size);
    const chunk_ids = asked.map(({ chunk_id }) => chunk_id);
    const located = await documents.locateChunks(scope.tenant_id, chunk_ids);
    const byId = new Map(located.map(({ chunk, document }) => [chunk.chunk_id, document]));
    const shown = asked.filter((candidate) => isVisible(candidate, byId.get(candidate.chunk_id), scope));
    if (shown.length < limit && size < candidates.length) continue;
    const hits = shown.slice(0, limit).map(({ chunk_id, document_id, version, score }) => {
      return { chunk_id, document_id, version, score };
    });
    const kept = new Set(shown.map(({ chunk_id }) => chunk_id));
    return { hits, lost: chunk_ids.filter((chunk_id) => !kept.has(chunk_id)) };
  }
}
