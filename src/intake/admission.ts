/**
 * Backpressure before acceptance (G12): what can't be taken is refused before its body is read, with the time after
 * which it makes sense to come again. Nothing is accepted and then dropped.
 */
import { SluiceError } from "../errors.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";

export interface AdmissionLimits {
  /** Documents of one tenant that may wait for a worker. */
  max_queued_per_tenant: number;
  /** The same for all tenants together. */
  max_queued: number;
  /** Uploads that one process receives at a time. */
  max_concurrent_uploads: number;
  /** Bytes that must be left on the disk, for the database and for documents being made. */
  min_free_bytes: number;
}

/** Figures as old as this decide: a burst goes beyond a limit by what comes within it. */
const FRESH_MS = 200;
const RETRY_AFTER_MS = { queue: 5_000, uploads: 1_000, disk: 10_000 };

export function createAdmission(
  { system, queue, blobs }: { system: System; queue: JobQueue; blobs: BlobStore },
  limits: AdmissionLimits,
) {
  let uploads = 0;
  const depthOf = fresh(system, (tenant_id: string) => queue.depth(tenant_id));
  const freeBytes = fresh(system, async (_disk: string) => (await blobs.freeBytes?.()) ?? Infinity);

  /**
   * Lets an upload in, or refuses it.
   *
   * @param size_bytes of the body, where it is known
   * @returns to be called when the upload has ended, whichever way
   * @throws SluiceError overloaded, queue_full, storage_full
   */
  return async function admit(tenant_id: string, size_bytes = 0): Promise<() => void> {
    if (uploads >= limits.max_concurrent_uploads) {
      throw new SluiceError("overloaded", `${uploads} uploads are being received, as many as may be.`, {
        retry_after_ms: RETRY_AFTER_MS.uploads,
      });
    }
    // Counted before anything is waited for: those who come meanwhile see it.
    uploads += 1;
    try {
      const [depth, free] = await Promise.all([depthOf(tenant_id), freeBytes("")]);
      if (depth.tenant >= limits.max_queued_per_tenant) {
        throw new SluiceError(
          "queue_full",
          `${depth.tenant} documents of yours wait to be ingested; the limit is ${limits.max_queued_per_tenant}.`,
          { retry_after_ms: RETRY_AFTER_MS.queue },
        );
      }
      if (depth.total >= limits.max_queued) {
        throw new SluiceError("overloaded", `${depth.total} documents wait to be ingested.`, {
          retry_after_ms: RETRY_AFTER_MS.queue,
        });
      }
      if (free - size_bytes < limits.min_free_bytes) {
        throw new SluiceError(
          "storage_full",
          `${megabytes(free)} MB are free on the disk; ${megabytes(limits.min_free_bytes)} MB must stay free.`,
          { retry_after_ms: RETRY_AFTER_MS.disk },
        );
      }
    } catch (error) {
      uploads -= 1;
      throw error;
    }
    return () => {
      uploads -= 1;
    };
  };
}

/** Asks at most every `FRESH_MS` for each key; those who come meanwhile share the answer. */
function fresh<T>(system: System, ask: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const answers = new Map<string, { at: number; answer: Promise<T> }>();
  return (key) => {
    const now = system.monotonic();
    const known = answers.get(key);
    if (known && now - known.at < FRESH_MS) return known.answer;
    for (const [other, { at }] of answers) if (now - at >= FRESH_MS) answers.delete(other);
    const answer = ask(key);
    answers.set(key, { at: now, answer });
    return answer;
  };
}

function megabytes(bytes: number): number {
  return Math.floor(bytes / 1_000_000);
}
