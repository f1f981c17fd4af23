/** Changing the embedder of a running installation, and dying in the middle of it. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Document } from "../../src/document.ts";
import type { ReindexStatus } from "../../src/reindex/reindex.ts";
import { type Client, createClient } from "./client.ts";
import { DIMENSIONS, type EmbeddingServer, startEmbeddingServer } from "./embedding-server.ts";
import { type Running, root, startSluice } from "./processes.ts";

const BATCH = 8;
const OLD = "feature-hashing-v1-384";
const NEW = `openai:test:${DIMENSIONS}`;
let embedding: EmbeddingServer;
let running: Running[];
let data_dir: string;
beforeEach(async () => {
  embedding = await startEmbeddingServer(BATCH);
  running = [];
  data_dir = mkdtempSync(join(tmpdir(), "sluice-reindex-"));
});
afterEach(async () => {
  for (const each of running) await each.stop();
  await embedding.close();
  rmSync(data_dir, { recursive: true, force: true });
});

async function start(env: Record<string, string>): Promise<Running> {
  const started = await startSluice({
    data_dir,
    env: {
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

const sluice = async (env: NodeJS.ProcessEnv, ...args: string[]) =>
  (
    await promisify(execFile)(process.execPath, [join(root, "src/cli/main.ts"), "--json", ...args], { env })
  ).stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as ReindexStatus);

async function ingest(client: Client, filename: string, text: string): Promise<Document> {
  const { body } = await client.upload(filename, text);
  return client.ended(body.document_id, body.job_id);
}

/** What a search by meaning finds, and under whose vectors. */
async function found(client: Client) {
  const { hits, embedder_id } = await client.search({ query: "quartz", mode: "vector", top_k: 100 });
  return { documents: [...new Set(hits.map(({ document_id }) => document_id))].sort(), embedder_id };
}

const long = Array.from({ length: 60 }, (_, i) => `Paragraph ${i} tells of quartz ${i * 7}. `.repeat(3)).join(
  "\n\n",
);

test("a reindex goes on when its worker is killed; searches find everything before, during and after", async () => {
  const first = await start({ SLUICE_EMBEDDER: "hashing" });
  const before = createClient(first.url);
  const documents = [
    await ingest(before, "long.txt", long),
    await ingest(before, "short.txt", "Quartz is a mineral."),
    await ingest(before, "other.txt", "Where quartz lies, gold may."),
  ];
  const ids = documents.map(({ document_id }) => document_id).sort();
  const chunks = documents.reduce((sum, { chunks_created }) => sum + chunks_created, 0);
  expect(await found(before)).toEqual({ documents: ids, embedder_id: OLD });
  await first.stop();
  running = [];

  const { url, env, log } = await start(embedding.env);
  const client = createClient(url);
  expect(log()).toContain("it stays in use until `sluice reindex` is done");
  expect(await found(client)).toEqual({ documents: ids, embedder_id: OLD });
  const status = (await client.call<ReindexStatus>("GET", "/v1/reindex")).body;
  expect(status).toMatchObject({ state: "due", serving: OLD, configured: NEW, target: null, done: 0 });

  embedding.holdAfter(1 + 3 * BATCH);
  const begun = await client.call<ReindexStatus>("POST", "/v1/reindex");
  expect(begun).toMatchObject({ status: 202, body: { state: "running", target: NEW, documents: 3 } });
  await embedding.held();
  expect(await found(client)).toEqual({ documents: ids, embedder_id: OLD });
  const uploaded = await ingest(client, "late.txt", "Quartz that came in the middle of it.");
  expect(uploaded.status).toBe("completed");
  const all = [...ids, uploaded.document_id].sort();
  expect(await found(client)).toEqual({ documents: all, embedder_id: OLD });

  const { pids } = (await client.call<{ pids: { workers: number[] } }>("GET", "/healthz")).body;
  process.kill(pids.workers[0] as number, "SIGKILL");
  embedding.release();
  const told = await sluice(env, "reindex");
  expect(told.at(-1)).toMatchObject({ state: "current", serving: NEW, documents: 4, done: 4 });
  expect(await found(client)).toEqual({ documents: all, embedder_id: NEW });
  // Every chunk was embedded once, but for the batches that were under way, the checks and the queries.
  const passages = embedding.texts.filter((text) => text !== "check" && text !== "quartz");
  expect(passages.length).toBeLessThanOrEqual(chunks + uploaded.chunks_created + 2 * BATCH);
  expect(await sluice(env, "verify")).toMatchObject([{ remaining: 0, repaired: 0 }]);
  // Later uploads are of the new one alone.
  const later = await ingest(client, "later.txt", "Quartz once more.");
  expect((await found(client)).documents).toContain(later.document_id);
}, 120_000);

test("a reindex that is given up leaves the old vectors in use", async () => {
  const first = await start({ SLUICE_EMBEDDER: "hashing" });
  const { document_id } = await ingest(createClient(first.url), "long.txt", long);
  await first.stop();
  running = [];
  const { url, env } = await start(embedding.env);
  const client = createClient(url);
  embedding.holdAfter(1 + BATCH);
  const [begun] = await sluice(env, "reindex", "--detach");
  expect(begun).toMatchObject({ state: "running", target: NEW });
  await embedding.held();
  const [given] = await sluice(env, "reindex", "--cancel");
  expect(given).toMatchObject({ state: "due", serving: OLD, target: null });
  embedding.release();
  expect(await found(client)).toEqual({ documents: [document_id], embedder_id: OLD });
  expect(await sluice(env, "verify")).toMatchObject([{ remaining: 0, repaired: 0 }]);
  const last = await sluice(env, "reindex");
  expect(last.at(-1)).toMatchObject({ state: "current", serving: NEW });
  expect(await found(client)).toEqual({ documents: [document_id], embedder_id: NEW });
}, 120_000);
