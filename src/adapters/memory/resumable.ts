/** Resumable puts in memory. */
import { createHash } from "node:crypto";
import { SluiceError } from "../../errors.ts";
import type { ResumablePuts } from "../../ports/blob-store.ts";
import { forEachChunk } from "../for-each-chunk.ts";

/** @param blobs where a finished put goes */
export function createMemoryResumablePuts(
  blobs: Map<string, { bytes: Buffer; modified_at: number }>,
  requireKey: (key: string) => void,
): ResumablePuts {
  const unfinished = new Map<string, { parts: Buffer[]; size_bytes: number; modified_at: number }>();

  return {
    async state(key) {
      requireKey(key);
      const blob = blobs.get(key);
      if (blob) return { size_bytes: blob.bytes.length, modified_at: blob.modified_at };
      const found = unfinished.get(key);
      return found && { size_bytes: found.size_bytes, modified_at: found.modified_at };
    },

    async append(key, offset, source, options) {
      requireKey(key);
      const put = unfinished.get(key) ?? { parts: [], size_bytes: 0, modified_at: Date.now() };
      const size = blobs.get(key)?.bytes.length ?? put.size_bytes;
      if (offset !== size) throw offsetMismatch(key, size, offset);
      unfinished.set(key, put);
      let position = offset;
      await forEachChunk(source, options?.signal, (chunk) => {
        // Bytes of a second writer are the same ones.
        const news = chunk.subarray(Math.max(0, put.size_bytes - position));
        position += chunk.length;
        if (news.length === 0) return undefined;
        put.parts.push(Buffer.from(news));
        put.size_bytes += news.length;
        put.modified_at = Date.now();
        return undefined;
      });
      return position;
    },

    async head(key, limit) {
      requireKey(key);
      return Buffer.concat(unfinished.get(key)?.parts ?? []).subarray(0, limit);
    },

    async finish(key) {
      requireKey(key);
      const put = unfinished.get(key);
      const blob = blobs.get(key) ?? { bytes: Buffer.concat(put?.parts ?? []), modified_at: Date.now() };
      blobs.set(key, blob);
      unfinished.delete(key);
      const { bytes } = blob;
      return { size_bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    },

    async discard(key) {
      requireKey(key);
      unfinished.delete(key);
    },
  };
}

function offsetMismatch(key: string, size: number, offset: number): SluiceError {
  return new SluiceError("upload_offset_mismatch", `${key} has ${size} bytes, and ${offset} came next.`);
}
