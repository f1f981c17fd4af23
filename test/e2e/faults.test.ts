/** What the first version promises about dying: more of it, and under more kinds of failure, is tested by the chaos. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Document } from "../../src/document.ts";
import type { Job } from "../../src/job.ts";
import { expectLegal } from "../journey.ts";
import { createClient } from "./client.ts";
import { type EmbeddingServer, startEmbeddingServer } from "./embedding-server.ts";
import { cleanEnv, type Running, root, startSluice } from "./processes.ts";

const BATCH = 8;
let embedding: EmbeddingServer;
let running: Running[];
let data_dir: string;
beforeEach(async () => {
  embedding = await startEmbeddingServer(BATCH);
  running = [];
  data_dir = mkdtempSync(join(tmpdir(), "sluice-faults-"));
});
afterEach(async () => {
  for (const each of running) await each.stop();
  await embedding.close();
  rmSync(data_dir, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}, command = "start"): Promise<Running> {
  const started = await startSluice({
    command,
    data_dir,
    env: {
      ...embedding.env,
      SLUICE_CHUNK_TOKENS: "32",
      SLUICE_CHUNK_OVERLAP_TOKENS: "0",
      SLUICE_RETRY_BASE_MS: "1",
      SLUICE_WORKERS: "1",
      ...env,
    },
  });
  running.push(started);
  return started;
}

const long = Array.from({ length: 80 }, (_, i) =>
  `Paragraph ${i} tells of matter number ${i * 7}. `.repeat(3),
).join("\n\n");

async function workerPids(url: string): Promise<number[]> {
  return (await createClient(url).call<{ pids: { workers: number[] } }>("GET", "/healthz")).body.pids.workers;
}

test("a worker killed in the middle of embedding: another goes on from its checkpoint", async () => {
  const { url } = await start();
  const client = createClient(url);
  embedding.holdAfter(5 * BATCH);
  const { body } = await client.upload("long.txt", long);
  await embedding.held();
  const [pid] = await workerPids(url);
  process.kill(pid as number, "SIGKILL");
  await client.waitFor(body.document_id, (event) => event.event_type === "rag.ingestion.retry_scheduled");
  embedding.release();
  const document = await client.ended(body.document_id, body.job_id);
  expect(document).toMatchObject({ status: "completed", error: null });

  const events = await client.journey(body.document_id);
  expect(expectLegal(events)).toBe("completed");
  const lost = events.find((event) => event.event_type === "rag.ingestion.retry_scheduled");
  expect(lost?.data).toMatchObject({ attempt: 1, error: { code: "worker_lost" } });
  const stages = events.filter((event) => event.event_type === "rag.ingestion.stage_completed");
  expect(stages).toHaveLength(4);
  // Every chunk was embedded once, but for the one batch that was under way.
  expect(embedding.texts.length).toBeLessThanOrEqual(document.chunks_created + BATCH);
  expect(new Set(embedding.texts).size).toBe(document.chunks_created);
  expect(await workerPids(url)).not.toContain(pid);
});

test("everything killed at once: the next start finishes what was acknowledged", async () => {
  const first = await start();
  embedding.hold();
  const uploads = await Promise.all(
    [1, 2, 3].map((number) => createClient(first.url).upload(`${number}.txt`, `Text ${number}. ${long}`)),
  );
  await embedding.held();
  const pids = (
    await createClient(first.url).call<{ pids: { api: number; workers: number[] } }>("GET", "/healthz")
  ).body.pids;
  const deaths = [pids.api, ...pids.workers];
  await first.kill();
  for (const pid of deaths) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      // It noticed that its supervisor was gone, and had ended already.
      expect((error as NodeJS.ErrnoException).code).toBe("ESRCH");
    }
  }
  running = [];
  embedding.release();

  const second = await start();
  const client = createClient(second.url);
  for (const { body } of uploads) {
    expect(await client.ended(body.document_id, body.job_id)).toMatchObject({ status: "completed" });
    expect(expectLegal(await client.journey(body.document_id))).toBe("completed");
  }
});

test("cancel stops work within the batch, leaves nothing to find, and can be retried", async () => {
  const { url } = await start();
  const client = createClient(url);
  embedding.holdAfter(BATCH);
  const { body } = await client.upload("long.txt", long);
  await embedding.held();
  const cancelled = await client.call<Job>("POST", `/v1/jobs/${body.job_id}/cancel`);
  expect(cancelled).toMatchObject({ status: 200, body: { state: "cancelled" } });
  const document = (await client.call<Document>("GET", `/v1/documents/${body.document_id}`)).body;
  expect(document).toMatchObject({ status: "cancelled", chunks_created: 0 });
  const again = await client.call<{ code: string }>("POST", `/v1/jobs/${body.job_id}/cancel`);
  expect(again).toMatchObject({ status: 409, body: { code: "already_ended" } });
  embedding.release();
  // The worker is free for the next one, and the cancelled one wrote nothing more.
  const next = await client.upload("next.txt", "Another text altogether.");
  await client.ended(next.body.document_id, next.body.job_id);
  expect((await client.search({ query: "paragraph matter", mode: "keyword" })).hits).toEqual([]);
  expect(expectLegal(await client.journey(body.document_id))).toBe("cancelled");
  await client.call("POST", `/v1/jobs/${body.job_id}/retry`);
  await client.waitFor(body.document_id, (event) => event.event_type === "rag.ingestion.completed");
});

test("deleted while being ingested: nothing stays but the events", async () => {
  const { url } = await start();
  const client = createClient(url);
  embedding.holdAfter(BATCH);
  const { body } = await client.upload("long.txt", long);
  await embedding.held();
  const { job_id } = (await client.call<{ job_id: string }>("DELETE", `/v1/documents/${body.document_id}`))
    .body;
  embedding.release();
  for (;;) {
    const job = (await client.call<Job>("GET", `/v1/jobs/${job_id}`)).body;
    if (job.state === "succeeded") break;
    expect(job.state).not.toBe("dead");
  }
  expect(expectLegal(await client.journey(body.document_id))).toBe("deleted");
  expect((await client.search({ query: "paragraph", mode: "keyword" })).hits).toEqual([]);
});

test("a stop hands running jobs back without counting the attempt", async () => {
  const first = await start({ SLUICE_SHUTDOWN_SECONDS: "0" });
  embedding.hold();
  const { body } = await createClient(first.url).upload("long.txt", long);
  await embedding.held();
  expect(await first.stop()).toBe(0);
  running = [];
  embedding.release();
  const second = await start();
  const client = createClient(second.url);
  expect(await client.ended(body.document_id, body.job_id)).toMatchObject({ status: "completed" });
  expect((await client.call<Job>("GET", `/v1/jobs/${body.job_id}`)).body.attempts).toBe(1);
  expect(expectLegal(await client.journey(body.document_id))).toBe("completed");
});

test("api and workers run alone against one data folder, and share the work", async () => {
  const api = await start({}, "api");
  const client = createClient(api.url);
  expect((await client.call("GET", "/readyz")).status).toBe(503);
  await Promise.all([start({}, "worker"), start({}, "worker")]);
  expect((await client.call("GET", "/readyz")).status).toBe(200);
  const uploads = await Promise.all(
    Array.from({ length: 12 }, (_, i) => client.upload(`${i}.txt`, `Text number ${i}. ${long}`)),
  );
  const workers = new Set<string>();
  for (const { body } of uploads) {
    expect(await client.ended(body.document_id, body.job_id)).toMatchObject({ status: "completed" });
    for (const event of await client.journey(body.document_id)) {
      if (event.event_type === "rag.ingestion.started") workers.add(event.data.worker_id);
    }
  }
  expect(workers.size).toBe(2);
});

test("tenants: keys open one's own documents and nobody else's", async () => {
  const cli = (...args: string[]) =>
    execFileSync(process.execPath, [join(root, "src/cli/main.ts"), "--json", ...args], {
      env: cleanEnv({ SLUICE_DATA_DIR: data_dir }),
      encoding: "utf8",
    });
  const keyOf = (tenant: string) =>
    (JSON.parse(cli("keys", "create", "--tenant", tenant)) as { key: string }).key;
  const [red, blue] = [keyOf("red"), keyOf("blue")];
  // With keys, it may listen where others reach it.
  const { url } = await start({ SLUICE_HOST: "0.0.0.0" });
  expect((await createClient(url).call("GET", "/v1/documents")).status).toBe(401);
  const owner = createClient(url, red);
  const { body } = await owner.upload("secret.txt", "The red secret is vermilion.");
  await owner.ended(body.document_id, body.job_id);
  const stranger = createClient(url, blue);
  for (const path of ["", "/events", "/text", "/chunks", "/file"]) {
    expect((await stranger.call("GET", `/v1/documents/${body.document_id}${path}`)).status).toBe(404);
  }
  expect((await stranger.call("GET", `/v1/jobs/${body.job_id}`)).status).toBe(404);
  expect((await stranger.search({ query: "vermilion secret" })).hits).toEqual([]);
  expect((await owner.search({ query: "vermilion secret" })).hits).toHaveLength(1);
  const twin = await stranger.upload("secret.txt", "The red secret is vermilion.");
  expect(twin.body.document_id).not.toBe(body.document_id);
  expect(readdirSync(join(data_dir, "blobs")).sort()).toEqual(expect.arrayContaining(["blue", "red"]));
});

test("without a key it refuses to listen where others reach it", async () => {
  await expect(start({ SLUICE_HOST: "0.0.0.0" }, "api")).rejects.toThrow(/sluice keys create/);
  await expect(start({ SLUICE_ALLOWED_ORIGINS: "*" }, "api")).rejects.toThrow(/any page in a browser/);
});
