/**
 * Resumable puts in a folder: a file beside the place of the blob, under a name that no key has. It grows by appending,
 * and becomes the blob by being renamed, so finishing costs one reading for the hash and no second writing.
 *
 * The size of the file is the state, and nothing else: the file system makes it larger only when the bytes are there.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { SluiceError } from "../../errors.ts";
import type { ResumablePuts, StoredBlob } from "../../ports/blob-store.ts";
import { forEachChunk } from "../for-each-chunk.ts";
import type { Directories } from "./directories.ts";
import { codeOf, isAbsence } from "./errors.ts";
import type { FileWriter, FileWriterOptions } from "./file-writer.ts";

/** No key has this character, so nothing unfinished is taken for a blob. */
const MARK = "~";
/** Synced so often on the way, so that little is left to be synced before the answer. */
const SYNC_BYTES = 32 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/** Whether a file in the folder is something unfinished. */
export function isUnfinished(name: string): boolean {
  return name.endsWith(MARK);
}

interface Parts {
  directories: Directories;
  pathOf(key: string): string;
  disk<T>(operation: () => Promise<T>): Promise<T>;
  openWriter(file: FileHandle, options: FileWriterOptions): FileWriter;
  put(path: string, source: AsyncIterable<Uint8Array>): Promise<StoredBlob>;
}

export function createFolderResumablePuts(parts: Parts): ResumablePuts {
  const { directories, pathOf, disk, openWriter } = parts;
  const look = (path: string) => disk(() => stat(path).catch(undefinedIfAbsent));
  const openToRead = (path: string) => disk(() => open(path, "r").catch(undefinedIfAbsent));

  async function state(key: string) {
    const path = pathOf(key);
    // In this order: renamed in between, it is found all the same.
    const found = (await look(path + MARK)) ?? (await look(path));
    return found && { size_bytes: found.size, modified_at: found.mtimeMs };
  }

  async function openToAppend(path: string): Promise<FileHandle> {
    await disk(() => directories.ensure(dirname(path)));
    try {
      // Not "a": where bytes go is said with each write, so a second writer puts the same ones in the same place.
      return await disk(() => open(path, constants.O_WRONLY | constants.O_CREAT));
    } catch (error) {
      // A directory known to be there was taken away: the next put makes it again.
      if (codeOf((error as Error).cause) === "ENOENT") directories.forget();
      throw error;
    }
  }

  async function append(
    key: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const before = await state(key);
    const size = before?.size_bytes ?? 0;
    if (offset !== size || (before && (await look(pathOf(key) + MARK)) === undefined)) {
      throw new SluiceError(
        "upload_offset_mismatch",
        `The upload has ${size} bytes, and byte ${offset} came next.`,
      );
    }
    const path = pathOf(key) + MARK;
    const file = await openToAppend(path);
    try {
      const writer = openWriter(file, { position: offset });
      let unsynced = 0;
      let syncing: Promise<void> = Promise.resolve();
      const sync = () => {
        unsynced = 0;
        const earlier = syncing;
        syncing = earlier.then(() => disk(() => file.datasync()));
        syncing.catch(() => {});
        return earlier;
      };
      try {
        try {
          await forEachChunk(source, signal, (chunk) => {
            unsynced += chunk.length;
            const taken = writer.take(chunk);
            if (unsynced < SYNC_BYTES) return taken;
            return (async () => {
              await taken;
              await sync();
            })();
          });
        } finally {
          // What arrived stays, whatever ended it. Should this fail too, the disk's error is the one to know.
          const end = await writer.end();
          await syncing;
          await disk(() => file.sync());
          if (before === undefined) await disk(() => directories.sync(dirname(path)));
          offset = end;
        }
      } finally {
        await writer.release();
        await syncing.catch(() => {});
      }
    } finally {
      await disk(() => file.close());
    }
    return offset;
  }

  /** Of what lies on the disk: other processes wrote parts of it, and this one may have died in between. */
  async function hash(file: FileHandle): Promise<StoredBlob> {
    const sum = createHash("sha256");
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let size_bytes = 0;
    for (;;) {
      const { bytesRead } = await disk(() => file.read(buffer, 0, READ_BYTES, size_bytes));
      if (bytesRead === 0) return { size_bytes, sha256: sum.digest("hex") };
      sum.update(buffer.subarray(0, bytesRead));
      size_bytes += bytesRead;
    }
  }

  async function finish(key: string): Promise<StoredBlob> {
    const path = pathOf(key);
    const unfinished = await openToRead(path + MARK);
    const file = unfinished ?? (await openToRead(path));
    // Nothing was ever appended.
    if (!file) return parts.put(path, Readable.from([]));
    try {
      const stored = await hash(file);
      if (unfinished) {
        await disk(() => file.sync());
        // Whoever finishes it at the same time may have renamed it.
        await disk(() => rename(path + MARK, path).catch(undefinedIfAbsent));
      }
      // Again, for one who died between the two.
      await disk(() => directories.sync(dirname(path)));
      return stored;
    } finally {
      await disk(() => file.close());
    }
  }

  return {
    state,
    append: (key, offset, source, options) => append(key, offset, source, options?.signal),

    async head(key, limit) {
      const file = await openToRead(pathOf(key) + MARK);
      if (!file) return Buffer.alloc(0);
      try {
        const buffer = Buffer.alloc(limit);
        const { bytesRead } = await disk(() => file.read(buffer, 0, limit, 0));
        return buffer.subarray(0, bytesRead);
      } finally {
        await disk(() => file.close());
      }
    },

    finish,

    discard: (key) => disk(() => unlink(pathOf(key) + MARK).catch(undefinedIfAbsent)),
  };
}

function undefinedIfAbsent(cause: unknown): undefined {
  if (!isAbsence(cause)) throw cause;
}
