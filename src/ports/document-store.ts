import type { Chunk } from "../chunk.ts";
import type { DocumentRecord, DocumentStatus, DocumentVersion } from "../document.ts";
import type { DocumentCounts, DocumentPlace, DocumentSort, SortOrder } from "../document-list.ts";
import type { ErrorInfo } from "../errors.ts";
import type { NewEvent, SluiceEvent, Stage } from "../events.ts";
import type { SearchFilter } from "../filter.ts";
import type { Lease, NewJob } from "../job.ts";
import type { CollectionStore } from "./collection-store.ts";
import type { EmbedderRegister, EmbeddersInForce } from "./embedder-register.ts";

/**
 * The end of a stage: enough to hand its outcome to the next one after a crash. With `partial: true` among its data, how
 * far the stage has come. Entries whose names end in `_key` are blobs.
 */
export interface Checkpoint {
  stage: Stage;
  data: Record<string, unknown>;
}

/** The blobs that checkpoints name. */
export function blobsOf(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints
    .flatMap(({ data }) => Object.entries(data))
    .filter(([name]) => name.endsWith("_key"))
    .map(([, key]) => String(key));
}

/** An answer given under an Idempotency-Key, kept so that it can be given again. */
export interface IdempotentAnswer {
  key: string;
  /** Hash of everything that makes the request what it is. */
  fingerprint: string;
  status: number;
  body: unknown;
  /** ISO 8601. */
  created_at: string;
}

/** How the job that a commit works for goes on. */
export type Settlement =
  | { state: "succeeded" }
  | { state: "retrying"; error: ErrorInfo | null; run_at: number /** Default true. */; counts?: boolean }
  | { state: "dead"; error: ErrorInfo };

/**
 * One transaction, as a value: everything in it becomes true together, or nothing does. The conditions in it
 * (`lease`, `expect_revision`, uniqueness) are checked inside the transaction.
 */
export interface Commit {
  tenant_id: string;
  /** Held by the writer: the commit is refused when the job is no longer running under this lease. */
  lease?: Lease;
  /** The document as it is to be. `expect_revision` is what the writer read; null for a new one. */
  document?: { record: DocumentRecord; expect_revision: number | null };
  /** The document ceases to exist for readers and searches; its versions stay until they are erased. */
  remove_document?: { document_id: string; expect_revision: number };
  version?: DocumentVersion;
  events?: NewEvent[];
  enqueue?: NewJob[];
  /** With `lease`: ends or reschedules that job. */
  settle?: Settlement;
  /** Takes the job out of the queue, and the lease from whoever runs it. Refused when it has ended. */
  cancel_job?: string;
  /** Puts a dead or cancelled job back into the queue, attempts from zero. Refused in any other state. */
  redrive_job?: string;
  /** With `document`: stored for its current version. Replaces an earlier one of the same stage. */
  checkpoint?: Checkpoint;
  /** Rows of a version in the making; a chunk that exists is replaced. */
  chunks?: Chunk[];
  /**
   * Drops what a version in the making has of chunks from this ordinal on, with their vectors: left by an attempt that
   * cut its text otherwise. No index entry names them yet.
   */
  discard_chunks?: { document_id: string; version: number; from: number };
  /** Vectors for chunks written before, by ordinal, in place of those that they had. Chunks that are gone are left out. */
  embeddings?: { document_id: string; version: number; embedder_id: string; vectors: EmbeddedOrdinal[] };
  /** Refused when other embedders are in force: what is written was decided on these. */
  embedders?: EmbeddersInForce;
  /**
   * The index has a vector of this embedder for every chunk of the version. Without effect unless it is the searchable
   * one when the commit is done. Where no embedder serves yet, this one does from now on.
   */
  indexed?: { document_id: string; version: number; embedder_id: string };
  /** Drops chunks, vectors and checkpoints of these versions. The version itself (its original) stays. */
  discard?: { document_id: string; versions: number[] };
  /** Drops every trace of the document but its events; it was removed before. */
  erase_document?: string;
  answer?: IdempotentAnswer;
}

export interface EmbeddedOrdinal {
  ordinal: number;
  vector: Float32Array;
}

/** Why a commit was refused. Nothing of it was written. */
export type ConflictReason =
  | "lease_lost"
  | "revision"
  | "duplicate_content"
  | "unique_key"
  | "idempotency_key"
  | "job_state"
  | "embedders"
  | "blob_condemned";

export class ConflictError extends Error {
  readonly reason: ConflictReason;
  constructor(reason: ConflictReason) {
    super(`the commit was refused: ${reason}`);
    this.name = "ConflictError";
    this.reason = reason;
  }
}

export interface EventQuery {
  /** Only events with a greater sequence. */
  after: number;
  limit: number;
  tenant_id?: string;
  document_id?: string;
  correlation_id?: string;
  collection?: string;
}

/** Which documents: all that are given must hold. */
export interface DocumentSelection {
  tenant_id: string;
  collection?: string;
  /** Any of them. */
  statuses?: readonly DocumentStatus[];
  media_type?: string;
  /** A part of the file name or the title, in any case; of every script, and each character as it is. */
  text?: string;
  /** Only documents that came inside this one. */
  parent_document_id?: string;
  /** Only documents that satisfy it, as `matchesFilter` says. */
  filter?: SearchFilter;
}

export interface DocumentQuery extends DocumentSelection {
  /** Default created_at. */
  sort?: DocumentSort;
  /** Default desc; of filename asc. */
  order?: SortOrder;
  /** Documents that come after this place in the list's order. It need not be one's that is there. */
  before?: DocumentPlace;
  limit: number;
}

/** A chunk with its vector and the embedder that made it; null while it has none. */
export interface StoredChunk extends Chunk {
  vector: Float32Array | null;
  embedder_id: string | null;
}

/** A chunk and the document that it belongs to, read at one instant. */
export interface LocatedChunk {
  chunk: Chunk;
  document: DocumentRecord;
}

/** Documents, versions, checkpoints, chunks and the event log, behind one kind of transaction. */
export interface DocumentStore {
  readonly embedders: EmbedderRegister;
  readonly collections: CollectionStore;
  /**
   * Applies all commits in one transaction, in order.
   * MUST resolve only when the transaction would survive a power cut.
   * MUST write all or nothing; MUST refuse with ConflictError when any condition fails:
   *   - `lease`: the job is not running under that token → lease_lost
   *   - `expect_revision` differs, or the document is gone → revision
   *   - another document of the tenant and collection has the same sha256 → duplicate_content
   *   - an unended job has the same unique_key → unique_key
   *   - the answer's key is taken → idempotency_key
   *   - cancel_job or redrive_job meets a job in another state → job_state
   *   - `embedders` are not those in force → embedders
   *   - the version, or the checkpoint in an entry whose name ends in `_key`, names a blob that was condemned
   *     → blob_condemned
   * MUST number events so that whoever reads the log in order of `sequence` never meets a later commit with a
   * smaller number.
   * @returns the sequence of the last event written; 0 when none was.
   * @throws SluiceError `storage_unavailable` when it cannot write (disk full, locked for too long).
   */
  commit(commits: Commit[]): Promise<number>;

  getDocument(tenant_id: string, document_id: string): Promise<DocumentRecord | undefined>;
  /** The living document with these bytes, if any. */
  findByContent(tenant_id: string, collection: string, sha256: string): Promise<DocumentRecord | undefined>;
  /** MUST give the order of `comparePlaces`, whatever the database's locale. */
  listDocuments(query: DocumentQuery): Promise<DocumentRecord[]>;
  /** MUST be as of one instant. */
  summarizeDocuments(selection: DocumentSelection): Promise<DocumentCounts>;
  /** Also after the document was removed, until it is erased. Ascending. */
  listVersions(tenant_id: string, document_id: string): Promise<DocumentVersion[]>;
  /** Of one version, in the order of the stages. */
  listCheckpoints(tenant_id: string, document_id: string, version: number): Promise<Checkpoint[]>;
  /** Chunks with `ordinal` of at least `from`, ascending. */
  listChunks(
    tenant_id: string,
    document_id: string,
    version: number,
    from: number,
    limit: number,
  ): Promise<StoredChunk[]>;
  /** Ordinals that have no vector of this embedder yet: the first of them, or null when all have. */
  firstUnembedded(
    tenant_id: string,
    document_id: string,
    version: number,
    embedder_id: string,
  ): Promise<number | null>;
  /** The chunks that still exist, with their documents, MUST all be read from one snapshot. */
  locateChunks(tenant_id: string, chunk_ids: string[]): Promise<LocatedChunk[]>;
  findAnswer(tenant_id: string, key: string): Promise<IdempotentAnswer | undefined>;

  /**
   * Ascending by sequence. MUST return every committed event that fits the query and the limit, but MAY leave out
   * those that follow one still being written: whoever goes on from the last that it got misses none.
   */
  readEvents(query: EventQuery): Promise<SluiceEvent[]>;
  /** Sequence of the newest event that `readEvents` gives; 0 when there is none. */
  lastSequence(): Promise<number>;
  /**
   * Calls `listener` after events were committed, by this process or another.
   * MUST do so within 100 ms; MAY call too often; MUST NOT carry information: readers look for themselves.
   * @returns a function that ends it
   */
  watchEvents(listener: () => void): () => void;

  /** How far a named reader outside has come; 0 when it never was here. */
  getCursor(name: string): Promise<number>;
  saveCursor(name: string, sequence: number): Promise<void>;
  /**
   * Asks everybody to leave something outside alone until then, in Unix milliseconds. MUST be seen by every process;
   * an earlier time takes nothing back.
   */
  hold(name: string, until: number): Promise<void>;
  /** Until when a thing is to be left alone; 0 when it never was. */
  heldUntil(name: string): Promise<number>;
  /**
   * Gives a task that only one process may do at a time to `holder`, for `ms`; asking again renews it, and `ms` 0 gives
   * it up. MUST name one holder at a time, over all processes.
   * @returns whether the holder has it
   */
  lead(task: string, holder: string, ms: number): Promise<boolean>;
  /** Keys of every blob that a version or a checkpoint of a living or not yet erased document names. */
  referencedBlobs(keys: string[]): Promise<Set<string>>;
  /**
   * Condemns those of these blobs that nothing names: from now on, and for good, a commit that names one is refused. So
   * whoever stored it, slept, and wakes after it was removed can't acknowledge a document without its bytes.
   * MUST hold against commits under way in other processes: each either counts here or is refused.
   * @returns those that nothing names, nor ever will: they may be removed
   */
  condemnBlobs(keys: string[]): Promise<string[]>;
  close(): Promise<void>;
}
