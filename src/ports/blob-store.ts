import type { Readable } from "node:stream";

export interface StoredBlob {
  size_bytes: number;
  /** Of the bytes, hexadecimal. */
  sha256: string;
}

export interface BlobInfo {
  key: string;
  size_bytes: number;
  /** Unix milliseconds of the last write. */
  modified_at: number;
}

/** A request that a client makes to the store itself. */
export interface DirectRequest {
  method: "PUT";
  url: string;
  /** To be sent exactly so: they are part of what was signed. */
  headers: Record<string, string>;
}

/** Uploads that go past the API, straight from the client to the store. */
export interface DirectUpload {
  /**
   * A request that puts `size_bytes` bytes under the key.
   * MUST work until `expires_seconds` have passed and not after. MUST take no other number of bytes, and with `sha256`
   * (hexadecimal) no other bytes.
   * @throws SluiceError `payload_too_large` for more bytes than the store takes in one request
   */
  presignPut(
    key: string,
    options: { size_bytes: number; sha256?: string; expires_seconds: number },
  ): Promise<DirectRequest>;
  /** What lies under the key; undefined when nothing does. `sha256` where the store has verified it itself. */
  stat(key: string): Promise<{ size_bytes: number; sha256?: string; modified_at: number } | undefined>;
}

/**
 * Puts whose bytes come in several pieces, over many requests, through any process. Nothing of one can be read as a blob,
 * nor is listed, before `finish`. Who calls sees to it that one writes at a time; should two all the same, with the same
 * bytes at the same places, both MUST be harmless.
 */
export interface ResumablePuts {
  /**
   * How far the put under this key has come: bytes that survive the end of any process, without holes. MUST never become
   * less but by `discard` or `delete`. Undefined when nothing has come, or all of it is gone; of a finished put, the
   * blob's.
   */
  state(key: string): Promise<{ size_bytes: number; modified_at: number } | undefined>;
  /**
   * Takes the bytes from `offset` on, which MUST be the size, else nothing is taken.
   * MUST resolve only when the bytes would survive a power cut. MUST keep what arrived when the source fails or the signal
   * fires, and then reject with that error unchanged. MUST never hold the bytes whole.
   * @returns the size then
   * @throws SluiceError `upload_offset_mismatch`; `storage_unavailable` when bytes cannot be kept
   */
  append(
    key: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    options?: { signal?: AbortSignal },
  ): Promise<number>;
  /** The first bytes of an unfinished put, at most `limit` and at most a few MiB. */
  head(key: string, limit: number): Promise<Buffer>;
  /**
   * Makes a blob of what came; of nothing, an empty one. MUST resolve only when the blob would survive a power cut, with
   * the size and hash of what is stored. MUST give the same answer again, also when a process died in an earlier call.
   * @throws SluiceError `storage_unavailable`
   */
  finish(key: string): Promise<StoredBlob>;
  /** Removes what came of an unfinished put; a blob stays. MUST succeed when there is nothing. */
  discard(key: string): Promise<void>;
}

/**
 * Bytes under keys. A key is one or more segments of [A-Za-z0-9._-] joined by "/", the first one the tenant.
 * Keys are written once: nobody puts under a key that exists.
 */
export interface BlobStore {
  /**
   * Streams the bytes in, never holding them whole.
   * MUST resolve only when the bytes would survive a power cut, and with the size and hash of what was written.
   * MUST leave nothing readable under the key when it rejects, also when the source fails or the signal fires.
   * MUST hand an error of `source` through unchanged.
   * @throws SluiceError `storage_unavailable` when the bytes cannot be kept (disk full, no permission).
   */
  put(
    key: string,
    source: AsyncIterable<Uint8Array>,
    options?: { signal?: AbortSignal },
  ): Promise<StoredBlob>;
  /**
   * The bytes from `start` to `end` (exclusive; default all).
   * @throws SluiceError `blob_missing` when there is no such key, before any byte.
   */
  get(key: string, range?: { start?: number; end?: number }): Promise<Readable>;
  /** MUST succeed when there is nothing to delete. */
  delete(key: string): Promise<void>;
  /** Every blob whose key begins with `prefix`, in any order. */
  list(prefix: string): AsyncIterable<BlobInfo>;
  /** Where the blob lies as a local file, where the store has such a thing: it spares a copy. */
  localPath?(key: string): string;
  /** Bytes that can still be stored, where the store knows. */
  freeBytes?(): Promise<number>;
  /**
   * Frees what puts of processes that died have left where nobody can read it, unless they began within
   * `older_than_ms`: those may still be under way. Only where the store keeps such things apart from blobs.
   * @returns how many were removed
   */
  removeUnfinished?(older_than_ms: number): Promise<number>;
  resumable: ResumablePuts;
  /** Where clients can put their bytes themselves. */
  direct?: DirectUpload;
  /** Proves that a put would work now, by doing a small one. @throws SluiceError as `put` does. */
  check(): Promise<void>;
}
