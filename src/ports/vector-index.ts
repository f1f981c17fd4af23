import type { About } from "../about.ts";
import type { Chunk } from "../chunk.ts";
import type { SearchFilter } from "../filter.ts";
import type { Lease } from "../job.ts";

/** A chunk, its vector and what searches filter by. */
export interface IndexEntry {
  chunk: Chunk;
  tenant_id: string;
  collection: string;
  vector: Float32Array;
  /** The version's: its words are searched as well. */
  filename?: string;
  /** What the version says of itself: the words of its title and author are searched as well, and filters see all of it. */
  about?: About;
}

export interface IndexScope {
  tenant_id: string;
  collection?: string;
  filter?: SearchFilter;
}

/** A chunk found. Higher scores are better; scores of different indexes or methods do not compare. */
export interface IndexHit {
  chunk_id: string;
  document_id: string;
  version: number;
  score: number;
}

/**
 * Finds chunks by vector and by words. What is staged becomes visible when the document store makes that version
 * the searchable one, in one step for the whole document (G13).
 */
export interface VectorIndex {
  /** The embedder whose vectors this one stages and compares. */
  readonly embedder_id: string;
  /**
   * The same index by another embedder's vectors; both may be used at once.
   * @throws SluiceError `embedder_mismatch` where it can't hold vectors of two
   */
  under(embedder: { embedder_id: string; dimensions: number }): Promise<VectorIndex>;
  /**
   * True where the index shares no transactions with the document store: entries of versions that the store dropped
   * stay, invisible, until `remove` is called for them, which a job does after a newer one was published. Default false.
   */
  readonly separate?: boolean;
  /**
   * Makes entries of a version that is not searchable yet ready.
   * MUST be durable when it resolves, MUST be idempotent by chunk_id, and MUST NOT change what searches find.
   *
   * @param lease under which they are staged. An index that shares transactions with the queue MUST refuse with
   *   ConflictError `lease_lost` once it is lost: what was discarded meanwhile must not come back.
   */
  stage(entries: IndexEntry[], lease?: Lease): Promise<void>;
  /**
   * Adds vectors of this embedder to entries that have vectors of others, of versions that are searchable.
   * MUST be durable when it resolves, MUST be idempotent by chunk_id, and MUST NOT change what searches by other
   * embedders or by words find. MUST leave out entries of versions that are not searchable (any more).
   *
   * @param lease as for `stage`
   */
  add(entries: IndexEntry[], lease?: Lease): Promise<void>;
  /** Drops what was staged or indexed of one version, of every embedder. MUST succeed when there is nothing. */
  remove(tenant_id: string, document_id: string, version: number): Promise<void>;
  /**
   * The `limit` entries with the greatest cosine similarity (the score), best first.
   * MUST return entries of searchable versions only, as of some instant during the call.
   * @throws SluiceError `embedder_mismatch` when another embedder serves (`EmbedderRegister`) when the answer is there
   */
  nearest(scope: IndexScope, vector: Float32Array, limit: number): Promise<IndexHit[]>;
  /**
   * The `limit` entries that match the words best (BM25 or alike), best first: in their text, the headings above it, the
   * file name, the title or the author. Same MUSTs.
   * Any of the words is enough. A word MUST match itself in every language, whatever its case; of scripts that leave no
   * spaces between words, a part of a run MUST match. English words MUST match their common inflections (ship, ships), and
   * English stop words MUST NOT count where the query has other words.
   */
  matching(scope: IndexScope, words: string, limit: number): Promise<IndexHit[]>;
  close(): Promise<void>;
}
