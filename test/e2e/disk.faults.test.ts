/** What a disk can do to Sluice: run full, be read-only, be locked by another, change or lose what it was given. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Document } from "../../src/document.ts";
import type { Job } from "../../src/job.ts";
import { type Client, createClient } from "./client.ts";
import { type Running, startSluice } from "./processes.ts";

const SIZE_MB = 24;
let data_dir: string;
let running: Running[];
let mounted = false;

beforeEach(() => {
  data_dir = mkdtempSync(join(tmpdir(), "sluice-disk-"));
  running = [];
});
afterEach(async () => {
  for (const each of running) await each.stop();
  if (mounted) execFileSync("umount", ["--lazy", data_dir]);
  mounted = false;
  rmSync(data_dir, { recursive: true, force: true });
});

/** Not being able to is a failure, not a reason to skip: `npm run test:faults` is for machines where one is root. */
function mountSmallDisk(): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m`, "tmpfs", data_dir]);
  mounted = true;
}

async function start(
  command = "start",
  env: Record<string, string> = {},
): Promise<{ client: Client; url: string }> {
  const started = await startSluice({
    command,
    data_dir,
    env: {
      SLUICE_WORKERS: "1",
      SLUICE_LEASE_SECONDS: "2",
      SLUICE_RETRY_BASE_MS: "1",
      SLUICE_MIN_FREE_BYTES: "500000",
      ...env,
    },
  });
  running.push(started);
  return { client: createClient(started.url), url: started.url };
}

const filler = () => join(data_dir, "filler");
/** Leaves so many bytes free, or fewer. */
function fill(leave: number): void {
  const chunk = Buffer.alloc(64 * 1024);
  const free = () =>
    Number(execFileSync("df", ["--output=avail", "-B1", data_dir]).toString().split("\n")[1]);
  while (free() - leave > 0) {
    try {
      writeFileSync(filler(), chunk.subarray(0, Math.min(chunk.length, Math.max(4096, free() - leave))), {
        flag: "a",
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
      throw error;
    }
  }
}

/** A body whose length nobody announced. */
function uploadStream(url: string, megabytes: number): Promise<Response> {
  const body = Readable.from(
    (async function* () {
      for (let sent = 0; sent < megabytes * 16; sent++) yield Buffer.alloc(65_536, "many words ");
    })(),
  );
  return fetch(`${url}/v1/documents?filename=long.txt`, {
    method: "POST",
    body: Readable.toWeb(body) as unknown as ReadableStream<Uint8Array>,
    headers: { "content-type": "text/plain" },
    duplex: "half",
  } as RequestInit);
}

const documentCount = async (client: Client) =>
  (await client.call<{ documents: Document[] }>("GET", "/v1/documents?limit=200")).body.documents.length;

test("a disk that runs full refuses with 503, loses nothing that it took, and goes on when there is room", async () => {
  mountSmallDisk();
  const { client, url } = await start();
  const first = await client.upload("first.txt", "The first text is about quartz.");
  expect(await client.ended(first.body.document_id, first.body.job_id)).toMatchObject({
    status: "completed",
  });

  fill(3_000_000);
  const before = await documentCount(client);
  const midway = await uploadStream(url, 8);
  expect(midway.status).toBe(503);
  expect(midway.headers.get("retry-after")).not.toBeNull();
  expect(await midway.json()).toMatchObject({ code: "storage_unavailable", retryable: true });
  expect(await documentCount(client)).toBe(before);

  // What the refused one had written is gone again, so a small one still fits; then nothing does.
  const second = await client.upload("second.txt", "The second text is about basalt.");
  expect(second.status).toBe(202);
  await client.ended(second.body.document_id, second.body.job_id);
  fill(0);
  await expect
    .poll(async () => (await client.upload("third.txt", "The third text.")).status, { timeout: 10_000 })
    .toBe(503);
  expect((await client.call("GET", "/readyz")).status).toBe(503);
  expect((await client.search({ query: "quartz", mode: "keyword" })).hits).toHaveLength(1);

  rmSync(filler());
  await expect
    .poll(async () => (await client.upload("third.txt", "The third text.")).status, { timeout: 20_000 })
    .toBe(202);
  await expect.poll(async () => (await client.call("GET", "/readyz")).status, { timeout: 10_000 }).toBe(200);
  for (const words of ["quartz", "basalt"]) {
    expect((await client.search({ query: words, mode: "keyword" })).hits).toHaveLength(1);
  }
});

test("work that the full disk stopped goes on by itself when there is room", async () => {
  mountSmallDisk();
  const { client } = await start("api");
  const uploads = [];
  for (let number = 0; number < 6; number++) {
    const text = Array.from(
      { length: 300 },
      (_, place) => `Line ${place} of text ${number} is about granite.`,
    );
    uploads.push((await client.upload(`${number}.txt`, text.join("\n\n"))).body);
  }
  fill(0);
  const worker = await startSluice({ command: "api", data_dir, env: { SLUICE_MIN_FREE_BYTES: "0" } }).catch(
    (error: Error) => error,
  );
  // Whether a second process can start at all on a full disk is not promised; that it says why is.
  if (worker instanceof Error) expect(worker.message).toMatch(/full|space|disk/i);
  else await worker.stop();
  rmSync(filler());
  await start("worker");
  fill(200_000);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  rmSync(filler());
  for (const { document_id, job_id } of uploads) {
    const document = await client.ended(document_id, job_id);
    expect(document).toMatchObject({ status: "completed" });
  }
});

test("a read-only folder is refused with a clear word, and taken when it can be written", async () => {
  mountSmallDisk();
  await (await start()).client.upload("a.txt", "one");
  for (const each of running.splice(0)) await each.stop();
  execFileSync("mount", ["-o", "remount,ro", data_dir]);
  await expect(start()).rejects.toThrow(/read-only|can't be (written|opened)/i);
  execFileSync("mount", ["-o", "remount,rw", data_dir]);
  const { client } = await start();
  expect((await client.upload("b.txt", "two")).status).toBe(202);
});

test("a database that another process keeps locked: 503, then all is as before", async () => {
  const { client } = await start();
  const locker = new DatabaseSync(join(data_dir, "sluice.db"));
  locker.exec("BEGIN IMMEDIATE");
  const refused = await client.upload("a.txt", "one");
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(refused.body.code).toBe("storage_unavailable");
  locker.exec("ROLLBACK");
  locker.close();
  const { status, body } = await client.upload("a.txt", "one");
  expect(status).toBe(202);
  expect(await client.ended(body.document_id, body.job_id)).toMatchObject({ status: "completed" });
});

/** The only blob there is. */
function onlyBlob(): string {
  const files = readdirSync(join(data_dir, "blobs"), { recursive: true, withFileTypes: true });
  const [blob, ...others] = files.filter((entry) => entry.isFile() && !entry.parentPath.includes(".check"));
  expect(others).toEqual([]);
  return join(blob!.parentPath, blob!.name);
}

test("an original that the disk changed fails with its own code; mended, it is ingested", async () => {
  const { client } = await start("api");
  const { body } = await client.upload("a.txt", "These words were uploaded.");
  const bytes = readFileSync(onlyBlob());
  const changed = Buffer.from(bytes);
  changed[3]! ^= 1;
  writeFileSync(onlyBlob(), changed);
  await start("worker");
  expect(await client.ended(body.document_id, body.job_id)).toMatchObject({
    status: "failed",
    error: { code: "blob_corrupted", retryable: false },
  });
  expect((await client.call<Job>("GET", `/v1/jobs/${body.job_id}`)).body.attempts).toBe(1);
  writeFileSync(onlyBlob(), bytes);
  await client.call("POST", `/v1/jobs/${body.job_id}/retry`);
  await expect
    .poll(async () => (await client.call<Document>("GET", `/v1/documents/${body.document_id}`)).body.status)
    .toBe("completed");
});

test("an original that is gone is looked for again, then given up; when it is back, it is ingested", async () => {
  const { client } = await start("api");
  const { body } = await client.upload("a.txt", "These words were uploaded.");
  const blob = onlyBlob();
  renameSync(blob, join(data_dir, "aside"));
  await start("worker", { SLUICE_MAX_ATTEMPTS: "2" });
  expect(await client.ended(body.document_id, body.job_id)).toMatchObject({
    status: "failed",
    error: { code: "blob_missing" },
  });
  renameSync(join(data_dir, "aside"), blob);
  await client.call("POST", `/v1/jobs/${body.job_id}/retry`);
  await expect
    .poll(async () => (await client.call<Document>("GET", `/v1/documents/${body.document_id}`)).body.status)
    .toBe("completed");
});

test("the database of a newer Sluice is refused, and left alone", async () => {
  await (await start()).client.upload("a.txt", "one");
  for (const each of running.splice(0)) await each.stop();
  const db = new DatabaseSync(join(data_dir, "sluice.db"));
  const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  db.exec(`PRAGMA user_version = ${user_version + 1}`);
  db.close();
  await expect(start()).rejects.toThrow(/Start the newer Sluice that wrote it/);
  const again = new DatabaseSync(join(data_dir, "sluice.db"));
  again.exec(`PRAGMA user_version = ${user_version}`);
  again.close();
  expect(await documentCount((await start()).client)).toBe(1);
});
