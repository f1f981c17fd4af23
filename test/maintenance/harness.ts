/** Verification and backup over a rig, and ways to damage what it stores. */
import { readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createFolderBlobStore } from "../../src/adapters/fs/blob-store.ts";
import { openDatabase } from "../../src/adapters/sqlite/schema.ts";
import { openSqliteStorage } from "../../src/adapters/sqlite/storage.ts";
import type { BackupDependencies } from "../../src/maintenance/backup.ts";
import type { RepairDependencies } from "../../src/maintenance/repair.ts";
import { type VerifyFinding, type VerifyOptions, verify } from "../../src/maintenance/verify.ts";
import type { Rig } from "../support/rig.ts";

export const openBlobs = async (data_dir: string) =>
  createFolderBlobStore({ folder: join(data_dir, "blobs") });

/** What maintenance works with, on a data folder, over connections of its own. */
export async function maintain(folder: string, { system, embedder }: Pick<Rig, "system" | "embedder">) {
  const storage = await openSqliteStorage({ folder, system, embedder, search_threads: 1 });
  onTestFinished(storage.close);
  const blobs = await openBlobs(folder);
  const parts: BackupDependencies & RepairDependencies = {
    ...storage,
    system,
    embedder,
    blobs,
    openBlobs,
    max_attempts: 5,
  };
  async function found(options: VerifyOptions = {}, over = parts): Promise<VerifyFinding[]> {
    const findings: VerifyFinding[] = [];
    for await (const finding of verify(over, options)) findings.push(finding);
    return findings;
  }
  return {
    parts,
    storage,
    close: storage.close,
    verify: found,
    /** Codes of what is found; those repaired with a "+" before them. */
    async codes(options: VerifyOptions = {}): Promise<string[]> {
      const findings = await found(options);
      return findings.map(({ code, repaired }) => `${repaired ? "+" : ""}${code}`).sort();
    },
  };
}

export function folderOf(rig: Rig): string {
  if (rig.folder === undefined) throw new Error("this rig has no folder");
  return rig.folder;
}

/** Runs SQL behind everybody's back. */
export function tamper(rig: Rig, sql: string, ...values: (string | number)[]): void {
  const db = openDatabase(join(folderOf(rig), "sluice.db"));
  try {
    const { changes } = db.prepare(sql).run(...values);
    if (changes === 0) throw new Error("nothing was damaged");
  } finally {
    db.close();
  }
}

export async function originalOf(rig: Rig, document_id: string, version = 1) {
  const versions = await rig.documents.listVersions("t1", document_id);
  const found = versions.find((candidate) => candidate.version === version);
  if (!found) throw new Error(`no version ${version}`);
  return { ...found, path: rig.blobs.localPath!(found.blob_key) };
}

/** Where the text lies that was read from the version. */
async function textOf(rig: Rig, document_id: string, version: number): Promise<string> {
  const checkpoints = await rig.documents.listCheckpoints("t1", document_id, version);
  const key = checkpoints.find(({ stage }) => stage === "extracting")?.data.part_0_key as string;
  return rig.blobs.localPath!(key);
}

export async function loseText(rig: Rig, document_id: string, version = 1): Promise<void> {
  await rm(await textOf(rig, document_id, version));
}

export async function changeText(rig: Rig, document_id: string, version = 1): Promise<void> {
  const path = await textOf(rig, document_id, version);
  await writeFile(path, (await readFile(path, "utf8")).replace("quartz", "quarks"));
}

export async function age(path: string, hours: number): Promise<void> {
  const then = new Date(Date.now() - hours * 3_600_000);
  await utimes(path, then, then);
}

/** Runs all jobs that there are to their end. */
export async function drain(rig: Rig): Promise<void> {
  const worker = rig.worker();
  await worker.start();
  await rig.until(async () => {
    const { by_state } = await rig.queue.stats();
    return by_state.queued + by_state.running + by_state.retrying === 0;
  });
  await worker.stop();
}
