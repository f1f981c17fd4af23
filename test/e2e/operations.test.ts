/** What /v1/operations tells of real work: of a job that runs, one that is done and one that failed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Operations } from "../../src/server/routes/operations.ts";
import { createClient } from "./client.ts";
import { type EmbeddingServer, startEmbeddingServer } from "./embedding-server.ts";
import { type Running, startSluice } from "./processes.ts";

let embedder: EmbeddingServer;
let sluice: Running;
beforeAll(async () => {
  embedder = await startEmbeddingServer();
  sluice = await startSluice({ env: { ...embedder.env, SLUICE_WORKERS: "1" } });
});
afterAll(async () => {
  expect(await sluice.stop()).toBe(0);
  await embedder.close();
});

test("a job is seen at the worker that holds it, then among the completed; a failed one by its error", async () => {
  const client = createClient(sluice.url);
  const look = async () => (await client.call<Operations>("GET", "/v1/operations?all=true")).body;
  embedder.hold();
  const { body: running } = await client.upload("otter.md", "# The otter\n\nIt counts its pebbles.");
  await embedder.held();
  await expect
    .poll(async () => (await look()).workers[0]?.holds[0]?.job_id, { timeout: 10_000 })
    .toBe(running.job_id);
  const during = await look();
  expect(during.workers).toHaveLength(1);
  expect(during.workers[0]?.holds).toMatchObject([
    { job_type: "ingest_document", document_id: running.document_id, attempts: 1 },
  ]);
  expect(during.queue.by_state.running).toBe(1);
  expect(during.tenants).toMatchObject([{ tenant_id: "default", running: 1, completed: 0 }]);
  embedder.release();
  await client.ended(running.document_id, running.job_id);

  const { body: broken } = await client.upload("broken.pdf", "%PDF-1.7\nnothing of a PDF follows");
  const failed = await client.ended(broken.document_id, broken.job_id);
  expect(failed.status).toBe("failed");
  const done = (seen: Operations) => seen.dead.length === 1 && seen.activity.processing.count === 1;
  await expect.poll(async () => done(await look()), { timeout: 10_000 }).toBe(true);
  const after = await look();
  expect(after.dead).toEqual([{ code: failed.error?.code, jobs: 1 }]);
  expect(after.activity.stages.map(({ stage, count }) => [stage, count])).toEqual([
    ["extracting", 1],
    ["chunking", 1],
    ["embedding", 1],
    ["indexing", 1],
  ]);
  const { minutes, processing } = after.activity;
  const sum = (what: "uploaded" | "completed" | "failed" | "chunks") =>
    minutes.reduce((total, minute) => total + minute[what], 0);
  expect([sum("uploaded"), sum("completed"), sum("failed")]).toEqual([2, 1, 1]);
  expect(sum("chunks")).toBeGreaterThan(0);
  expect(processing.p95_ms).toBeGreaterThan(0);
  expect(after.workers).toMatchObject([{ holds: [], holds_of_others: 0 }]);
});

test("a key for a browser works for its time, through the real storage", async () => {
  const open = createClient(sluice.url);
  const { body: first } = await open.call<{ key: string; note?: string }>("POST", "/v1/keys", {
    name: "operator",
    operator: true,
  });
  expect(first.note).toMatch(/every request needs one/);
  const operator = createClient(sluice.url, first.key);
  const { body: brief } = await operator.call<{ key: string; expires_at: string }>("POST", "/v1/keys", {
    expires_in_seconds: 2,
  });
  const browser = createClient(sluice.url, brief.key);
  expect((await browser.call("GET", "/v1/session")).body).toMatchObject({
    operator: false,
    keys_required: true,
  });
  await expect
    .poll(async () => (await browser.call("GET", "/v1/session")).status, { timeout: 10_000 })
    .toBe(401);
  expect((await open.call("GET", "/v1/session")).status).toBe(401);
  expect((await operator.call("GET", "/v1/reindex")).status).toBe(200);
});
