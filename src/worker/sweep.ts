/**
 * Removes blobs that nothing names: of uploads that died before their transaction, of attempts that lost their lease.
 * A blob younger than `MIN_AGE_MS` is left alone: its upload may be about to name it. Whoever slept for longer than that
 * finds it given up (`condemnBlobs`) and begins again.
 */
import type { BlobStore } from "../ports/blob-store.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

const MIN_AGE_MS = 6 * 3_600_000;
const BATCH = 500;

/** @returns how many blobs and unfinished puts were removed */
export async function sweepBlobs(
  { blobs, documents, system }: { blobs: BlobStore; documents: DocumentStore; system: System },
  signal: AbortSignal,
): Promise<number> {
  let removed = (await blobs.removeUnfinished?.(MIN_AGE_MS)) ?? 0;
  let batch: string[] = [];
  async function settle(): Promise<void> {
    for (const key of await documents.condemnBlobs(batch)) {
      await blobs.delete(key);
      removed += 1;
    }
    batch = [];
  }
  for await (const { key, modified_at } of blobs.list("")) {
    if (signal.aborted) return removed;
    // A bucket may hold other things beside.
    if (!/\/blob_[^/]*$/.test(key)) continue;
    if (system.now() - modified_at < MIN_AGE_MS) continue;
    batch.push(key);
    if (batch.length === BATCH) await settle();
  }
  if (batch.length > 0) await settle();
  return removed;
}
