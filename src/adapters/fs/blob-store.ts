/**
 * A BlobStore in a folder: one file for each blob, under its key. A key names nothing until a commit does, and is
 * written once, so a file is written where it stays; what a killed process leaves half written, no commit names.
 */
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, stat, statfs, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { SluiceError } from "../../errors.ts";
import type { BlobInfo, BlobStore, StoredBlob } from "../../ports/blob-store.ts";
import { forEachChunk } from "../for-each-chunk.ts";
import { createDirectories } from "./directories.ts";
import { codeOf, isAbsence, storageUnavailable } from "./errors.ts";
import { createFileWriters, WRITE_BYTES } from "./file-writer.ts";
import { createFolderResumablePuts, isUnfinished } from "./resumable.ts";

export interface FolderBlobStoreOptions {
  /** Made when it is not there. Everything in it belongs to the store. */
  folder: string;
}

export function createFolderBlobStore(options: FolderBlobStoreOptions): BlobStore {
  const folder = resolve(options.folder);
  const directories = createDirectories(folder);

  /** Runs an operation on the disk: whatever goes wrong in it, the bytes can't be kept. */
  const disk = async <T>(operation: () => Promise<T>): Promise<T> => {
    try {
      return await operation();
    } catch (cause) {
      throw storageUnavailable(folder, cause);
    }
  };

  const openNew = async (path: string): Promise<FileHandle> => {
    await disk(() => directories.ensure(dirname(path)));
    try {
      return await open(path, "wx");
    } catch (cause) {
      if (codeOf(cause) === "EEXIST") throw new Error(`a blob is written once, and ${path} exists`);
      // A directory known to be there was taken away: the next put makes it again.
      if (codeOf(cause) === "ENOENT") directories.forget();
      throw storageUnavailable(folder, cause);
    }
  };

  const openWriter = createFileWriters(disk);

  /** Copies the source to the file, hashing on the way. */
  const copy = async (
    file: FileHandle,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<StoredBlob> => {
    const hash = createHash("sha256");
    const writer = openWriter(file, { position: 0, onPiece: (bytes) => void hash.update(bytes) });
    try {
      await forEachChunk(chunks, signal, writer.take);
      const size_bytes = await writer.end();
      return { size_bytes, sha256: hash.digest("hex") };
    } finally {
      await writer.release();
    }
  };

  const put = async (
    path: string,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<StoredBlob> => {
    signal?.throwIfAborted();
    const file = await openNew(path);
    try {
      let stored: StoredBlob;
      try {
        stored = await copy(file, source, signal);
        await disk(() => file.sync());
      } finally {
        await disk(() => file.close());
      }
      await disk(() => directories.sync(dirname(path)));
      return stored;
    } catch (error) {
      // The first error says more than that the remains could not be removed; no commit will ever name them.
      await unlink(path).catch(() => {});
      throw error;
    }
  };

  const remove = async (path: string): Promise<void> => {
    try {
      await unlink(path);
    } catch (cause) {
      if (!isAbsence(cause)) throw storageUnavailable(folder, cause);
    }
  };

  return {
    put: async (key, source, putOptions) => put(pathOf(folder, key), source, putOptions?.signal),

    get: async (key, range) => {
      const path = pathOf(folder, key);
      const { start = 0, end = Number.POSITIVE_INFINITY } = range ?? {};
      let file: FileHandle;
      try {
        file = await open(path, "r");
      } catch (cause) {
        if (isAbsence(cause)) throw new SluiceError("blob_missing", `there is no blob ${key} in ${folder}`);
        throw storageUnavailable(folder, cause);
      }
      if (end <= start) {
        await file.close();
        return Readable.from([], { objectMode: false });
      }
      return file.createReadStream({ start, end: end - 1, highWaterMark: WRITE_BYTES });
    },

    delete: async (key) => remove(pathOf(folder, key)),

    list: (prefix) => walk(folder, folder, "", prefix),

    localPath: (key) => pathOf(folder, key),

    resumable: createFolderResumablePuts({
      directories,
      pathOf: (key) => pathOf(folder, key),
      disk,
      openWriter,
      put: (path, source) => put(path, source, undefined),
    }),

    freeBytes: async () => {
      await disk(() => directories.ensure(folder));
      const { bavail, bsize } = await disk(() => statfs(folder));
      return bavail * bsize;
    },

    check: async () => {
      const path = pathOf(folder, `.check/${randomUUID()}-00`);
      await put(path, Readable.from([Buffer.from("check")]), undefined);
      await remove(path);
    },
  };
}

/**
 * `tenant/+ab/blob_…ab`: the segments of the key, with one of 256 directories before the last, so that none grows
 * too large. No segment of a key begins with "+", so no key lies in another's way.
 *
 * @throws Error when the key is not of the form that the port gives
 */
function pathOf(folder: string, key: string): string {
  const segments = key.split("/");
  for (const segment of segments) {
    if (!/^[A-Za-z0-9._-]+$/.test(segment) || segment === "." || segment === "..") {
      throw new Error(`${JSON.stringify(key)} is no blob key`);
    }
  }
  const name = segments.pop() ?? "";
  return join(folder, ...segments, `+${shardOf(name)}`, name);
}

/** The last two characters of a name that ends in hexadecimal, as ids do; of any other, of its FNV-1a hash. */
function shardOf(name: string): string {
  const own = /[0-9a-f]{2}$/.exec(name)?.[0];
  if (own !== undefined) return own;
  let hash = 0x811c9dc5;
  for (let place = 0; place < name.length; place += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(place), 0x01000193);
  }
  return (hash & 0xff).toString(16).padStart(2, "0");
}

/** Every blob below a directory, going only where keys can begin with the prefix. */
async function* walk(
  folder: string,
  directory: string,
  base: string,
  prefix: string,
): AsyncGenerator<BlobInfo> {
  const entries = await unlessGone(folder, () => readdir(directory, { withFileTypes: true }));
  for (const entry of entries ?? []) {
    if (!entry.isDirectory()) continue;
    const inner = join(directory, entry.name);
    if (!entry.name.startsWith("+")) {
      const below = `${base}${entry.name}/`;
      if (below.startsWith(prefix) || prefix.startsWith(below)) yield* walk(folder, inner, below, prefix);
      continue;
    }
    for (const name of (await unlessGone(folder, () => readdir(inner))) ?? []) {
      const key = `${base}${name}`;
      if (!key.startsWith(prefix) || isUnfinished(name)) continue;
      const info = await unlessGone(folder, () => stat(join(inner, name)));
      if (info?.isFile()) yield { key, size_bytes: info.size, modified_at: info.mtimeMs };
    }
  }
}

/** Undefined for what was deleted meanwhile. */
async function unlessGone<T>(folder: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (cause) {
    if (isAbsence(cause)) return undefined;
    throw storageUnavailable(folder, cause);
  }
}
