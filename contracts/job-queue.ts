/** The contract of a JobQueue: every MUST of src/ports/job-queue.ts. */
import { expect } from "vitest";
import type { ErrorCode } from "../src/errors.ts";
import type { JobState } from "../src/job.ts";
import type { WorkerPresence } from "../src/ports/job-queue.ts";
import { describeQueueLeases } from "./job-queue-leases.ts";
import { newError, newJob } from "./samples.ts";
import {
  claimOne,
  expectConflict,
  type OpenStorage,
  type StorageGaps,
  type StorageHarness,
  type StorageTest,
  storageSuite,
  watchLatency,
} from "./storage.ts";

/** Registers the suite; call it inside a test file. */
export function describeJobQueue(name: string, open: OpenStorage, gaps: StorageGaps = {}): void {
  storageSuite(
    `JobQueue: ${name}`,
    open,
    gaps,
    queueing,
    turns,
    limits,
    clockSetBack,
    describeQueueLeases,
    looking,
    watching,
  );
}

async function claimedTenants(h: StorageHarness, limit: number): Promise<string[]> {
  return (await h.queue.claim("wrk_a", limit, 30_000)).map((claimed) => claimed.job.tenant_id);
}

function queueing(check: StorageTest): void {
  check("a queued job can be read back, with its defaults filled in", async (h) => {
    const job = newJob(h.system);
    await h.queue.enqueue([job]);
    const now = new Date(h.system.now()).toISOString();
    expect(await h.queue.get(job.job_id)).toEqual({
      ...job,
      state: "queued",
      priority: 0,
      attempts: 0,
      max_attempts: 5,
      run_at: now,
      unique_key: null,
      leased_by: null,
      error: null,
      created_at: now,
      updated_at: now,
      finished_at: null,
    });
  });

  check.needing("durable", "a queued job is there after closing and opening again", async (h, more) => {
    const job = newJob(h.system, { priority: 3, unique_key: "once", max_attempts: 9 });
    await h.queue.enqueue([job]);
    const before = await h.queue.get(job.job_id);
    const again = await more.reopen();
    expect(before).toBeDefined();
    expect(await again.queue.get(job.job_id)).toEqual(before);
    expect((await claimOne(again)).job_id).toBe(job.job_id);
  });

  check.needing("durable", "a lease is still held after closing and opening again", async (h, more) => {
    await h.queue.enqueue([newJob(h.system)]);
    const claimed = await claimOne(h);
    const again = await more.reopen();
    expect(await again.queue.lost([claimed])).toEqual([]);
    expect(await again.queue.claim("wrk_b", 1, 1_000)).toEqual([]);
    await again.queue.complete(claimed);
    expect((await again.queue.get(claimed.job_id))?.state).toBe("succeeded");
  });

  check("a second unended job with the same unique_key is refused", async (h) => {
    await h.queue.enqueue([newJob(h.system, { unique_key: "k" })]);
    const second = newJob(h.system, { unique_key: "k" });
    await expectConflict(h.queue.enqueue([second]), "unique_key");
    expect(await h.queue.get(second.job_id)).toBeUndefined();
  });

  check("a refused enqueue queues none of its jobs", async (h) => {
    const first = newJob(h.system, { unique_key: "k" });
    const jobs = [first, newJob(h.system), newJob(h.system, { unique_key: "k" })];
    await expectConflict(h.queue.enqueue(jobs), "unique_key");
    expect(await h.queue.list({ limit: 10 })).toEqual([]);
  });

  check("unique keys of two tenants do not meet", async (h) => {
    await h.queue.enqueue([newJob(h.system, { unique_key: "k" })]);
    await h.queue.enqueue([newJob(h.system, { unique_key: "k", tenant_id: "t2" })]);
    expect((await h.queue.stats()).by_state.queued).toBe(2);
  });

  check("a unique_key stays taken while its job runs or waits for a retry", async (h) => {
    await h.queue.enqueue([newJob(h.system, { unique_key: "k" })]);
    const claimed = await claimOne(h);
    await expectConflict(h.queue.enqueue([newJob(h.system, { unique_key: "k" })]), "unique_key");
    await h.queue.retry(claimed, newError(), h.system.now() + 1_000);
    await expectConflict(h.queue.enqueue([newJob(h.system, { unique_key: "k" })]), "unique_key");
  });

  for (const ending of ["succeeded", "dead", "cancelled"] as const) {
    check(`a unique_key is free again after its job ended: ${ending}`, async (h) => {
      await h.queue.enqueue([newJob(h.system, { unique_key: "k" })]);
      const claimed = await claimOne(h);
      if (ending === "succeeded") await h.queue.complete(claimed);
      else if (ending === "dead") await h.queue.fail(claimed, newError());
      else await h.queue.cancel(claimed.job_id);
      expect((await h.queue.get(claimed.job_id))?.state).toBe(ending);
      const next = newJob(h.system, { unique_key: "k" });
      await h.queue.enqueue([next]);
      expect((await h.queue.get(next.job_id))?.state).toBe("queued");
    });
  }

  check("delay_seconds keeps a job back until the time has come", async (h) => {
    const job = newJob(h.system, { delay_seconds: 60 });
    await h.queue.enqueue([job]);
    expect((await h.queue.get(job.job_id))?.run_at).toBe(new Date(h.system.now() + 60_000).toISOString());
    h.advance(59_999);
    expect(await h.queue.claim("wrk_a", 1, 1_000)).toEqual([]);
    h.advance(1);
    expect((await claimOne(h)).job_id).toBe(job.job_id);
  });

  check.needing(
    "next_ready",
    "nextReadyAt tells when the next delayed job becomes ready, and null when none is delayed",
    async (h) => {
      expect(await h.queue.nextReadyAt()).toBeNull();
      const start = h.system.now();
      await h.queue.enqueue([newJob(h.system)]);
      expect(await h.queue.nextReadyAt()).toBeNull();
      await h.queue.enqueue([
        newJob(h.system, { delay_seconds: 90 }),
        newJob(h.system, { delay_seconds: 30 }),
      ]);
      expect(await h.queue.nextReadyAt()).toBe(start + 30_000);
      await h.queue.retry(await claimOne(h), newError(), start + 10_000);
      expect(await h.queue.nextReadyAt()).toBe(start + 10_000);
      h.advance(90_000);
      expect(await h.queue.nextReadyAt()).toBeNull();
    },
  );
}

function turns(check: StorageTest): void {
  const backlog = async (h: StorageHarness) => {
    await h.queue.enqueue(Array.from({ length: 10_000 }, () => newJob(h.system, { tenant_id: "big" })));
    h.advance(1_000);
    await h.queue.enqueue([newJob(h.system, { tenant_id: "small" })]);
  };

  check.needing(
    "turns",
    "with 10,000 jobs of one tenant waiting, another's only one is among the next two",
    async (h) => {
      await backlog(h);
      expect([...(await claimedTenants(h, 1)), ...(await claimedTenants(h, 1))]).toContain("small");
    },
  );

  check.needing("turns", "turns between tenants are taken inside one claim too", async (h) => {
    await backlog(h);
    expect(await claimedTenants(h, 2)).toContain("small");
  });

  check.needing(
    "turns",
    "a tenant that comes late, in the midst of another's backlog, is among the next two",
    async (h) => {
      await h.queue.enqueue(Array.from({ length: 60 }, () => newJob(h.system, { tenant_id: "big" })));
      for (let count = 0; count < 5; count += 1) await h.queue.claim("wrk_a", 5, 30_000);
      h.advance(1_000);
      await h.queue.enqueue([newJob(h.system, { tenant_id: "small" })]);
      expect([...(await claimedTenants(h, 1)), ...(await claimedTenants(h, 1))]).toContain("small");
    },
  );

  check.needing("turns", "a high priority gives a tenant no turn of another's", async (h) => {
    await h.queue.enqueue(
      Array.from({ length: 20 }, () => newJob(h.system, { tenant_id: "big", priority: 100 })),
    );
    await h.queue.enqueue([newJob(h.system, { tenant_id: "small", priority: 0 })]);
    expect([...(await claimedTenants(h, 1)), ...(await claimedTenants(h, 1))]).toContain("small");
  });

  check.needing("turns", "three tenants with backlogs get a third each", async (h) => {
    for (const tenant_id of ["a", "b", "c"]) {
      await h.queue.enqueue(Array.from({ length: 30 }, () => newJob(h.system, { tenant_id })));
    }
    const order: string[] = [];
    for (let count = 0; count < 6; count += 1) order.push(...(await claimedTenants(h, 3)));
    for (const tenant of ["a", "b", "c"]) expect(order.filter((one) => one === tenant)).toHaveLength(6);
  });

  check.needing(
    "order",
    "within a tenant, higher priority first, then the one ready for longest",
    async (h) => {
      const jobs = [
        newJob(h.system, { priority: 0 }),
        newJob(h.system, { priority: 5 }),
        newJob(h.system, { priority: 5 }),
        newJob(h.system, { priority: -1 }),
      ];
      for (const job of jobs) {
        await h.queue.enqueue([job]);
        h.advance(1);
      }
      const order: string[] = [];
      for (let count = 0; count < 4; count += 1) order.push((await claimOne(h)).job_id);
      expect(order).toEqual([1, 2, 0, 3].map((place) => jobs[place]!.job_id));
    },
  );

  check.needing(
    "order",
    "a job that was delayed counts as waiting from the time it became ready",
    async (h) => {
      const delayed = newJob(h.system, { delay_seconds: 10 });
      await h.queue.enqueue([delayed]);
      h.advance(5_000);
      const later = newJob(h.system);
      await h.queue.enqueue([later]);
      h.advance(5_000);
      expect((await claimOne(h)).job_id).toBe(later.job_id);
      expect((await claimOne(h)).job_id).toBe(delayed.job_id);
    },
  );
}

function limits(check: StorageTest): void {
  const two = { max_running_per_tenant: 2 };
  const backlog = (h: StorageHarness, tenant_id: string, count: number) =>
    h.queue.enqueue(Array.from({ length: count }, () => newJob(h.system, { tenant_id })));

  check("a tenant runs no more at a time than it may; others' jobs are taken meanwhile", async (h) => {
    await backlog(h, "big", 10);
    await backlog(h, "small", 1);
    const claimed = await h.queue.claim("wrk_a", 8, 30_000, two);
    const of = (tenant_id: string) => claimed.filter(({ job }) => job.tenant_id === tenant_id);
    expect([of("big").length, of("small").length]).toEqual([2, 1]);
    expect(await h.queue.claim("wrk_b", 8, 30_000, two)).toEqual([]);
    await h.queue.complete(of("big")[0]!);
    // A queue that turned a job away may look at it again a moment later only.
    h.advance(5_000);
    expect(await h.queue.claim("wrk_b", 8, 30_000, two)).toHaveLength(1);
    // The limit is the claimer's: without one, the rest is free.
    h.advance(5_000);
    expect(await h.queue.claim("wrk_b", 8, 30_000)).toHaveLength(7);
  });

  check("depth counts what waits, of a tenant and of all, whether ready or delayed", async (h) => {
    expect(await h.queue.depth("t1")).toEqual({ tenant: 0, total: 0 });
    await backlog(h, "t1", 3);
    await backlog(h, "t2", 2);
    await h.queue.enqueue([newJob(h.system, { delay_seconds: 60 })]);
    expect(await h.queue.depth("t1")).toEqual({ tenant: 4, total: 6 });
    const [claimed] = await h.queue.claim("wrk_a", 1, 30_000);
    expect((await h.queue.depth("t1")).total).toBe(5);
    await h.queue.retry(claimed!, newError(), h.system.now() + 1_000);
    expect(await h.queue.depth("t1")).toEqual({ tenant: 4, total: 6 });
    await h.queue.cancel(claimed!.job_id);
    expect((await h.queue.depth("t1")).total).toBe(5);
  });
}

function clockSetBack(check: StorageTest): void {
  const hour = 3_600_000;

  check("a clock set back by an hour makes nobody wait for an hour", async (h) => {
    const ready = newJob(h.system);
    const delayed = newJob(h.system, { delay_seconds: 60 });
    await h.queue.enqueue([ready, delayed]);
    h.advance(-hour);
    expect((await h.queue.claim("wrk_a", 5, 30_000)).map(({ job_id }) => job_id)).toEqual([ready.job_id]);
    h.advance(59_000);
    expect(await h.queue.claim("wrk_a", 5, 30_000)).toEqual([]);
    h.advance(1_000);
    expect((await h.queue.claim("wrk_a", 5, 30_000)).map(({ job_id }) => job_id)).toEqual([delayed.job_id]);
  });

  check("a job queued after the clock was set back waits for its own delay", async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    h.advance(-hour);
    const delayed = newJob(h.system, { delay_seconds: 60 });
    await h.queue.enqueue([delayed]);
    expect(await h.queue.claim("wrk_a", 5, 30_000)).toHaveLength(1);
    h.advance(59_000);
    expect(await h.queue.claim("wrk_a", 5, 30_000)).toEqual([]);
    h.advance(1_000);
    expect(await h.queue.claim("wrk_a", 5, 30_000)).toHaveLength(1);
  });

  check("the lease of a worker that died before the clock was set back still ends", async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    const claimed = await claimOne(h, "wrk_a", 30_000);
    h.advance(-hour);
    await h.queue.claim("wrk_b", 1, 30_000);
    expect(await h.queue.expired(5)).toEqual([]);
    h.advance(30_001);
    expect((await h.queue.expired(5)).map(({ job_id }) => job_id)).toEqual([claimed.job_id]);
  });

  check("a step back of a second changes nothing", async (h) => {
    await h.queue.enqueue([newJob(h.system, { delay_seconds: 10 })]);
    h.advance(-1_000);
    expect(await h.queue.claim("wrk_a", 1, 30_000)).toEqual([]);
    h.advance(10_999);
    expect(await h.queue.claim("wrk_a", 1, 30_000)).toEqual([]);
    h.advance(1);
    expect(await h.queue.claim("wrk_a", 1, 30_000)).toHaveLength(1);
  });
}

function looking(check: StorageTest): void {
  check("a job of another tenant is not found", async (h) => {
    const job = newJob(h.system);
    await h.queue.enqueue([job]);
    expect((await h.queue.get(job.job_id, "t1"))?.job_id).toBe(job.job_id);
    expect(await h.queue.get(job.job_id, "t2")).toBeUndefined();
    expect(await h.queue.list({ tenant_id: "t2", limit: 10 })).toEqual([]);
  });

  check("a job that never was is not found", async (h) => {
    expect(await h.queue.get("job_00000000000000000000000000000000")).toBeUndefined();
  });

  check("list gives jobs newest first, by pages, by tenant and by state", async (h) => {
    const jobs = Array.from({ length: 7 }, (_, place) => {
      h.advance(1);
      return newJob(h.system, { tenant_id: place === 3 ? "t2" : "t1" });
    });
    await h.queue.enqueue(jobs);
    const newestFirst = jobs.map((job) => job.job_id).reverse();
    const ids = async (query: Parameters<typeof h.queue.list>[0]) =>
      (await h.queue.list(query)).map((job) => job.job_id);
    expect(await ids({ limit: 100 })).toEqual(newestFirst);
    const mine = newestFirst.filter((job_id) => job_id !== jobs[3]!.job_id);
    const first = await ids({ tenant_id: "t1", limit: 4 });
    expect(first).toEqual(mine.slice(0, 4));
    expect(await ids({ tenant_id: "t1", limit: 4, before: first.at(-1)! })).toEqual(mine.slice(4));
    const claimed = await claimOne(h);
    expect(await ids({ state: "running", limit: 10 })).toEqual([claimed.job_id]);
    expect(await ids({ state: "dead", limit: 10 })).toEqual([]);
    const error = { ...newError(), code: "malformed_document" as const };
    await h.queue.fail(claimed, error);
    expect(await ids({ error_code: "malformed_document", limit: 10 })).toEqual([claimed.job_id]);
    expect(await ids({ state: "dead", error_code: "worker_lost", limit: 10 })).toEqual([]);
  });

  check("stats count jobs by state and tell how long the oldest ready one has waited", async (h) => {
    const none: Record<JobState, number> = {
      queued: 0,
      running: 0,
      retrying: 0,
      succeeded: 0,
      dead: 0,
      cancelled: 0,
    };
    expect(await h.queue.stats()).toEqual({ by_state: none, oldest_ready_ms: 0 });
    await h.queue.enqueue([newJob(h.system, { delay_seconds: 3_600 })]);
    expect(await h.queue.stats()).toEqual({ by_state: { ...none, queued: 1 }, oldest_ready_ms: 0 });
    // Ready long ago, but running since: it waits no more.
    await h.queue.enqueue([newJob(h.system)]);
    await claimOne(h, "wrk_a", 3_600_000);
    h.advance(2_000);
    await h.queue.enqueue(Array.from({ length: 5 }, () => newJob(h.system)));
    const [a, b, c] = await h.queue.claim("wrk_a", 3, 600_000);
    await h.queue.complete(a!);
    await h.queue.fail(b!, newError());
    await h.queue.cancel(c!.job_id);
    await h.queue.retry(await claimOne(h), newError(), h.system.now() + 600_000);
    h.advance(5_000);
    expect(await h.queue.stats()).toEqual({
      by_state: { queued: 2, running: 1, retrying: 1, succeeded: 1, dead: 1, cancelled: 1 },
      oldest_ready_ms: 5_000,
    });
  });

  check("stats of a tenant leave out the others', also the wait of their oldest job", async (h) => {
    await h.queue.enqueue([newJob(h.system, { tenant_id: "t2" })]);
    h.advance(4_000);
    await h.queue.enqueue([newJob(h.system), newJob(h.system)]);
    h.advance(1_000);
    const { queued, succeeded } = (await h.queue.stats("t1")).by_state;
    expect({ queued, succeeded }).toEqual({ queued: 2, succeeded: 0 });
    expect((await h.queue.stats("t1")).oldest_ready_ms).toBe(1_000);
    expect((await h.queue.stats("t2")).oldest_ready_ms).toBe(5_000);
    // What was counted before goes into no later count.
    for (const claimed of await h.queue.claim("wrk_a", 3, 30_000)) await h.queue.complete(claimed);
    await h.queue.enqueue([newJob(h.system)]);
    expect((await h.queue.stats("t1")).by_state).toMatchObject({ queued: 1, succeeded: 2 });
    expect((await h.queue.stats("t2")).by_state).toMatchObject({ queued: 0, succeeded: 1 });
    expect((await h.queue.stats()).by_state).toMatchObject({ queued: 1, succeeded: 3 });
    expect((await h.queue.stats("nobody")).by_state).toMatchObject({ queued: 0, succeeded: 0 });
  });

  check("dead letters are counted by error, most first, of a tenant and of all", async (h) => {
    expect(await h.queue.deadByCode()).toEqual([]);
    const die = async (tenant_id: string, code: ErrorCode) => {
      const job = newJob(h.system, { tenant_id });
      await h.queue.enqueue([job]);
      const claimed = await claimOne(h);
      await h.queue.fail(claimed, newError({ code }));
      return claimed.job_id;
    };
    await die("t1", "worker_lost");
    await die("t1", "malformed_document");
    const last = await die("t1", "malformed_document");
    await die("t2", "internal");
    await die("t2", "worker_lost");
    // Neither a job that was cancelled nor one that waits to be tried again is dead.
    await h.queue.enqueue([newJob(h.system), newJob(h.system)]);
    await h.queue.retry(await claimOne(h), newError(), h.system.now() + 600_000);
    await h.queue.cancel((await claimOne(h)).job_id);
    expect(await h.queue.deadByCode("t1")).toEqual([
      { code: "malformed_document", jobs: 2 },
      { code: "worker_lost", jobs: 1 },
    ]);
    expect(await h.queue.deadByCode()).toEqual([
      { code: "malformed_document", jobs: 2 },
      { code: "worker_lost", jobs: 2 },
      { code: "internal", jobs: 1 },
    ]);
    await h.queue.redrive(last);
    expect(await h.queue.deadByCode("t1")).toEqual([
      { code: "malformed_document", jobs: 1 },
      { code: "worker_lost", jobs: 1 },
    ]);
    expect(await h.queue.deadByCode("t3")).toEqual([]);
  });

  check(
    "loads tell what each tenant has in the queue, most loaded first, and end at their limit",
    async (h) => {
      expect(await h.queue.loads(10)).toEqual([]);
      const enqueue = (tenant_id: string, count: number, delay_seconds = 0) =>
        h.queue.enqueue(Array.from({ length: count }, () => newJob(h.system, { tenant_id, delay_seconds })));
      await enqueue("c", 1);
      await h.queue.fail(await claimOne(h), newError());
      await enqueue("done", 1);
      await h.queue.complete(await claimOne(h));
      await enqueue("a", 2);
      await claimOne(h);
      await enqueue("b", 3, 60);
      await enqueue("d", 1, 60);
      await enqueue("e", 1, 60);
      const loads = [
        { tenant_id: "b", waiting: 3, running: 0, dead: 0 },
        { tenant_id: "a", waiting: 1, running: 1, dead: 0 },
        { tenant_id: "d", waiting: 1, running: 0, dead: 0 },
        { tenant_id: "e", waiting: 1, running: 0, dead: 0 },
        { tenant_id: "c", waiting: 0, running: 0, dead: 1 },
      ];
      expect(await h.queue.loads(10)).toEqual(loads);
      expect(await h.queue.loads(2)).toEqual(loads.slice(0, 2));
    },
  );

  check("a heartbeat makes a worker known, with what it holds, until it is removed", async (h) => {
    const worker: WorkerPresence = {
      worker_id: "wrk_a",
      pid: 4711,
      host: "here",
      started_at: new Date(h.system.now()).toISOString(),
    };
    expect(await h.queue.workers()).toEqual([]);
    await h.queue.enqueue([newJob(h.system)]);
    const claimed = await claimOne(h, "wrk_a");
    h.advance(1_000);
    await h.queue.heartbeat(worker, [claimed], 30_000);
    h.advance(500);
    const last_seen_at = new Date(h.system.now() - 500).toISOString();
    expect(await h.queue.workers()).toEqual([{ ...worker, last_seen_at, holds: [claimed.job_id] }]);
    await h.queue.complete(claimed);
    await h.queue.heartbeat({ ...worker, worker_id: "wrk_b" }, [], 30_000);
    const holds = (await h.queue.workers()).map(({ worker_id, holds }) => ({ worker_id, holds }));
    expect(holds.sort((x, y) => x.worker_id.localeCompare(y.worker_id))).toEqual([
      { worker_id: "wrk_a", holds: [] },
      { worker_id: "wrk_b", holds: [] },
    ]);
    await h.queue.removeWorker("wrk_a");
    expect((await h.queue.workers()).map((one) => one.worker_id)).toEqual(["wrk_b"]);
  });
}

function watching(check: StorageTest): void {
  const enqueueRound = (watcher: StorageHarness, actor: StorageHarness) => async () => {
    const job = newJob(actor.system);
    return {
      act: () => actor.queue.enqueue([job]),
      seen: async () => (await watcher.queue.get(job.job_id)) !== undefined,
    };
  };
  const cancelRound = (watcher: StorageHarness, actor: StorageHarness) => async () => {
    await actor.queue.enqueue([newJob(actor.system)]);
    const claimed = await claimOne(watcher);
    return {
      act: () => actor.queue.cancel(claimed.job_id),
      seen: async () => (await watcher.queue.lost([claimed])).length > 0,
    };
  };

  check("a watcher hears of a new job within 100 ms", async (h) => {
    expect(await watchLatency((call) => h.queue.watchJobs(call), enqueueRound(h, h))).toBeLessThan(100);
  });

  check("a watcher hears of a lease taken away within 100 ms", async (h) => {
    expect(await watchLatency((call) => h.queue.watchJobs(call), cancelRound(h, h))).toBeLessThan(100);
  });

  check("a watcher hears of a job that a commit queued within 100 ms", async (h) => {
    const latency = await watchLatency(
      (call) => h.queue.watchJobs(call),
      async () => {
        const job = newJob(h.system);
        return {
          act: () => h.documents.commit([{ tenant_id: "t1", enqueue: [job] }]),
          seen: async () => (await h.queue.get(job.job_id)) !== undefined,
        };
      },
    );
    expect(latency).toBeLessThan(100);
  });

  check.needing("shared", "a watcher hears of another process's new job within 100 ms", async (h, more) => {
    const other = await more.second();
    expect(await watchLatency((call) => h.queue.watchJobs(call), enqueueRound(h, other))).toBeLessThan(100);
  });

  check.needing(
    "shared",
    "a watcher hears of a lease that another process took within 100 ms",
    async (h, more) => {
      const other = await more.second();
      expect(await watchLatency((call) => h.queue.watchJobs(call), cancelRound(h, other))).toBeLessThan(100);
    },
  );

  check("a watcher that ended is not called again", async (h) => {
    let calls = 0;
    const stop = h.queue.watchJobs(() => {
      calls += 1;
    });
    stop();
    await watchLatency((call) => h.queue.watchJobs(call), enqueueRound(h, h));
    expect(calls).toBe(0);
  });
}
