import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type BackupDependencies, backUp } from "../../src/maintenance/backup.ts";
import type { StorageMaintenance } from "../../src/ports/storage-maintenance.ts";
import { cleanEnv, root } from "../e2e/processes.ts";
import { openRig, paragraphs, tenant_id } from "../support/rig.ts";
import { drain, folderOf, loseText, maintain, originalOf } from "./harness.ts";

/** A rig, what backs it up, and where to. */
async function open() {
  const rig = await openRig();
  const target = `${folderOf(rig)}-backup`;
  onTestFinished(async () => {
    for (const end of ["", ".partial"]) await rm(`${target}${end}`, { recursive: true, force: true });
  });
  const { parts } = await maintain(folderOf(rig), rig);
  return { rig, target, parts };
}

/** The same with a storage that does something when it is asked for its copy. */
function around(parts: BackupDependencies, copyTo: StorageMaintenance["copyTo"]): BackupDependencies {
  return { ...parts, maintenance: { ...parts.maintenance, copyTo } };
}

test("what is backed up under load is in order, and has every document acknowledged before", async () => {
  const { rig, target, parts } = await open();
  const before = new Map<string, string>();
  for (let number = 0; number < 5; number++) {
    const document_id = await rig.searchable(paragraphs(4, `early${number}`));
    before.set(document_id, `early${number}`);
  }
  const pending = await rig.upload(paragraphs(3, "pending"));
  const workers = [rig.worker(), rig.worker()];
  for (const worker of workers) await worker.start();
  let busy = true;
  const load = (async () => {
    for (let round = 0; busy; round++) {
      const { document_id } = await rig.upload(paragraphs(3, `late${round}`));
      for (const id of before.keys()) await rig.commands.reingest(tenant_id, id, "req_1");
      if (round % 2 === 0) await rig.settled(document_id);
      if (round % 3 !== 0) await rig.commands.remove(tenant_id, document_id, "req_2");
    }
  })();
  const copies: string[] = [];
  for (let round = 0; round < 4; round++) {
    const copy = join(target, String(round));
    await mkdir(target, { recursive: true });
    const result = await backUp(parts, copy, { link: round % 2 === 0 });
    expect(result.missing).toEqual([]);
    expect(result.linked > 0).toBe(round % 2 === 0);
    copies.push(copy);
  }
  busy = false;
  await load;
  for (const worker of workers) await worker.stop();

  for (const copy of copies) {
    expect((await readdir(copy)).sort()).toEqual(["backup.json", "blobs", "sluice.db"]);
    const restored = await maintain(copy, rig);
    expect(await restored.verify()).toEqual([]);
    const { documents, index } = restored.storage;
    for (const [document_id, word] of before) {
      expect((await documents.getDocument(tenant_id, document_id))?.searchable_version).not.toBeNull();
      expect(await index.matching({ tenant_id }, word, 10)).toHaveLength(4);
    }
    expect(await documents.getDocument(tenant_id, pending.document_id)).toBeDefined();
  }
});

test("a copy can go on where the original stood", async () => {
  const { rig, target, parts } = await open();
  const { document_id } = await rig.upload(paragraphs(3));
  const settings = { chunking: { max_tokens: 4_000 } };
  const stored = { collection: "default", settings, updated_at: "2026-01-01T00:00:00.000Z" };
  await rig.documents.collections.put(tenant_id, stored);
  await backUp(parts, target);
  const restored = await maintain(target, rig);
  const { documents, queue, index } = restored.storage;
  expect(await documents.collections.read(tenant_id, "default")).toEqual(stored);
  const worker = rig.worker({ documents, queue, index, blobs: restored.parts.blobs });
  await worker.start();
  await expect
    .poll(async () => (await documents.getDocument(tenant_id, document_id))?.status)
    .toBe("completed");
  await worker.stop();
  // Cut as its collection is set.
  expect((await documents.getDocument(tenant_id, document_id))?.chunks_created).toBe(1);
  expect(await restored.verify()).toEqual([]);
  expect((await rig.get(document_id)).status).toBe("pending");
});

test("links share their bytes with the original, copies do not; what was deleted is in neither", async () => {
  const { rig, target, parts } = await open();
  const kept = await originalOf(rig, await rig.searchable("kept"));
  const dropped = await rig.searchable("dropped");
  const removed = await originalOf(rig, dropped);
  await rig.commands.remove(tenant_id, dropped, "req_1");
  const inode = async (folder: string) =>
    (await stat((await parts.openBlobs(folder)).localPath!(kept.blob_key))).ino;
  expect(await backUp(parts, join(target, "links"))).toMatchObject({ blobs: 2, linked: 2 });
  expect(await backUp(parts, join(target, "copies"), { link: false })).toMatchObject({ blobs: 2, linked: 0 });
  expect(await inode(join(target, "links"))).toBe((await stat(kept.path)).ino);
  expect(await inode(join(target, "copies"))).not.toBe((await stat(kept.path)).ino);
  const copied = await parts.openBlobs(join(target, "links"));
  await expect(copied.get(removed.blob_key)).rejects.toMatchObject({ code: "blob_missing" });
});

test("blobs that vanish behind the snapshot make another one, and those deleted meanwhile are left out", async () => {
  const { rig, target, parts } = await open();
  await rig.searchable(paragraphs(2, "stays"));
  const early = await rig.searchable(paragraphs(2, "early"));
  const gone = await originalOf(rig, early);
  let snapshots = 0;
  const changing = around(parts, async (folder) => {
    snapshots += 1;
    if (snapshots > 1) return parts.maintenance.copyTo(folder);
    await rig.commands.remove(tenant_id, early, "req_1");
    await drain(rig);
    const late = await rig.searchable(paragraphs(2, "late"));
    const names = await parts.maintenance.copyTo(folder);
    await rig.commands.remove(tenant_id, late, "req_2");
    await drain(rig);
    return names;
  });
  expect(await backUp(changing, target)).toMatchObject({ missing: [], blobs: 2 });
  expect(snapshots).toBe(2);
  const restored = await maintain(target, rig);
  expect(await restored.verify()).toEqual([]);
  await expect(restored.parts.blobs.get(gone.blob_key)).rejects.toMatchObject({ code: "blob_missing" });
});

test("a file that the original lacks is told, and the rest is copied", async () => {
  const { rig, target, parts } = await open();
  await rig.searchable("whole");
  const document_id = await rig.searchable("torn");
  const { blob_key, path } = await originalOf(rig, document_id);
  await rm(path);
  await loseText(rig, document_id);
  const { missing, blobs } = await backUp(parts, target);
  expect(missing).toContain(blob_key);
  expect(missing).toHaveLength(2);
  expect(blobs).toBe(2);
});

test("a folder that holds something is refused, and left alone", async () => {
  const { rig, target, parts } = await open();
  await rig.upload("x");
  await mkdir(target);
  await writeFile(join(target, "mine"), "mine");
  await expect(backUp(parts, target)).rejects.toThrow(/exists and is not empty/);
  await expect(backUp(parts, join(target, "mine"))).rejects.toThrow(/is not a folder/);
  expect(await readdir(target)).toEqual(["mine"]);
  await rm(join(target, "mine"));
  await mkdir(`${target}.partial`);
  await writeFile(join(`${target}.partial`, "mine"), "mine");
  await expect(backUp(parts, target)).rejects.toThrow(/is not what a backup left/);
  expect(await readdir(`${target}.partial`)).toEqual(["mine"]);
  const label = join(`${target}.partial`, "backup.json");
  // The process that runs the tests, and another host's: who knows.
  for (const other of [
    { pid: process.ppid, host: hostname() },
    { pid: 1, host: "elsewhere" },
  ]) {
    await writeFile(label, JSON.stringify(other));
    await expect(backUp(parts, target)).rejects.toThrow(/Another backup to the same folder/);
  }
  await rm(`${target}.partial`, { recursive: true });
  await backUp(parts, target);
  expect(await readdir(target)).toContain("sluice.db");
});

test("a backup that fails leaves nothing", async () => {
  const { rig, target, parts } = await open();
  await rig.upload("x");
  const failing = around(parts, async () => {
    throw new Error("no space");
  });
  await expect(backUp(failing, target)).rejects.toThrow("no space");
  expect(existsSync(target)).toBe(false);
  expect(existsSync(`${target}.partial`)).toBe(false);
});

test("a backup that is killed leaves no folder that looks finished, and the next one takes its remains away", async () => {
  const { rig, target, parts } = await open();
  for (let number = 0; number < 150; number++) await rig.upload(`document ${number}`);
  const partial = `${target}.partial`;
  const watcher = watch(dirname(target));
  onTestFinished(() => watcher.close());
  const begun = new Promise<void>((resolve) => {
    watcher.on("change", (_, name) => name === basename(partial) && resolve());
  });
  const main = join(root, "src/cli/main.ts");
  const child = spawn(process.execPath, [main, "backup", "--no-link", target], {
    env: cleanEnv({ SLUICE_DATA_DIR: folderOf(rig) }),
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  await begun;
  await expect.poll(() => existsSync(join(partial, "blobs")), { interval: 1 }).toBe(true);
  child.kill("SIGKILL");
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect(existsSync(target)).toBe(false);
  expect(existsSync(partial)).toBe(true);

  expect(await backUp(parts, target)).toMatchObject({ blobs: 150, missing: [] });
  expect(existsSync(partial)).toBe(false);
  expect(JSON.parse(await readFile(join(target, "backup.json"), "utf8"))).toMatchObject({ blobs: 150 });
  expect(await (await maintain(target, rig)).verify()).toEqual([]);
});
