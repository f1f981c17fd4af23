/**
 * Removes blobs that nothing names: of uploads that died before their transaction, of attempts that lost their lease; and
 * resumable uploads that have expired.
 * A blob younger than `MIN_AGE_MS` is left alone: its upload may be about to name it. Whoever slept for longer than that
 * finds it given up (`condemnBlobs`) and begins again.
 */
import type { BlobStore } from "../ports/blob-store.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

/** What is known of resumable uploads (intake/upload-sweep.ts). */
export interface UploadSweep {
  awaits(blob_key: string): Promise<boolean>;
  expire(record_key: string): Promise<boolean>;
}

const MIN_AGE_MS = 6 * 3_600_000;
const BATCH = 500;

export interface SweepDependencies {
  blobs: BlobStore;
  documents: DocumentStore;
  system: System;
  /** Default: there are none. */
  uploads?: UploadSweep;
}

/** @returns how many uploads, blobs and unfinished puts were removed */
export async function sweepBlobs(
  { blobs, documents, system, uploads }: SweepDependencies,
  signal: AbortSignal,
): Promise<number> {
  let removed = (await blobs.removeUnfinished?.(MIN_AGE_MS)) ?? 0;
  let batch: string[] = [];
  async function settle(): Promise<void> {
    const named = await documents.referencedBlobs(batch);
    const unnamed: string[] = [];
    for (const key of batch) if (!named.has(key) && !(await uploads?.awaits(key))) unnamed.push(key);
    for (const key of unnamed.length === 0 ? [] : await documents.condemnBlobs(unnamed)) {
      await blobs.delete(key);
      removed += 1;
    }
    batch = [];
  }
  for await (const { key, modified_at } of blobs.list("")) {
    if (signal.aborted) return removed;
    if (/\/upl_[^/]*$/.test(key)) {
      if (await uploads?.expire(key)) removed += 1;
      continue;
    }
    // A bucket may hold other things beside.
    if (!/\/blob_[^/]*$/.test(key)) continue;
    if (system.now() - modified_at < MIN_AGE_MS) continue;
    batch.push(key);
    if (batch.length === BATCH) await settle();
  }
  if (batch.length > 0) await settle();
  return removed;
}
