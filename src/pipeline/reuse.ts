/**
 * Vectors that need not be made again: a chunk that stood in the searchable version, to be embedded with the same words
 * under the same embedder, has its vector already. Change one paragraph of a long document, and a handful of chunks is embedded.
 */
import { createHash } from "node:crypto";
import type { DocumentVersion } from "../document.ts";
import type { DocumentStore, StoredChunk } from "../ports/document-store.ts";
import { type ContextualHeader, embeddedText } from "./passage.ts";
import { restoreChunked } from "./stages/chunk.ts";

/** Chunks read at a time. */
const WINDOW = 256;

/** For each chunk the vector that its text has already, or undefined. */
export type FindVectors = (chunks: StoredChunk[]) => Promise<(Float32Array | undefined)[]>;

const none: FindVectors = async (chunks) => chunks.map(() => undefined);

/** Reads the searchable version once, and keeps of each chunk a hash and its place, not the vector. */
export async function findReusable(
  documents: DocumentStore,
  { tenant_id, document_id, version }: DocumentVersion,
  embedder_id: string,
  contextual?: ContextualHeader,
): Promise<FindVectors> {
  const searchable = (await documents.getDocument(tenant_id, document_id))?.searchable_version ?? null;
  if (searchable === null || searchable === version) return none;
  const checkpoints = await documents.listCheckpoints(tenant_id, document_id, searchable);
  const embedded = checkpoints.find(({ stage }) => stage === "embedding");
  // No name of an embedder: what it made there is not to be trusted (maintenance/repair.ts).
  if (typeof embedded?.data.embedder_id !== "string") return none;
  const before = restoreChunked(embedded.data).contextual;

  const read = (from: number, limit: number) =>
    documents.listChunks(tenant_id, document_id, searchable, from, limit);
  const places = new Map<string, number>();
  for (let from = 0; ; ) {
    const window = await read(from, WINDOW);
    for (const chunk of window) places.set(hashOf(embeddedText(chunk, before)), chunk.ordinal);
    const last = window.at(-1);
    if (!last || window.length < WINDOW) break;
    from = last.ordinal + 1;
  }

  return async (chunks) => {
    const wanted = chunks.map((chunk) => places.get(hashOf(embeddedText(chunk, contextual))));
    const found = new Map<number, Float32Array>();
    // Mostly a run of neighbours, moved by what was put in or taken out before them: few reads bring them all.
    for (const ordinal of wanted.filter((place) => place !== undefined).sort((a, b) => a - b)) {
      if (found.has(ordinal)) continue;
      for (const stored of await read(ordinal, chunks.length)) {
        // A reindex may have come to a part of them.
        if (stored.vector && stored.embedder_id === embedder_id) found.set(stored.ordinal, stored.vector);
      }
    }
    return wanted.map((place) => (place === undefined ? undefined : found.get(place)));
  };
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
