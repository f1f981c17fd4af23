import { describe, expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { JobQueue } from "../../src/ports/job-queue.ts";
import { recoverWorker } from "../../src/worker/worker.ts";
import { createClock } from "../support/clock.ts";
import { mortal } from "../support/deaths.ts";
import { createTestEmbedder, unlessAborted } from "../support/embedder.ts";
import { holdAt } from "../support/hold.ts";
import { createLife } from "../support/life.ts";
import { gate, openRig, PATIENCE_MS, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

const LEASE_MS = 30_000;
const BEAT_MS = 2_000;

/** Job ids of all that was started, in the order of the log. */
async function startsOf(rig: Rig): Promise<string[]> {
  const events = await rig.documents.readEvents({ after: 0, limit: 10_000 });
  return events.flatMap((event) => (event.event_type === "rag.ingestion.started" ? [event.data.job_id] : []));
}

/** An embedder whose calls wait until they are let go, one by one. */
function waiting() {
  const inside: { texts: string[]; go: () => void }[] = [];
  let most = 0;
  let watchers: (() => void)[] = [];
  const embedder: Embedder = {
    ...createTestEmbedder(),
    async embed(texts, kind, signal) {
      const go = gate();
      const leave = () => {
        if (inside.includes(call)) inside.splice(inside.indexOf(call), 1);
      };
      const call = {
        texts,
        go() {
          leave();
          go.open();
        },
      };
      inside.push(call);
      most = Math.max(most, inside.length);
      for (const look of watchers) look();
      try {
        await unlessAborted(go.opened, signal);
      } finally {
        leave();
      }
      return createTestEmbedder().embed(texts, kind);
    },
  };
  return {
    embedder,
    inside,
    most: () => most,
    /** Resolves when so many calls wait. */
    reached: (count: number) =>
      new Promise<void>((resolve) => {
        const look = () => inside.length >= count && resolve();
        watchers = [...watchers, look];
        look();
      }),
  };
}

describe("several jobs at once", () => {
  test("up to its concurrency, and the next as soon as one ends", async () => {
    const rig = await openRig();
    const uploads = await Promise.all(Array.from({ length: 5 }, (_, n) => rig.upload(`text number ${n}`)));
    const embedding = waiting();
    await rig.worker({ embedder: embedding.embedder }, { concurrency: 3 }).start();
    await embedding.reached(3);
    expect((await rig.queue.stats()).by_state).toMatchObject({ running: 3, queued: 2 });
    embedding.inside[0]!.go();
    await rig.until(async () => (await rig.queue.stats()).by_state.succeeded === 1);
    await embedding.reached(3);
    expect((await rig.queue.stats()).by_state).toMatchObject({ running: 3, queued: 1, succeeded: 1 });
    embedding.inside[0]!.go();
    await rig.until(async () => (await rig.queue.stats()).by_state.succeeded === 2);
    await embedding.reached(3);
    for (const call of [...embedding.inside]) call.go();
    for (const { document_id } of uploads) {
      expect((await rig.settled(document_id)).status).toBe("completed");
    }
    expect(embedding.most()).toBe(3);
  });

  test("two workers share the work, and no job is run by both", async () => {
    const rig = await openRig();
    const uploads = await Promise.all(Array.from({ length: 6 }, (_, n) => rig.upload(`text number ${n}`)));
    const embedding = waiting();
    const workers = [0, 1].map(() => rig.worker({ embedder: embedding.embedder }, { concurrency: 2 }));
    for (const worker of workers) await worker.start();
    await embedding.reached(4);
    const known = await rig.queue.workers();
    expect(known.map(({ worker_id }) => worker_id)).toEqual(workers.map((worker) => worker.worker_id).sort());
    for (const { holds } of known) expect(holds).toHaveLength(2);
    for (const call of [...embedding.inside]) call.go();
    await embedding.reached(2);
    for (const call of [...embedding.inside]) call.go();
    for (const { document_id } of uploads) await rig.settled(document_id);
    const starts = await startsOf(rig);
    expect(new Set(starts).size).toBe(6);
    expect(starts).toHaveLength(6);
  });

  test("one job that fails takes no other with it", async () => {
    const rig = await openRig({ max_attempts: 1 });
    const bad = await rig.upload("bad", { filename: "bad.txt" });
    const good = await rig.upload("good");
    const extractor = {
      ...rig.extractor,
      extract(...given: Parameters<typeof rig.extractor.extract>) {
        if (given[0].filename === "bad.txt") throw new TypeError("a defect, thrown at once");
        return rig.extractor.extract(...given);
      },
    };
    await rig.worker({ extractor }, { concurrency: 2 }).start();
    expect((await rig.settled(good.document_id)).status).toBe("completed");
    expect(await rig.settled(bad.document_id)).toMatchObject({
      status: "failed",
      error: { code: "internal" },
    });
  });

  test("a job of a type that nobody knows is a dead letter at once", async () => {
    const rig = await openRig({ storage: "memory" });
    const job_id = rig.system.newId("job");
    await rig.queue.enqueue([
      { job_id, tenant_id, job_type: "make_tea", payload: {}, correlation_id: rig.system.newId("cor") },
    ]);
    await rig.worker().start();
    await rig.until(async () => (await rig.job(job_id)).state === "dead");
    expect(await rig.job(job_id)).toMatchObject({
      attempts: 1,
      error: { code: "internal", retryable: false },
    });
  });
});

describe("whose turn it is", () => {
  test("tenants take turns, however much one of them has waiting", async () => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system });
    const upload = async (tenant: string, n: number) => {
      clock.advance(1);
      return (await rig.upload(`text ${n}`, { tenant_id: tenant })).job_id;
    };
    const names = new Map<string, string>();
    for (let n = 0; n < 8; n++) names.set(await upload("large", n), `large ${n}`);
    names.set(await upload("small", 0), "small 0");
    names.set(await upload("other", 0), "other 0");
    await rig.worker().start();
    await rig.until(async () => (await rig.queue.stats()).by_state.succeeded === 10);
    const order = (await startsOf(rig)).map((job_id) => names.get(job_id));
    expect(order.slice(0, 3).sort()).toEqual(["large 0", "other 0", "small 0"]);
    expect(order.slice(3)).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `large ${n}`));
  });

  test("within a tenant higher priority first, then the one that waited longest", async () => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system });
    const names = new Map<string, number>();
    for (const [place, priority] of [0, 5, 0, -3, 5].entries()) {
      clock.advance(1);
      names.set((await rig.upload(`text ${place}`, { priority })).job_id, place);
    }
    await rig.worker().start();
    await rig.until(async () => (await rig.queue.stats()).by_state.succeeded === 5);
    expect((await startsOf(rig)).map((job_id) => names.get(job_id))).toEqual([1, 4, 0, 2, 3]);
  });

  test.each(["sqlite", "memory"] as const)(
    "a delayed job runs when its time has come, in %s",
    async (storage) => {
      const clock = createClock();
      const rig = await openRig({ storage, system: clock.system });
      const { document_id, job_id } = await rig.upload("short");
      await rig.queue.retry(await rig.claim(), null, clock.system.now() + 50_000);
      const asleep = clock.nextSleep(50_000);
      await rig.worker().start();
      await asleep;
      clock.advance(49_999);
      expect(await rig.job(job_id)).toMatchObject({ state: "retrying", attempts: 1 });
      clock.advance(1);
      expect((await rig.settled(document_id)).status).toBe("completed");
    },
  );
});

describe("heartbeat", () => {
  test("keeps the lease of a job that takes long, so that nobody else takes it", async () => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system });
    const { document_id, job_id } = await rig.upload("short");
    const embedding = waiting();
    const worker = rig.worker({ embedder: embedding.embedder });
    await worker.start();
    await embedding.reached(1);
    await rig.worker().start();
    for (let passed = 0; passed < 3 * LEASE_MS; passed += BEAT_MS) {
      const beaten = clock.nextSleep(BEAT_MS);
      clock.advance(BEAT_MS);
      await beaten;
    }
    const [seen] = (await rig.queue.workers()).filter(({ worker_id }) => worker_id === worker.worker_id);
    expect(seen?.holds).toEqual([job_id]);
    expect(clock.system.now() - Date.parse(seen!.last_seen_at)).toBeLessThanOrEqual(BEAT_MS);
    embedding.inside[0]!.go();
    expect((await rig.settled(document_id)).status).toBe("completed");
    expect(await rig.job(job_id)).toMatchObject({ attempts: 1 });
  });

  test("settles the jobs of a worker that fell silent, and runs them again", async () => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system });
    const { document_id, job_id } = await rig.upload("short");
    await rig.claim("wrk_silent", LEASE_MS);
    await rig.worker().start();
    const beaten = clock.nextSleep(BEAT_MS);
    clock.advance(LEASE_MS - 1);
    await beaten;
    expect(await rig.job(job_id)).toMatchObject({ state: "running", leased_by: "wrk_silent" });
    clock.advance(BEAT_MS);
    expect((await rig.settled(document_id)).status).toBe("completed");
    expect(await rig.job(job_id)).toMatchObject({ state: "succeeded", attempts: 2 });
    expect(rig.log.find(({ level }) => level === "warn")).toMatchObject({
      fields: { job_id, worker_id: "wrk_silent", state: "retrying" },
    });
  });

  test("that fails stops nothing: the next one works", async () => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system });
    let away = true;
    const queue: JobQueue = {
      ...rig.queue,
      claim: (...given) =>
        away ? Promise.reject(new SluiceError("storage_unavailable", "locked")) : rig.queue.claim(...given),
      heartbeat: (...given) =>
        away
          ? Promise.reject(new SluiceError("storage_unavailable", "locked"))
          : rig.queue.heartbeat(...given),
    };
    const { document_id } = await rig.upload("short");
    await rig.worker({ queue }).start();
    expect(rig.log.filter(({ level }) => level === "error").length).toBeGreaterThanOrEqual(2);
    away = false;
    clock.advance(BEAT_MS);
    expect((await rig.settled(document_id)).status).toBe("completed");
  });
});

describe("stop", () => {
  test("waits for what runs, takes nothing new, and forgets the worker", async () => {
    const rig = await openRig();
    const first = await rig.upload("first");
    const embedding = waiting();
    const worker = rig.worker({ embedder: embedding.embedder });
    await worker.start();
    await embedding.reached(1);
    const second = await rig.upload("second");
    const stopping = worker.stop(PATIENCE_MS);
    embedding.inside[0]!.go();
    await stopping;
    expect((await rig.get(first.document_id)).status).toBe("completed");
    expect((await rig.get(second.document_id)).status).toBe("pending");
    expect(await rig.queue.workers()).toEqual([]);
  });

  test("hands back what is not done in time: at once, from its checkpoint, at no cost", async () => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system, max_attempts: 1 });
    const { document_id, job_id } = await rig.upload(paragraphs(10));
    // Its place in the queue, which it keeps.
    const { run_at } = await rig.job(job_id);
    const held = holdAt(rig, "embedding");
    const worker = rig.worker(held.parts);
    await worker.start();
    await held.reached;
    const patience = clock.nextSleep(5_000);
    const stopping = worker.stop(5_000);
    await patience;
    expect((await rig.job(job_id)).state).toBe("running");
    clock.advance(5_000);
    await stopping;
    expect(await rig.job(job_id)).toMatchObject({ state: "retrying", attempts: 0, leased_by: null, run_at });
    expect(await rig.get(document_id)).toMatchObject({ status: "pending", error: { code: "shutting_down" } });
    const embedder = createTestEmbedder();
    await rig.worker({ embedder }).start();
    expect((await rig.settled(document_id)).status).toBe("completed");
    expect(embedder.texts).toHaveLength(6);
    expect(await rig.job(job_id)).toMatchObject({ state: "succeeded", attempts: 1 });
    await rig.expectReplays(document_id);
  });
});

describe("a job that comes back to its worker while its earlier run is still unwinding", () => {
  test("is run, kept and handed back like any other", async () => {
    const rig = await openRig();
    const { job_id } = await rig.upload("short");
    // The first call is deaf to its signal; the second hears.
    const [entered, again, go] = [gate(), gate(), gate()];
    let calls = 0;
    const embedder: Embedder = {
      ...createTestEmbedder(),
      embed(_texts, _kind, signal) {
        if (++calls > 1) {
          again.open();
          return unlessAborted(new Promise<never>(() => {}), signal);
        }
        entered.open();
        return go.opened.then(() => []);
      },
    };
    const worker = rig.worker({ embedder }, { concurrency: 2 });
    await worker.start();
    await entered.opened;
    await rig.commands.cancel(tenant_id, job_id, "req_1");
    await rig.commands.retry(tenant_id, job_id, "req_2");
    await again.opened;
    go.open();
    // The first run has ended when nothing else could have been claimed in its place before.
    const other = await rig.upload("another");
    await rig.until(async () => (await rig.job(other.job_id)).state === "running");
    await worker.stop();
    expect(await rig.job(job_id)).toMatchObject({ state: "retrying", attempts: 0, leased_by: null });
    expect(await rig.job(other.job_id)).toMatchObject({ state: "retrying", attempts: 0, leased_by: null });
  });
});

describe("recoverWorker", () => {
  test("settles all that a dead worker held, and forgets it", async () => {
    const rig = await openRig({ max_attempts: 2 });
    const uploads = await Promise.all([1, 2, 3].map((n) => rig.upload(`text ${n}`)));
    const embedding = waiting();
    const life = createLife();
    const worker = rig.worker({ ...mortal(rig, life), embedder: embedding.embedder }, { concurrency: 3 });
    await worker.startUnstopped();
    await embedding.reached(3);
    life.kill();
    expect(await recoverWorker(rig.workerParts(), worker.worker_id)).toBe(3);
    expect(await rig.queue.workers()).toEqual([]);
    for (const { document_id, job_id } of uploads) {
      expect(await rig.job(job_id)).toMatchObject({
        state: "retrying",
        attempts: 1,
        error: { code: "worker_lost", message: expect.stringContaining(worker.worker_id) },
      });
      expect(await rig.get(document_id)).toMatchObject({ status: "pending" });
    }
    expect(await recoverWorker(rig.workerParts(), worker.worker_id)).toBe(0);
  });

  test.each(["sqlite", "memory"] as const)(
    "a clock set back by an hour while they ran makes nothing of it wait for an hour, in %s",
    async (storage) => {
      const clock = createClock();
      const rig = await openRig({ storage, system: clock.system });
      const { job_id } = await rig.upload("text");
      await rig.claim("wrk_dead", LEASE_MS);
      clock.advance(-3_600_000);
      expect(await recoverWorker(rig.workerParts(), "wrk_dead")).toBe(1);
      expect(await rig.claim("wrk_next", LEASE_MS)).toMatchObject({ job: { job_id, attempts: 2 } });
    },
  );

  test.each([
    ["cancelled", 1],
    ["cancelled", 2],
    ["deleted", 1],
  ] as const)(
    "one of them %s meanwhile, of %d attempts: the others are settled all the same",
    async (end, max_attempts) => {
      const rig = await openRig({ max_attempts });
      const uploads = await Promise.all([1, 2, 3].map((n) => rig.upload(`text ${n}`)));
      expect(await rig.queue.claim("wrk_dead", 3, LEASE_MS)).toHaveLength(3);
      const queue: JobQueue = {
        ...rig.queue,
        async heldBy(worker_id) {
          const held = await rig.queue.heldBy(worker_id);
          const { job_id, job } = held[0]!;
          if (end === "cancelled") await rig.commands.cancel(tenant_id, job_id, "req_1");
          else await rig.commands.remove(tenant_id, job.payload.document_id as string, "req_1");
          return held;
        },
      };
      await recoverWorker({ ...rig.workerParts(), queue }, "wrk_dead");
      const jobs = await Promise.all(uploads.map(({ job_id }) => rig.job(job_id)));
      const state = max_attempts === 1 ? "dead" : "retrying";
      expect(jobs.map((job) => job.state).sort()).toEqual(["cancelled", state, state].sort());
    },
  );
});
