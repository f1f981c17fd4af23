/**
 * A consistent copy of everything, made while everybody works: a data folder that can be started.
 *
 * Blobs never change, and are deleted only after the commit that stopped naming them. So most of them are copied
 * first, then the database at one instant, then what it names and the copy lacks, which are few. What vanished in
 * between is named no longer: another snapshot of the database doesn't know of it.
 */
import { link, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { SluiceError } from "../errors.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { BlobNames, StorageMaintenance } from "../ports/storage-maintenance.ts";
import type { System } from "../ports/system.ts";

export interface BackupDependencies {
  system: System;
  blobs: BlobStore;
  maintenance: StorageMaintenance;
  /** The blobs of another data folder. */
  openBlobs(data_dir: string): Promise<BlobStore>;
}

export interface BackupOptions {
  /**
   * Whether blobs may be hard links where the copy is on the same filesystem: that takes no time and no space, but a
   * damaged sector damages both. Default true.
   */
  link?: boolean;
}

export interface BackupResult {
  folder: string;
  /** Of the snapshot's living documents. */
  blobs: number;
  /** Of those, how many share their bytes with the original. */
  linked: number;
  /** Keys that a document names, and that the original lacks as well: `verify` tells of whom. */
  missing: string[];
}

/** The copy can't be made there. Nothing was changed. */
export class BackupRefused extends Error {}

const BATCH = 500;
const TOGETHER = 16;
/** Each round copies only what is new since the one before. */
const MAX_ROUNDS = 20;
/** Tells what a folder is, from its first moment on. */
const LABEL = "backup.json";

/**
 * Copies everything into `folder`, which must not exist or be empty. Until it is whole and durable, it is called
 * `folder.partial`; what a killed backup left there, the next one takes away.
 *
 * @throws BackupRefused; SluiceError storage_unavailable; conflict when the documents changed too fast
 */
export async function backUp(
  dependencies: BackupDependencies,
  folder: string,
  options: BackupOptions = {},
): Promise<BackupResult> {
  const { system, maintenance } = dependencies;
  const target = resolve(folder);
  const partial = `${target}.partial`;
  if (await hasEntries(target)) throw new BackupRefused(`${target} exists and is not empty.`);
  await takeAwayDead(partial);
  await mkdir(partial, { recursive: true });
  const label = { pid: process.pid, host: hostname(), started_at: new Date(system.now()).toISOString() };
  await writeFile(join(partial, LABEL), `${JSON.stringify(label)}\n`);
  try {
    const copier = createCopier(
      dependencies.blobs,
      await dependencies.openBlobs(partial),
      options.link ?? true,
    );
    const now = await maintenance.blobNames();
    try {
      await copier.copyLiving(now);
    } finally {
      await now.close();
    }
    const blobs = await copyConsistently(dependencies, partial, copier);
    const result = { folder: target, ...blobs, linked: copier.linked() };
    const finished_at = new Date(system.now()).toISOString();
    await writeFile(join(partial, LABEL), `${JSON.stringify({ ...label, finished_at, ...blobs })}\n`, {
      flush: true,
    });
    await syncFolders(partial);
    await rename(partial, target);
    await syncFolder(dirname(target));
    return result;
  } catch (error) {
    // What is only half there helps nobody, and may be what filled the disk.
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** The database, and every blob that it names. */
async function copyConsistently(
  { maintenance }: BackupDependencies,
  partial: string,
  copier: ReturnType<typeof createCopier>,
): Promise<{ blobs: number; missing: string[] }> {
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const snapshot = await maintenance.copyTo(partial);
    try {
      const { present, gone } = await copier.copyLiving(snapshot);
      const missing = await stillLiving(maintenance, gone);
      if (missing.length === gone.length) {
        await copier.dropUnnamed(snapshot);
        return { blobs: present, missing };
      }
    } finally {
      await snapshot.close();
    }
  }
  throw new SluiceError("conflict", "Documents changed faster than they could be copied; try again.");
}

/** Of blobs that were not there, those that ought to be: a living document names them even now. */
async function stillLiving(maintenance: StorageMaintenance, keys: string[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const now = await maintenance.blobNames();
  try {
    const named = await now.named(keys);
    return keys.filter((key) => named.get(key) === "living");
  } finally {
    await now.close();
  }
}

function createCopier(from: BlobStore, to: BlobStore, mayLink: boolean) {
  let linking = mayLink && from.localPath !== undefined && to.localPath !== undefined;
  let linked = 0;
  const made = new Set<string>();

  /** @returns false where that can't be done */
  async function tryLink(key: string): Promise<boolean> {
    const [source, copy] = [from.localPath?.(key), to.localPath?.(key)];
    if (!linking || source === undefined || copy === undefined) return false;
    const above = dirname(copy);
    if (!made.has(above)) await mkdir(above, { recursive: true });
    made.add(above);
    try {
      await link(source, copy);
      linked += 1;
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return true;
      // Another filesystem, one without links, or somebody else's files: so it will be for all of them.
      if (code !== "ENOENT" && code !== "EMLINK") linking = false;
      return false;
    }
  }

  /** @returns whether the copy has it now */
  async function copyOne(key: string): Promise<boolean> {
    if ((await tryLink(key)) || (await has(to, key))) return true;
    try {
      await to.put(key, await from.get(key));
      return true;
    } catch (error) {
      if (error instanceof SluiceError && error.code === "blob_missing") return false;
      throw error;
    }
  }

  return {
    linked: () => linked,

    /** Copies what living documents name, where the copy lacks it. `gone`: what there is nowhere. */
    async copyLiving(names: BlobNames): Promise<{ present: number; gone: string[] }> {
      const gone: string[] = [];
      let present = 0;
      for (let after = ""; ; ) {
        const keys = await names.living(after, BATCH);
        for (let start = 0; start < keys.length; start += TOGETHER) {
          const together = keys.slice(start, start + TOGETHER);
          const copied = await Promise.all(together.map(copyOne));
          for (const [place, key] of together.entries()) {
            if (copied[place]) present += 1;
            else gone.push(key);
          }
        }
        const last = keys.at(-1);
        if (last === undefined) return { present, gone };
        after = last;
      }
    },

    /** Removes from the copy what nothing in it names: it was deleted after it had been copied. */
    async dropUnnamed(names: BlobNames): Promise<void> {
      let batch: string[] = [];
      const settle = async () => {
        const named = await names.named(batch);
        for (const key of batch) if (!named.has(key)) await to.delete(key);
        batch = [];
      };
      for await (const { key } of to.list("")) {
        batch.push(key);
        if (batch.length === BATCH) await settle();
      }
      await settle();
    },
  };
}

async function has(blobs: BlobStore, key: string): Promise<boolean> {
  try {
    (await blobs.get(key, { start: 0, end: 0 })).destroy();
    return true;
  } catch (error) {
    if (error instanceof SluiceError && error.code === "blob_missing") return false;
    throw error;
  }
}

async function hasEntries(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length > 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return false;
    if (code === "ENOTDIR") throw new BackupRefused(`${folder} is not a folder.`);
    throw error;
  }
}

/** Takes away what a killed backup left, and nothing else. */
async function takeAwayDead(partial: string): Promise<void> {
  if (!(await hasEntries(partial))) return;
  const advice =
    "Another backup to the same folder runs, or was killed on another machine: if none runs, remove it.";
  let label: { pid?: number; host?: string };
  try {
    label = JSON.parse(await readFile(join(partial, LABEL), "utf8"));
  } catch (error) {
    throw new BackupRefused(`${partial} is in the way, and is not what a backup left: move it.`, {
      cause: error,
    });
  }
  if (label.host !== hostname() || label.pid === undefined || isAlive(label.pid)) {
    throw new BackupRefused(`${partial} is in the way. ${advice}`);
  }
  await rm(partial, { recursive: true, force: true });
}

/** Whether another process has this id; in containers, the next run may have the one of the run before. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Makes the names in a folder, and in every folder below, survive a power cut. */
async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder as a file; there, NTFS journals names by itself.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
