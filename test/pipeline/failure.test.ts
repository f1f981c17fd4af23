import { describe, expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { type FailureDependencies, settleFailure } from "../../src/pipeline/failure.ts";
import { createJournal } from "../../src/pipeline/journal.ts";
import type { Commit, DocumentStore } from "../../src/ports/document-store.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { createClock } from "../support/clock.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { holdAt, type Place, places } from "../support/hold.ts";
import { chunkIds, gate, openRig, PATIENCE_MS, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

const away = (options = {}) => new SluiceError("embedder_unavailable", "The embedder is away.", options);
const told = { code: "embedder_unavailable", message: "The embedder is away.", retryable: true };

const failures = (events: SluiceEvent[]) =>
  events.filter(
    ({ event_type }) =>
      event_type === "rag.ingestion.retry_scheduled" || event_type === "rag.ingestion.failed",
  );

/** An embedder that fails with each of these in turn, and then works. */
function failing(...errors: unknown[]) {
  const embedder = createTestEmbedder();
  embedder.before = () => {
    if (errors.length > 0) throw errors.shift();
  };
  return embedder;
}

describe.each(["sqlite", "memory"] as const)("an attempt that failed, in %s", (storage) => {
  test("for a reason that may pass is tried again, later each time, and forgotten once it works", async () => {
    const clock = createClock();
    clock.chance(0.5);
    const retry = { base_ms: 10_000, cap_ms: 60_000 };
    const rig = await openRig({ storage, system: clock.system, retry });
    const { document_id, job_id } = await rig.upload("short");
    const waits = [5_000, 10_000, 20_000];
    const embedder = failing(...waits.map(() => away()));
    let asleep = clock.nextSleep(waits[0]!);
    await rig.worker({ embedder }).start();
    for (const [done, wait] of waits.entries()) {
      await asleep;
      const run_at = new Date(clock.system.now() + wait).toISOString();
      const attempts = done + 1;
      expect(await rig.job(job_id)).toMatchObject({ state: "retrying", attempts, run_at, error: told });
      expect(await rig.get(document_id)).toMatchObject({ status: "pending", stage: null, error: told });
      expect(failures(await rig.events(document_id)).at(-1)).toMatchObject({
        event_type: "rag.ingestion.retry_scheduled",
        causation_id: job_id,
        data: { job_id, version: 1, attempt: attempts, error: told, run_at },
      });
      clock.advance(wait - 1);
      expect(await rig.queue.claim("wrk_eager", 1, 1_000)).toEqual([]);
      asleep = clock.nextSleep(waits[done + 1] ?? 0);
      clock.advance(1);
    }
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed", error: null });
    expect(await rig.job(job_id)).toMatchObject({ state: "succeeded", attempts: 4, error: null });
    expect(failures(await rig.expectReplays(document_id))).toHaveLength(3);
  });

  test("waits at least as long as the service asked for", async () => {
    const clock = createClock();
    const rig = await openRig({ storage, system: clock.system });
    const { document_id } = await rig.upload("short");
    const asleep = clock.nextSleep(45_000);
    const error = new SluiceError("embedder_rate_limited", "Slow down.", { retry_after_ms: 45_000 });
    await rig.worker({ embedder: failing(error) }).start();
    await asleep;
    clock.advance(45_000);
    expect((await rig.settled(document_id)).status).toBe("completed");
  });

  test("for a reason that stays is failed at once, with attempts left", async () => {
    const rig = await openRig({ storage });
    let reads = 0;
    const { document_id, job_id } = await rig.upload("short");
    const extractor = {
      ...rig.extractor,
      async extract() {
        reads += 1;
        throw new SluiceError("malformed_document", "notes.txt is damaged.");
      },
    };
    await rig.worker({ extractor }).start();
    const error = { code: "malformed_document", message: "notes.txt is damaged.", retryable: false };
    expect(await rig.settled(document_id)).toMatchObject({ status: "failed", stage: null, error });
    expect(await rig.job(job_id)).toMatchObject({ state: "dead", attempts: 1, error });
    expect(reads).toBe(1);
    const events = await rig.expectReplays(document_id);
    expect(failures(events)).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({
      event_type: "rag.ingestion.failed",
      data: { job_id, version: 1, attempt: 1, error },
    });
  });

  test("the last of its attempts is a dead letter that says why and how often", async () => {
    const rig = await openRig({ storage, max_attempts: 3 });
    const { document_id, job_id } = await rig.upload(paragraphs(6));
    const embedder = failing(away(), away(), new TypeError("vectors of the wrong shape"));
    await rig.worker({ embedder }).start();
    const error = { code: "internal", message: "vectors of the wrong shape", retryable: true };
    expect(await rig.settled(document_id)).toMatchObject({ status: "failed", error });
    const [letter, ...others] = await rig.queue.list({ tenant_id, state: "dead", limit: 10 });
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ job_id, attempts: 3, max_attempts: 3, error, leased_by: null });
    expect(letter?.finished_at).not.toBeNull();
    expect(
      failures(await rig.expectReplays(document_id)).map(({ event_type, data }) => [event_type, data]),
    ).toEqual([
      ["rag.ingestion.retry_scheduled", expect.objectContaining({ attempt: 1, error: told })],
      ["rag.ingestion.retry_scheduled", expect.objectContaining({ attempt: 2, error: told })],
      ["rag.ingestion.failed", expect.objectContaining({ attempt: 3, error })],
    ]);
    expect(await rig.found("quartz")).toEqual([]);
  });
});

describe("settleFailure beside a progress write of the same attempt", () => {
  /** An attempt that has begun, and its journal. */
  async function openBegun(max_attempts = 5) {
    const rig = await openRig({ max_attempts });
    const { document_id, job_id } = await rig.upload("short");
    const claimed = await rig.claim();
    const journal = createJournal(rig, claimed, await rig.get(document_id));
    const data = { job_id, version: 1, attempt: 1, worker_id: "wrk_test" };
    await journal.record([{ event_type: "rag.ingestion.started", data }]);
    const progress = (done: number) =>
      journal.record([
        {
          event_type: "rag.ingestion.progressed",
          data: { job_id, version: 1, stage: "extracting", done, total: 9 },
        },
      ]);
    return { rig, document_id, job_id, claimed, progress };
  }

  /** The settling side's store: `meanwhile` happens between its read and its commit. */
  function raced(rig: Rig, meanwhile: (round: number) => Promise<unknown>): FailureDependencies {
    let round = 0;
    const commit = async (commits: Commit[]) => {
      await meanwhile(++round);
      return rig.documents.commit(commits);
    };
    return { ...rig.workerParts(), documents: { ...rig.documents, commit } };
  }

  test.each([
    ["retried", 5, "retrying"],
    ["dead", 1, "dead"],
  ] as const)("that comes first: decided anew on what it left, and %s", async (_, max_attempts, state) => {
    const { rig, document_id, job_id, claimed, progress } = await openBegun(max_attempts);
    const outcome = await settleFailure(
      raced(rig, async (round) => round <= 3 && (await progress(round))),
      claimed,
      away(),
    );
    expect(outcome.state).toBe(state);
    expect(await rig.job(job_id)).toMatchObject({ state, attempts: 1, error: told, leased_by: null });
    expect((await rig.get(document_id)).error).toEqual(told);
    const events = await rig.expectReplays(document_id);
    expect(events.map(({ event_type }) => event_type)).toEqual([
      "rag.document.uploaded",
      "rag.ingestion.started",
      ...Array(3).fill("rag.ingestion.progressed"),
      state === "dead" ? "rag.ingestion.failed" : "rag.ingestion.retry_scheduled",
    ]);
  });

  test("an attempt that begins while its loss is being settled has begun, and is over", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload("short");
    const claimed = await rig.claim();
    const journal = createJournal(rig, claimed, await rig.get(document_id));
    const data = { job_id, version: 1, attempt: 1, worker_id: "wrk_test" };
    const begins = async (round: number) => {
      if (round === 1) await journal.record([{ event_type: "rag.ingestion.started", data }]);
    };
    await settleFailure(raced(rig, begins), claimed, away());
    expect(await rig.get(document_id)).toMatchObject({ status: "pending", error: told });
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    await rig.expectReplays(document_id);
  });

  test("that comes after it: refused, and nothing is changed", async () => {
    const { rig, document_id, claimed, progress } = await openBegun();
    await settleFailure(rig.workerParts(), claimed, away());
    const before = [await rig.get(document_id), await rig.events(document_id)];
    await expect(progress(1)).rejects.toMatchObject({ reason: "lease_lost" });
    expect([await rig.get(document_id), await rig.events(document_id)]).toEqual(before);
  });

  test("a worker whose extraction fails while its progress is being written settles it", async () => {
    const rig = await openRig({ max_attempts: 1 });
    const { document_id } = await rig.upload("short");
    const [writing, go, settling] = [gate(), gate(), gate()];
    const documents: DocumentStore = {
      ...rig.documents,
      async commit(commits) {
        if (commits.some(({ events }) => events?.[0]?.event_type === "rag.ingestion.progressed")) {
          writing.open();
          await go.opened;
        }
        // The first try to settle goes ahead only when the progress has been written.
        if (commits.some(({ settle }) => settle)) {
          go.open();
          await settling.opened;
        }
        const sequence = await rig.documents.commit(commits);
        if (commits.some(({ events }) => events?.[0]?.event_type === "rag.ingestion.progressed"))
          settling.open();
        return sequence;
      },
    };
    const extractor = {
      ...rig.extractor,
      async extract(_: unknown, progress: (done: number, total: number) => void) {
        progress(1, 2);
        await writing.opened;
        throw new SluiceError("malformed_document", "notes.txt is damaged.");
      },
    };
    await rig.worker({ documents, extractor }).start();
    expect(await rig.settled(document_id)).toMatchObject({
      status: "failed",
      progress: { done: 1, total: 2 },
    });
    await rig.expectReplays(document_id);
  });

  test("under a lease that is lost: refused, whatever became of the document", async () => {
    const { rig, document_id, job_id, claimed } = await openBegun(1);
    const { job } = claimed;
    // Attempts are left to one of them, and none to the other.
    const both = [claimed, { ...claimed, job: { ...job, max_attempts: 2 } }];
    const race = raced(rig, async (round) => {
      if (round === 1) await rig.commands.cancel(tenant_id, job_id, "req_1");
    });
    await expect(settleFailure(race, claimed, away())).rejects.toMatchObject({ reason: "lease_lost" });
    for (const each of both) {
      const late = settleFailure(rig.workerParts(), each, away());
      await expect(late).rejects.toMatchObject({ name: "ConflictError", reason: "lease_lost" });
    }
    await rig.commands.remove(tenant_id, document_id, "req_2");
    const late = settleFailure(rig.workerParts(), claimed, away());
    await expect(late).rejects.toMatchObject({ reason: "lease_lost" });
  });
});

describe("cancelled while held", () => {
  test.each(places)(
    "%s: the work ends, nothing of it stays, and the worker goes on",
    async (place: Place) => {
      const clock = createClock();
      const rig = await openRig({ system: clock.system });
      const { document_id, job_id } = await rig.upload(paragraphs(10));
      const held = holdAt(rig, place);
      const worker = rig.worker(held.parts);
      await worker.start();
      await held.reached;
      await rig.commands.cancel(tenant_id, job_id, "req_1");
      const cancelled = await rig.get(document_id);
      expect(cancelled).toMatchObject({ status: "cancelled", searchable_version: null });
      held.go();
      const next = await rig.upload("Another one.");
      expect((await rig.settled(next.document_id)).status).toBe("completed");
      await worker.stop(PATIENCE_MS);
      expect(await rig.get(document_id)).toEqual(cancelled);
      expect(await rig.job(job_id)).toMatchObject({ state: "cancelled", leased_by: null });
      expect((await rig.expectReplays(document_id)).at(-1)?.event_type).toBe("rag.ingestion.cancelled");
      expect(await rig.found("quartz")).toEqual([]);
      // Of the cancelled one, its bytes alone: they can be ingested again.
      clock.advance(86_400_000);
      await sweepBlobs(rig, new AbortController().signal);
      expect(await rig.blobKeys()).toHaveLength(1 + 2);
      expect(rig.rows()).toMatchObject({
        documents: 2,
        versions: 2,
        chunks: 1,
        chunks_fts_docsize: 1,
        embeddings: 1,
      });
      expect(rig.log.filter(({ level }) => level !== "info")).toEqual([]);
    },
  );
});

describe("a worker that lost its lease without hearing of it", () => {
  test.each(places)(
    "held %s while another did its work, it can write nothing any more",
    async (place: Place) => {
      const clock = createClock();
      const rig = await openRig({ system: clock.system });
      const { document_id, job_id } = await rig.upload(paragraphs(10));
      const held = holdAt(rig, place, { deaf: true });
      const slow = rig.worker(held.parts);
      await slow.start();
      await held.reached;
      clock.advance(30_001);
      const heir = rig.worker();
      await heir.start();
      expect((await rig.settled(document_id)).status).toBe("completed");
      await heir.stop();
      const state = async () => ({
        document: await rig.get(document_id),
        job: await rig.job(job_id),
        events: await rig.expectReplays(document_id),
        chunks: await rig.documents.listChunks(tenant_id, document_id, 1, 0, 100),
        checkpoints: await rig.documents.listCheckpoints(tenant_id, document_id, 1),
        found: await rig.found("quartz"),
        rows: rig.rows(),
      });
      const before = await state();
      expect(before.job).toMatchObject({ state: "succeeded", attempts: 2 });
      expect(before.found).toEqual(chunkIds(document_id, 1, 10));

      held.go();
      await slow.stop(PATIENCE_MS);
      expect(rig.log.at(-1)).toMatchObject({
        level: "info",
        message: "ingest_document stopped: no longer ours",
      });
      expect(await state()).toEqual(before);
      for await (const _ of await rig.blobs.get(before.checkpoints[0]?.data.part_0_key as string));
    },
  );
});
