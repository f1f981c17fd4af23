import { describe, expect, test } from "vitest";
import { createMemoryBlobStore } from "../../../src/adapters/memory/blob-store.ts";
import { SluiceError } from "../../../src/errors.ts";
import { startServer, type TestServer, until } from "../harness.ts";

async function bringWorker(server: TestServer, pid = 4711) {
  const worker = {
    worker_id: server.system.newId("wrk"),
    pid,
    host: "here",
    started_at: new Date().toISOString(),
  };
  await server.queue.heartbeat(worker, [], 1_000);
  return worker;
}

test("/healthz names the processes", async () => {
  const server = await startServer();
  const worker = await bringWorker(server);
  const answer = await server.request("/healthz");
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({
    status: "ok",
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    pids: { api: process.pid, workers: [4711] },
    workers: [{ worker_id: worker.worker_id, holds: [] }],
  });
  await server.queue.removeWorker(worker.worker_id);
  expect((await server.request("/healthz")).json()).toMatchObject({ pids: { workers: [] } });
});

test("/healthz answers for the process while its storage does not", async () => {
  const server = await startServer();
  server.queue.workers = () => Promise.reject(new SluiceError("storage_unavailable", "gone"));
  const answer = await server.request("/healthz");
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({ pids: { api: process.pid, workers: [] } });
  expect((await server.request("/readyz")).json()).toMatchObject({
    reasons: ["the queue does not answer: gone"],
  });
});

describe("/readyz", () => {
  test("is ready with a worker, not without", async () => {
    const server = await startServer();
    const alone = await server.request("/readyz");
    expect(alone.status).toBe(503);
    expect(alone.json()).toEqual({ status: "not_ready", reasons: ["no worker is alive"] });
    expect(alone.headers.get("retry-after")).toBe("1");
    await bringWorker(server);
    const ready = await server.request("/readyz");
    expect(ready.status).toBe(200);
    expect(ready.json()).toEqual({ status: "ready", reasons: [] });
  });

  test("is not ready while files can't be stored, and then refuses uploads with Retry-After", async () => {
    const full = () => Promise.reject(new SluiceError("storage_unavailable", "the disk is full"));
    const server = await startServer({ blobs: { ...createMemoryBlobStore(), check: full, put: full } });
    await bringWorker(server);
    const answer = await server.request("/readyz");
    expect(answer.status).toBe(503);
    expect(answer.json()).toEqual({
      status: "not_ready",
      reasons: ["files can't be stored: the disk is full"],
    });
    const upload = await server.request("/v1/documents?filename=a.txt", { method: "POST", body: "x" });
    expect(upload.status).toBe(503);
    expect(upload.problem()).toMatchObject({ code: "storage_unavailable", retryable: true });
    expect(upload.headers.get("retry-after")).toBe("1");
  });

  test("asks the blob store at most every other second", async () => {
    let checks = 0;
    const blobs = {
      ...createMemoryBlobStore(),
      check: async () => {
        checks++;
      },
    };
    const server = await startServer({ blobs });
    await Promise.all(Array.from({ length: 10 }, () => server.request("/readyz")));
    expect(checks).toBe(1);
  });
});

test("/metrics tells of queue, stages, acknowledgements, requests and events", async () => {
  const server = await startServer();
  const one = await server.upload("one\ntwo");
  const two = await server.upload("two");
  await server.upload("three");
  await server.complete(one.document_id, "one\ntwo");
  await server.start(two.document_id);
  await server.kill(two.document_id, { code: "malformed_document", message: "damaged", retryable: false });
  await server.request("/v1/documents/doc_none");
  const read = async () => (await server.request("/metrics")).text;
  await until(async () => /sluice_events_total{event_type="rag.ingestion.failed"} 1/.test(await read()));
  const text = await read();
  for (const line of [
    'sluice_jobs{state="succeeded"} 1',
    'sluice_jobs{state="dead"} 1',
    'sluice_jobs{state="queued"} 0',
    "sluice_expired_leases 0",
    'sluice_events_total{event_type="rag.document.uploaded"} 3',
    'sluice_stage_seconds_count{stage="extracting"} 1',
    'sluice_ingestion_failures_total{code="malformed_document"} 1',
    "sluice_upload_ack_seconds_count 3",
    'sluice_http_request_seconds_count{method="POST",route="/v1/documents",status="202"} 3',
    'sluice_http_request_seconds_count{method="GET",route="/v1/documents/:document_id",status="404"} 1',
  ]) {
    expect(text).toContain(line);
  }
  expect(text).toMatch(/^sluice_oldest_ready_job_seconds \d/m);
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
});
