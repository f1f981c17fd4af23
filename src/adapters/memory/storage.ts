/** The storage ports over one state in memory: for tests, and for use inside one process that keeps nothing. */
import type { ApiKeyStore } from "../../ports/api-key-store.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import type { JobQueue } from "../../ports/job-queue.ts";
import type { System } from "../../ports/system.ts";
import type { VectorIndex } from "../../ports/vector-index.ts";
import { createMemoryKeys } from "./api-keys.ts";
import { createMemoryDocuments } from "./documents.ts";
import { createMemoryQueue } from "./queue.ts";
import { createMemoryState, type MemoryState } from "./state.ts";
import { createMemoryIndex } from "./vector-index.ts";

export interface MemoryStorageOptions {
  system: System;
  /** Of the embedder whose vectors the index takes. */
  embedder_id: string;
  /** Shares what another storage holds, as two processes share a database. Default: a new, empty one. */
  state?: MemoryState;
}

export interface MemoryStorage {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  keys: ApiKeyStore;
}

/** Everything is lost when the process ends: the guarantees of durability are not kept, all others are. */
export function createMemoryStorage(options: MemoryStorageOptions): MemoryStorage {
  const { system, embedder_id, state = createMemoryState() } = options;
  return {
    documents: createMemoryDocuments(state, system),
    queue: createMemoryQueue(state, system),
    index: createMemoryIndex(state, embedder_id),
    keys: createMemoryKeys(state),
  };
}
