/** A BlobStore in memory. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { SluiceError } from "../../errors.ts";
import type { BlobStore } from "../../ports/blob-store.ts";
import { createMemoryResumablePuts } from "./resumable.ts";

/** Everything is lost when the process ends. For tests, and for small things inside one process. */
export function createMemoryBlobStore(): BlobStore {
  const blobs = new Map<string, { bytes: Buffer; modified_at: number }>();

  return {
    put: async (key, source, options) => {
      requireKey(key);
      if (blobs.has(key)) throw new Error(`a blob is written once, and ${key} exists`);
      const parts: Buffer[] = [];
      for await (const chunk of untilAborted(source, options?.signal)) parts.push(Buffer.from(chunk));
      const bytes = Buffer.concat(parts);
      blobs.set(key, { bytes, modified_at: Date.now() });
      return { size_bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    },

    get: async (key, range) => {
      requireKey(key);
      const blob = blobs.get(key);
      if (!blob) throw new SluiceError("blob_missing", `there is no blob ${key}`);
      const part = Buffer.from(blob.bytes.subarray(range?.start ?? 0, range?.end));
      return Readable.from(part.length > 0 ? [part] : [], { objectMode: false });
    },

    delete: async (key) => {
      requireKey(key);
      blobs.delete(key);
    },

    list: async function* (prefix) {
      for (const [key, { bytes, modified_at }] of [...blobs]) {
        if (key.startsWith(prefix)) yield { key, size_bytes: bytes.length, modified_at };
      }
    },

    resumable: createMemoryResumablePuts(blobs, requireKey),

    check: async () => {},
  };
}

/** @throws Error when a key is not of the form that the port gives */
function requireKey(key: string): void {
  const fits = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(key) && !/(^|\/)\.\.?(\/|$)/.test(key);
  if (!fits) throw new Error(`${JSON.stringify(key)} is no blob key`);
}

/** The source's chunks; ends with the signal's reason as soon as it fires, also while the source gives nothing. */
async function* untilAborted(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const chunks = source[Symbol.asyncIterator]();
  let fail: (reason: unknown) => void = () => {};
  const stop = () => fail(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        fail = reject;
        chunks.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    // Not awaited: a source that waits for something that never comes would never answer. What it says when it is
    // let go of concerns nobody any more.
    chunks.return?.()?.catch(() => {});
  }
}
