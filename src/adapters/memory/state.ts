/**
 * What memory storage holds, and transactions over it. Stored values are never changed in place, only replaced, so
 * that undoing a transaction is putting the earlier values back.
 */
import type { Chunk } from "../../chunk.ts";
import type { DocumentRecord, DocumentVersion } from "../../document.ts";
import type { SluiceEvent } from "../../events.ts";
import type { Job } from "../../job.ts";
import type { ApiKey } from "../../ports/api-key-store.ts";
import type { StoredCollection } from "../../ports/collection-store.ts";
import type { Checkpoint, IdempotentAnswer } from "../../ports/document-store.ts";
import type { RegisteredEmbedders } from "../../ports/embedder-register.ts";
import type { WorkerPresence } from "../../ports/job-queue.ts";
import type { IndexEntry } from "../../ports/vector-index.ts";
import type { StoredWebhook } from "../../ports/webhook-store.ts";
import type { Delivery, DeliveryTry } from "../../webhook.ts";

export interface DocumentRow {
  record: DocumentRecord;
  /** Gone for readers and searches, not erased yet. */
  removed: boolean;
}

export interface ChunkRow {
  tenant_id: string;
  chunk: Chunk;
  vector: Float32Array | null;
  embedder_id: string | null;
}

export interface JobRow {
  job: Job;
  /** Unix milliseconds of `job.run_at`. */
  run_at: number;
  /** Place in the order of enqueueing: decides between jobs ready for equally long. */
  place: number;
  /** Held by whoever runs it; null unless running. */
  lease_token: string | null;
  /** Unix milliseconds. */
  lease_until: number;
}

export interface IndexRow {
  entry: IndexEntry;
  /** By embedder. */
  vectors: ReadonlyMap<string, Float32Array>;
}

/** One version's rows, under `versionKey`. */
export interface VersionRows {
  checkpoints: Map<string, Checkpoint>;
  chunks: Map<number, ChunkRow>;
  entries: Map<string, IndexRow>;
  /** Embedders under which every chunk has its vector in the index. */
  indexed: Map<string, true>;
}

export interface MemoryState {
  documents: Map<string, DocumentRow>;
  /** contentKey → document_id, of living documents. */
  contents: Map<string, string>;
  /** document_id → its versions, by number. */
  versions: Map<string, Map<number, DocumentVersion>>;
  /** document_id → what its versions hold, by number. */
  rows: Map<string, Map<number, VersionRows>>;
  /** chunk_id → where it is. */
  chunkPlaces: Map<string, { document_id: string; version: number; ordinal: number }>;
  events: SluiceEvent[];
  answers: Map<string, IdempotentAnswer>;
  cursors: Map<string, number>;
  /** Name → Unix milliseconds. */
  holds: Map<string, number>;
  leads: Map<string, { holder: string; until: number }>;
  /** Keys of blobs that were given up. */
  condemned: Map<string, true>;
  /** One value, under `embeddersKey`. */
  embedders: Map<string, RegisteredEmbedders>;
  /** Tenant and name of every collection that has settings. */
  collections: Map<string, StoredCollection>;
  webhooks: Map<string, StoredWebhook>;
  deliveries: Map<string, Delivery>;
  /** delivery_id → its tries, oldest first. */
  tries: Map<string, readonly DeliveryTry[]>;
  /** Jobs that have not ended: what claims look through. */
  openJobs: Map<string, JobRow>;
  endedJobs: Map<string, JobRow>;
  /** Tenant and unique_key of every open job that has one → job_id. */
  uniqueKeys: Map<string, string>;
  /** Tenant → the turn at which it was served last. */
  turns: Map<string, number>;
  workers: Map<string, { presence: WorkerPresence; last_seen_at: string }>;
  keys: Map<string, ApiKey>;
  /** `seen`: the latest time that a claim or a heartbeat came with. */
  counters: { place: number; turn: number; seen: number };
  eventListeners: Set<() => void>;
  jobListeners: Set<() => void>;
}

/** An empty storage. Several adapters over one state are like processes that share a database. */
export function createMemoryState(): MemoryState {
  return {
    documents: new Map(),
    contents: new Map(),
    versions: new Map(),
    rows: new Map(),
    chunkPlaces: new Map(),
    events: [],
    answers: new Map(),
    cursors: new Map(),
    holds: new Map(),
    leads: new Map(),
    condemned: new Map(),
    embedders: new Map(),
    collections: new Map(),
    webhooks: new Map(),
    deliveries: new Map(),
    tries: new Map(),
    openJobs: new Map(),
    endedJobs: new Map(),
    uniqueKeys: new Map(),
    turns: new Map(),
    workers: new Map(),
    keys: new Map(),
    counters: { place: 0, turn: 0, seen: 0 },
    eventListeners: new Set(),
    jobListeners: new Set(),
  };
}

/** Joins the parts of a key with a sign that no id has. */
export function joinKey(...parts: string[]): string {
  return parts.join("\u0000");
}

export function contentKey(record: DocumentRecord): string {
  return joinKey(record.tenant_id, record.collection, record.sha256);
}

/** Changes that can be undone, and what they made worth telling watchers. */
export interface Transaction {
  set<K, V>(map: Map<K, V>, key: K, value: V): void;
  delete<K, V>(map: Map<K, V>, key: K): void;
  append<V>(list: V[], value: V): void;
  /** Watchers of jobs are called when the transaction has happened. */
  jobsChanged(): void;
}

/** Runs `work` as one transaction: when it throws, everything that it changed is put back. */
export function transact<T>(state: MemoryState, work: (tx: Transaction) => T): T {
  const undo: (() => void)[] = [];
  const eventsBefore = state.events.length;
  let jobsChanged = false;
  const remember = <K, V>(map: Map<K, V>, key: K) => {
    const had = map.has(key);
    const before = map.get(key) as V;
    undo.push(() => {
      if (had) map.set(key, before);
      else map.delete(key);
    });
  };
  const tx: Transaction = {
    set: (map, key, value) => {
      remember(map, key);
      map.set(key, value);
    },
    delete: (map, key) => {
      remember(map, key);
      map.delete(key);
    },
    append: (list, value) => {
      undo.push(() => {
        list.pop();
      });
      list.push(value);
    },
    jobsChanged: () => {
      jobsChanged = true;
    },
  };
  let result: T;
  try {
    result = work(tx);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
  if (state.events.length > eventsBefore) notify(state.eventListeners);
  if (jobsChanged) notify(state.jobListeners);
  return result;
}

/** Later, not now: a listener must not run inside the writer's call, nor fail it. */
function notify(listeners: Set<() => void>): void {
  queueMicrotask(() => {
    for (const listener of [...listeners]) {
      if (listeners.has(listener)) listener();
    }
  });
}

/** Registers a listener of its own, even where the same function was given before. */
export function watch(listeners: Set<() => void>, listener: () => void): () => void {
  const own = () => listener();
  listeners.add(own);
  return () => {
    listeners.delete(own);
  };
}

/** The rows of a version, made when there are none. */
export function versionRows(
  state: MemoryState,
  tx: Transaction,
  document_id: string,
  version: number,
): VersionRows {
  let ofDocument = state.rows.get(document_id);
  if (!ofDocument) {
    ofDocument = new Map();
    tx.set(state.rows, document_id, ofDocument);
  }
  let rows = ofDocument.get(version);
  if (!rows) {
    rows = { checkpoints: new Map(), chunks: new Map(), entries: new Map(), indexed: new Map() };
    tx.set(ofDocument, version, rows);
  }
  return rows;
}

/** Drops chunks, vectors, checkpoints and index entries of a version. */
export function dropVersionRows(
  state: MemoryState,
  tx: Transaction,
  document_id: string,
  version: number,
): void {
  const ofDocument = state.rows.get(document_id);
  const rows = ofDocument?.get(version);
  if (!ofDocument || !rows) return;
  for (const { chunk } of rows.chunks.values()) tx.delete(state.chunkPlaces, chunk.chunk_id);
  tx.delete(ofDocument, version);
  if (ofDocument.size === 0) tx.delete(state.rows, document_id);
}

/** The tenant's document, when it is there for readers. */
export function livingDocument(
  state: MemoryState,
  tenant_id: string,
  document_id: string,
): DocumentRecord | undefined {
  const row = state.documents.get(document_id);
  return row && !row.removed && row.record.tenant_id === tenant_id ? row.record : undefined;
}
