import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeBlobStore } from "../../../contracts/index.ts";
import { createFolderBlobStore } from "../../../src/adapters/fs/blob-store.ts";

async function temporary(): Promise<string> {
  return mkdtemp(join(tmpdir(), "sluice-blobs-"));
}

async function* bytes(...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield Buffer.alloc(size, 7);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describeBlobStore("folder", async () => {
  const root = await temporary();
  const folder = join(root, "made", "when", "needed");
  return {
    store: createFolderBlobStore({ folder }),
    reopen: async () => createFolderBlobStore({ folder }),
    close: () => rm(root, { recursive: true, force: true }),
  };
});

describe("the folder blob store", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await temporary();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("puts a blob where an operator finds it: tenant, two characters of the id, id", async () => {
    const store = createFolderBlobStore({ folder });
    await store.put("t1/blob_0123ab", bytes(3));
    expect(await filesIn(folder)).toEqual([join(folder, "t1", "+ab", "blob_0123ab")]);
    expect(store.localPath?.("t1/blob_0123ab")).toBe(join(folder, "t1", "+ab", "blob_0123ab"));
  });

  test("spreads names that do not end in hexadecimal over directories too", async () => {
    const store = createFolderBlobStore({ folder });
    for (let count = 0; count < 40; count += 1) await store.put(`t1/${count}.txt`, bytes(1));
    const shards = await readdir(join(folder, "t1"));
    expect(shards.length).toBeGreaterThan(20);
    for (const shard of shards) expect(shard).toMatch(/^\+[0-9a-f]{2}$/);
  });

  test("leaves no file behind when the source fails, the signal fires or the check is done", async () => {
    const store = createFolderBlobStore({ folder });
    const failing = async function* () {
      yield* bytes(300_000, 300_000);
      throw new Error("gone");
    };
    await expect(store.put("t1/a", failing())).rejects.toThrow("gone");
    const abort = new AbortController();
    const aborting = async function* () {
      yield* bytes(300_000);
      abort.abort(new Error("late"));
      yield* bytes(300_000);
    };
    await expect(store.put("t1/b", aborting(), { signal: abort.signal })).rejects.toThrow("late");
    await store.check();
    expect(await filesIn(folder)).toEqual([]);
  });

  test("refuses to write a key twice, and keeps what was there", async () => {
    const store = createFolderBlobStore({ folder });
    await store.put("t1/a", bytes(5));
    await expect(store.put("t1/a", bytes(9))).rejects.toThrow(/written once/);
    const [file] = await filesIn(folder);
    expect(await readFile(file!)).toHaveLength(5);
  });

  test("says which folder can't keep files, and why", async () => {
    const blocked = join(folder, "a-file");
    await writeFile(blocked, "in the way");
    const store = createFolderBlobStore({ folder: blocked });
    const refused = { name: "SluiceError", code: "storage_unavailable", retryable: true };
    await expect(store.put("t1/a", bytes(1))).rejects.toMatchObject(refused);
    await expect(store.check()).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining(blocked),
    });
  });

  test("works again after its folder was taken away and it has said so once", async () => {
    const store = createFolderBlobStore({ folder });
    await store.put("t1/a", bytes(1));
    await rm(folder, { recursive: true });
    await expect(store.put("t1/a", bytes(1))).rejects.toMatchObject({ code: "storage_unavailable" });
    await store.put("t1/a", bytes(1));
    expect(await filesIn(folder)).toHaveLength(1);
  });

  // A limit on the size of files stands for a disk that fills up in the midst of a write: the write fails.
  test("a disk that takes no more in the midst of a file is an error that says so", async () => {
    const module = new URL("../../../src/adapters/fs/blob-store.ts", import.meta.url).href;
    const script = `
      const { createFolderBlobStore } = await import(${JSON.stringify(module)});
      const store = createFolderBlobStore({ folder: ${JSON.stringify(folder)} });
      const source = (async function* () { for (let i = 0; i < 30; i += 1) yield Buffer.alloc(65536); })();
      const outcome = await store.put("t1/a", source).then(() => "stored", (error) => error);
      console.log(JSON.stringify({ code: outcome.code, message: outcome.message, cause: outcome.cause?.code }));
    `;
    const shell = 'ulimit -f 1024; exec "$0" --input-type=module -e "$1"';
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", shell, process.execPath, script]);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ code: "storage_unavailable", cause: "EFBIG" });
    expect(told.message).toContain(folder);
    expect(await filesIn(folder)).toEqual([]);
  });
});
