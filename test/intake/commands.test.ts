import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import { createTestEmbedder, unlessAborted } from "../support/embedder.ts";
import { gate, openRig, paragraphs, type Rig, type RigOptions, tenant_id } from "../support/rig.ts";

const refused = (promise: Promise<unknown>, code: ErrorCode) =>
  expect(promise).rejects.toMatchObject({ name: "SluiceError", code });

/** A rig whose extractor or embedder waits once, where it is told to, and says when it does. */
async function openStoppable(stop: "extracting" | "embedding" | "nowhere", options: RigOptions = {}) {
  const reached = gate();
  const go = gate();
  let waited = false;
  const wait = async () => {
    if (waited) return;
    waited = true;
    reached.open();
    await go.opened;
  };
  const embedder = createTestEmbedder();
  embedder.before = (answered) => (stop === "embedding" && answered > 0 ? wait() : undefined);
  const rig = await openRig({ embedder, ...options });
  const extractor: Extractor = {
    ...rig.extractor,
    async extract(source, progress, signal) {
      if (stop === "extracting") await unlessAborted(wait(), signal);
      return rig.extractor.extract(source, progress, signal);
    },
  };
  return { rig, embedder, extractor, reached: reached.opened, go: () => go.open() };
}

/** Nothing of the version is left: rows, checkpoints, index. */
async function expectNothingOf(rig: Rig, document_id: string, version: number): Promise<void> {
  expect(await rig.documents.listChunks(tenant_id, document_id, version, 0, 100)).toEqual([]);
  expect(await rig.documents.listCheckpoints(tenant_id, document_id, version)).toEqual([]);
  expect(await rig.found("quartz")).toEqual([]);
}

async function ingested(rig: Rig, text: string): Promise<string> {
  const { document_id } = await rig.upload(text);
  const worker = rig.worker();
  await worker.start();
  expect((await rig.settled(document_id)).status).toBe("completed");
  await worker.stop();
  return document_id;
}

describe("reingest", () => {
  test("makes a new version of the same bytes, whose chunks are found when it is complete", async () => {
    const rig = await openRig();
    const document_id = await ingested(rig, paragraphs(6));
    const before = await rig.found("quartz");
    expect(before).toHaveLength(6);
    const accepted = await rig.commands.reingest(tenant_id, document_id, "req_1");
    expect(accepted).toMatchObject({ document_id, version: 2, status: "pending", duplicate: false });
    expect(await rig.found("quartz")).toEqual(before);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ searchable_version: 2, chunks_created: 6 });
    const after = await rig.found("quartz");
    expect(after).toEqual(before.map((id) => id.replace("_1_", "_2_")));
    const [first, second] = await rig.documents.listVersions(tenant_id, document_id);
    expect(second?.blob_key).toBe(first?.blob_key);
    expect(await rig.documents.listChunks(tenant_id, document_id, 1, 0, 100)).toEqual([]);
    // The original, and the text of the new version: what the old one made is gone.
    expect(await rig.blobKeys()).toHaveLength(2);
    const events = await rig.expectReplays(document_id);
    const requested = events.find((event) => event.event_type === "rag.ingestion.requested");
    expect(requested?.causation_id).toBe("req_1");
  });

  test("while an ingestion is under way answers that one", async () => {
    const { rig, embedder, reached, go } = await openStoppable("embedding", { storage: "memory" });
    const first = await rig.upload(paragraphs(6));
    expect(await rig.commands.reingest(tenant_id, first.document_id, "req_1")).toEqual({
      ...first,
      duplicate: true,
    });
    await rig.worker({ embedder }).start();
    await reached;
    const again = await rig.commands.reingest(tenant_id, first.document_id, "req_2");
    expect(again).toEqual({ ...first, status: "processing", duplicate: true });
    go();
    expect(await rig.settled(first.document_id)).toMatchObject({ status: "completed", version: 1 });
  });

  test("asked for by ten at once is one job", async () => {
    const rig = await openRig();
    const document_id = await ingested(rig, "short");
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => rig.commands.reingest(tenant_id, document_id, `req_${n}`)),
    );
    expect(new Set(answers.map((answer) => answer.job_id)).size).toBe(1);
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(1);
    await rig.expectReplays(document_id);
  });

  test("of what is not there, or another tenant's, is not found", async () => {
    const rig = await openRig({ storage: "memory" });
    const document_id = await ingested(rig, "short");
    await refused(rig.commands.reingest(tenant_id, "doc_none", "req_1"), "not_found");
    await refused(rig.commands.reingest("t2", document_id, "req_1"), "not_found");
  });
});

describe("remove", () => {
  test("hides the document at once; its job erases all but the facts", async () => {
    const rig = await openRig();
    const document_id = await ingested(rig, paragraphs(6));
    const kept = await rig.upload("kept for good");
    const before = await rig.events(document_id);
    const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");

    expect(await rig.documents.getDocument(tenant_id, document_id)).toBeUndefined();
    const listed = await rig.documents.listDocuments({ tenant_id, limit: 10 });
    expect(listed.map((document) => document.document_id)).toEqual([kept.document_id]);
    expect(await rig.found("quartz")).toEqual([]);
    expect((await rig.search.search(tenant_id, { query: "quartz", mode: "vector" })).hits).toEqual([]);
    await refused(rig.commands.remove(tenant_id, document_id, "req_2"), "not_found");
    await refused(rig.commands.reingest(tenant_id, document_id, "req_2"), "not_found");

    await rig.worker().start();
    await rig.until(async () => (await rig.job(job_id)).state === "succeeded");
    expect(await rig.documents.listVersions(tenant_id, document_id)).toEqual([]);
    await expectNothingOf(rig, document_id, 1);
    await rig.settled(kept.document_id);
    expect(await rig.blobKeys()).toHaveLength(2);
    const events = await rig.events(document_id);
    expect(events.slice(0, -1)).toEqual(before);
    expect(events.at(-1)).toMatchObject({ event_type: "rag.document.deleted", data: { job_id } });
  });

  test("frees the bytes: uploaded again, they are a new document", async () => {
    const rig = await openRig();
    const first = await rig.upload("same");
    await rig.commands.remove(tenant_id, first.document_id, "req_1");
    const second = await rig.upload("same");
    expect(second.duplicate).toBe(false);
    expect(second.document_id).not.toBe(first.document_id);
  });

  test("stops an ingestion under way, and erases what it had made", async () => {
    const { rig, embedder, reached, go } = await openStoppable("embedding");
    const { document_id, job_id } = await rig.upload(paragraphs(10));
    await rig.worker({ embedder }).start();
    await reached;
    const removed = await rig.commands.remove(tenant_id, document_id, "req_1");
    expect((await rig.job(job_id)).state).toBe("cancelled");
    await rig.until(async () => (await rig.job(removed.job_id)).state === "succeeded");
    go();
    await expectNothingOf(rig, document_id, 1);
    expect(await rig.blobKeys()).toEqual([]);
    expect((await rig.events(document_id)).at(-1)?.event_type).toBe("rag.document.deleted");
  });
});

describe("cancel", () => {
  test.each(["extracting", "embedding"] as const)("stops the work inside %s", async (stage) => {
    const { rig, embedder, extractor, reached } = await openStoppable(stage);
    const { document_id, job_id } = await rig.upload(paragraphs(10));
    const worker = rig.worker({ embedder, extractor });
    await worker.start();
    await reached;
    const job = await rig.commands.cancel(tenant_id, job_id, "req_1");
    expect(job).toMatchObject({ state: "cancelled", leased_by: null });
    expect(await rig.job(job_id)).toMatchObject({ state: "cancelled", leased_by: null });
    expect(await rig.get(document_id)).toMatchObject({ status: "cancelled", stage: null });
    // The worker is free again, though what it waited for never came.
    const next = await rig.upload("another one");
    expect((await rig.settled(next.document_id)).status).toBe("completed");
    await expectNothingOf(rig, document_id, 1);
    const events = await rig.expectReplays(document_id);
    expect(events.at(-1)).toMatchObject({
      event_type: "rag.ingestion.cancelled",
      causation_id: "req_1",
      data: { reason: "requested" },
    });
    expect(rig.log.filter((line) => line.level !== "info")).toEqual([]);
  });

  test("of one that waits takes it out of the queue", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload("short");
    await rig.commands.cancel(tenant_id, job_id, "req_1");
    expect(await rig.queue.claim("wrk_1", 5, 1_000)).toEqual([]);
    await rig.expectReplays(document_id);
  });

  test("of a re-ingestion leaves the old version searchable", async () => {
    const rig = await openRig();
    const document_id = await ingested(rig, paragraphs(4));
    const { job_id } = await rig.commands.reingest(tenant_id, document_id, "req_1");
    await rig.commands.cancel(tenant_id, job_id, "req_2");
    expect(await rig.get(document_id)).toMatchObject({ status: "cancelled", searchable_version: 1 });
    expect(await rig.found("quartz")).toHaveLength(4);
  });

  test("of what has ended, erases, or is not there, is refused", async () => {
    const rig = await openRig();
    const document_id = await ingested(rig, "short");
    const { job_id } = await rig.get(document_id);
    await refused(rig.commands.cancel(tenant_id, job_id, "req_1"), "already_ended");
    await refused(rig.commands.cancel("t2", job_id, "req_1"), "not_found");
    await refused(rig.commands.cancel(tenant_id, "job_none", "req_1"), "not_found");
    const removed = await rig.commands.remove(tenant_id, document_id, "req_1");
    await refused(rig.commands.cancel(tenant_id, removed.job_id, "req_1"), "already_ended");
  });

  test("that meets the job's end is refused as one that came after it", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload("short");
    let raced = false;
    const commands = rig.commandsOver({
      queue: {
        ...rig.queue,
        async get(id, tenant) {
          const job = await rig.queue.get(id, tenant);
          if (!raced) {
            raced = true;
            await rig.worker().start();
            await rig.settled(document_id);
          }
          return job;
        },
      },
    });
    await refused(commands.cancel(tenant_id, job_id, "req_1"), "already_ended");
    expect(await rig.get(document_id)).toMatchObject({ status: "completed" });
  });
});

describe("retry", () => {
  /** A document whose embedding failed for good after two of three batches. */
  async function openDead() {
    const rig = await openRig({ max_attempts: 1 });
    const embedder = createTestEmbedder();
    embedder.before = (answered) => {
      if (answered >= 8) throw new Error("the model broke");
    };
    const { document_id, job_id } = await rig.upload(paragraphs(12));
    const worker = rig.worker({ embedder });
    await worker.start();
    expect(await rig.settled(document_id)).toMatchObject({
      status: "failed",
      error: { code: "internal", message: "the model broke" },
    });
    expect(await rig.job(job_id)).toMatchObject({ state: "dead", attempts: 1 });
    await worker.stop();
    return { rig, document_id, job_id };
  }

  test("keeps the job's id and goes on from its last checkpoint", async () => {
    const { rig, document_id, job_id } = await openDead();
    const dead = await rig.queue.list({ tenant_id, state: "dead", limit: 5 });
    expect(dead.map((job) => job.job_id)).toEqual([job_id]);
    const job = await rig.commands.retry(tenant_id, job_id, "req_1");
    expect(job).toMatchObject({ job_id, state: "queued", error: null });
    expect(await rig.get(document_id)).toMatchObject({ status: "pending", version: 1, job_id, error: null });
    const embedder = createTestEmbedder();
    const untouched: Extractor = { ...rig.extractor, extract: () => Promise.reject(new Error("again?")) };
    await rig.worker({ embedder, extractor: untouched }).start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed", chunks_created: 12 });
    expect(embedder.texts).toHaveLength(4);
    expect(await rig.found("quartz")).toHaveLength(12);
    expect((await rig.job(job_id)).state).toBe("succeeded");
    await rig.expectReplays(document_id);
  });

  test("of a cancelled job begins anew", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload(paragraphs(3));
    await rig.commands.cancel(tenant_id, job_id, "req_1");
    await rig.commands.retry(tenant_id, job_id, "req_2");
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed", chunks_created: 3 });
    await rig.expectReplays(document_id);
  });

  test("of a job that the document has moved on from is refused", async () => {
    const { rig, document_id, job_id } = await openDead();
    const newer = await rig.commands.reingest(tenant_id, document_id, "req_1");
    await refused(rig.commands.retry(tenant_id, job_id, "req_2"), "superseded");
    await rig.commands.cancel(tenant_id, newer.job_id, "req_3");
    await rig.commands.remove(tenant_id, document_id, "req_4");
    await refused(rig.commands.retry(tenant_id, newer.job_id, "req_5"), "superseded");
  });

  test("of one that waits, succeeded or is not there is refused", async () => {
    const rig = await openRig({ storage: "memory" });
    const waiting = await rig.upload("waits");
    await refused(rig.commands.retry(tenant_id, waiting.job_id, "req_1"), "not_dead");
    await rig.worker().start();
    await rig.settled(waiting.document_id);
    await refused(rig.commands.retry(tenant_id, waiting.job_id, "req_1"), "not_dead");
    await refused(rig.commands.retry("t2", waiting.job_id, "req_1"), "not_found");
  });

  test("of all dead letters, or of those of one error, page by page", async () => {
    const rig = await openRig({ max_attempts: 1 });
    const dead: string[] = [];
    for (const text of [" ", "  ", "   "]) dead.push((await rig.upload(text)).document_id);
    const broken: string[] = [];
    for (const text of ["one", "two"]) broken.push((await rig.upload(text)).document_id);
    const embedder = createTestEmbedder();
    embedder.before = () => {
      throw new Error("the model broke");
    };
    const worker = rig.worker({ embedder });
    await worker.start();
    for (const document_id of [...dead, ...broken]) await rig.settled(document_id);
    await worker.stop();
    // One of them has moved on: its dead job is passed over.
    await rig.commands.reingest(tenant_id, broken[0]!, "req_1");
    const retry = (query: Parameters<typeof rig.commands.retryDead>[1]) =>
      rig.commands.retryDead(tenant_id, query, "req_2");
    expect(await retry({ error_code: "internal", limit: 10 })).toEqual({
      retried: 1,
      skipped: 1,
      last: null,
    });
    expect(await rig.get(broken[1]!)).toMatchObject({ status: "pending", error: null });
    expect(await rig.get(dead[0]!)).toMatchObject({ status: "failed" });
    const first = await retry({ limit: 2 });
    expect(first).toMatchObject({ retried: 1, skipped: 1 });
    expect(await retry({ limit: 5, before: first.last! })).toEqual({ retried: 2, skipped: 0, last: null });
    expect(await rig.commands.retryDead("t2", { limit: 5 }, "req_3")).toEqual({
      retried: 0,
      skipped: 0,
      last: null,
    });
    for (const document_id of dead) expect(await rig.get(document_id)).toMatchObject({ status: "pending" });
  });

  test("by ten at once runs the job once", async () => {
    const { rig, document_id, job_id } = await openDead();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => rig.commands.retry(tenant_id, job_id, `req_${n}`)),
    );
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "not_dead" });
    }
    const events = await rig.expectReplays(document_id);
    expect(events.filter((event) => event.event_type === "rag.ingestion.requested")).toHaveLength(1);
  });

  test("that meets another's is refused as one that came after it", async () => {
    const { rig, job_id } = await openDead();
    let raced = false;
    const commands = rig.commandsOver({
      queue: {
        ...rig.queue,
        async get(id, tenant) {
          const job = await rig.queue.get(id, tenant);
          if (!raced) {
            raced = true;
            await rig.commands.retry(tenant_id, job_id, "req_1");
          }
          return job;
        },
      },
    });
    await refused(commands.retry(tenant_id, job_id, "req_2"), "not_dead");
  });

  test("of a dead erasing job runs it again", async () => {
    const rig = await openRig({ storage: "memory" });
    const { document_id } = await rig.upload("short");
    const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");
    await rig.queue.fail(await rig.claim(), { code: "internal", message: "x", retryable: false });
    expect((await rig.job(job_id)).state).toBe("dead");
    await rig.commands.retry(tenant_id, job_id, "req_2");
    await rig.worker().start();
    await rig.until(async () => (await rig.job(job_id)).state === "succeeded");
    expect(await rig.blobKeys()).toEqual([]);
  });
});
