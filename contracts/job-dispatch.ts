/** The contract of JobDispatch: every MUST of src/ports/job-dispatch.ts. */
import { expect } from "vitest";
import type { NewJob } from "../src/job.ts";
import type { Dispatch, JobDispatch } from "../src/ports/job-dispatch.ts";
import { newDocument, newError, newJob, uploadCommit } from "./samples.ts";
import {
  claimOne,
  expectConflict,
  type StorageGaps,
  type StorageHarness,
  type StorageTest,
  storageSuite,
} from "./storage.ts";

/** A storage whose jobs are told to a broker. */
export interface DispatchHarness extends StorageHarness {
  dispatch: JobDispatch;
}

/** Registers the suite; call it inside a test file. */
export function describeJobDispatch(
  name: string,
  open: () => Promise<DispatchHarness>,
  gaps: StorageGaps = {},
): void {
  storageSuite(`JobDispatch: ${name}`, open, gaps, taking, marking, claimingThese, waiting);
}

const AHEAD = 2_000;
const AGAIN = 30_000;

function dispatchOf(h: StorageHarness): JobDispatch {
  const { dispatch } = h as Partial<DispatchHarness>;
  if (!dispatch) throw new Error("the harness has no dispatch");
  return dispatch;
}
const take = (h: StorageHarness, limit = 100, ahead_ms = AHEAD, again_ms = AGAIN): Promise<Dispatch[]> =>
  dispatchOf(h).takeUndispatched(limit, ahead_ms, again_ms);
const taken = async (h: StorageHarness) => idsOf(await take(h));
const idsOf = (jobs: { job_id: string }[]) => jobs.map(({ job_id }) => job_id).sort();

async function enqueue(h: StorageHarness, overrides: Partial<NewJob> = {}, count = 1): Promise<string[]> {
  const jobs = Array.from({ length: count }, () => newJob(h.system, overrides));
  await h.queue.enqueue(jobs);
  return idsOf(jobs);
}
async function one(h: StorageHarness, overrides: Partial<NewJob> = {}): Promise<string> {
  const [job_id] = await enqueue(h, overrides);
  return job_id as string;
}

/** Enough ids to say what was taken of them by callers at the same time. */
async function shareOut(parts: (() => Promise<{ job_id: string }[]>)[], all: string[]): Promise<void> {
  const shares = await Promise.all(parts.map((part) => part()));
  expect(idsOf(shares.flat())).toEqual(all);
}

function taking(check: StorageTest): void {
  check("nothing waits at first", async (h) => {
    expect(await take(h)).toEqual([]);
  });

  check("a job that waits is given once, with what a message says", async (h) => {
    const job_id = await one(h, { tenant_id: "t2" });
    expect(await take(h)).toEqual([{ job_id, tenant_id: "t2", run_at: h.system.now() }]);
    expect(await take(h)).toEqual([]);
  });

  check("a job enqueued by a commit is given, one of a refused commit is not", async (h) => {
    const record = newDocument(h.system);
    const commit = uploadCommit(h.system, record);
    await h.documents.commit([commit]);
    const again = { ...uploadCommit(h.system, newDocument(h.system)), document: commit.document! };
    await expectConflict(h.documents.commit([again]), "revision");
    expect(await take(h)).toMatchObject([{ job_id: record.job_id }]);
  });

  check("at most `limit` are given, and the others next time", async (h) => {
    const all = await enqueue(h, {}, 5);
    const first = await take(h, 3);
    expect(first).toHaveLength(3);
    expect(idsOf([...first, ...(await take(h, 3))])).toEqual(all);
  });

  check("a delayed job is given when it becomes ready within `ahead_ms`", async (h) => {
    const job_id = await one(h, { delay_seconds: 10 });
    const run_at = h.system.now() + 10_000;
    h.advance(10_000 - AHEAD - 1);
    expect(await take(h)).toEqual([]);
    h.advance(1);
    expect(await take(h)).toMatchObject([{ job_id, run_at }]);
  });

  check("one whose taker died before it marked it is given again after `again_ms`", async (h) => {
    const job_id = await one(h);
    await take(h);
    h.advance(AGAIN - 1);
    expect(await take(h)).toEqual([]);
    h.advance(1);
    expect(await taken(h)).toEqual([job_id]);
  });

  check("20 callers at once never share a job, and leave none behind", async (h) => {
    const all = await enqueue(h, {}, 60);
    await shareOut(
      Array.from({ length: 20 }, () => () => take(h, 100)),
      all,
    );
  });

  check.needing("shared", "two processes at once never share a job", async (h, more) => {
    const other = await more.second();
    const all = await enqueue(h, {}, 60);
    await shareOut(
      [h, other, h, other].map((each) => () => take(each, 100)),
      all,
    );
  });

  check("a job that runs, has ended or was cancelled is not given", async (h) => {
    const running = await one(h);
    await claimOne(h);
    const cancelled = await one(h);
    await h.queue.cancel(cancelled);
    const done = await one(h);
    await h.queue.complete(await claimOne(h));
    h.advance(AGAIN);
    expect(await taken(h)).toEqual([]);
    expect((await h.queue.get(running))?.state).toBe("running");
    expect((await h.queue.get(done))?.state).toBe("succeeded");
  });

  check("a job to be retried is given again, for its new time", async (h) => {
    const job_id = await one(h);
    await take(h);
    const run_at = h.system.now() + 5_000;
    await h.queue.retry(await claimOne(h), newError(), run_at);
    expect(await take(h)).toEqual([]);
    h.advance(5_000 - AHEAD);
    expect(await take(h)).toMatchObject([{ job_id, run_at }]);
  });

  check("a dead job put back is given again", async (h) => {
    const job_id = await one(h);
    await take(h);
    await h.queue.fail(await claimOne(h), newError());
    expect(await take(h)).toEqual([]);
    await h.queue.redrive(job_id);
    expect(await taken(h)).toEqual([job_id]);
  });

  check.needing("durable", "what was to be sent is known after opening again", async (h, more) => {
    const [sent, unsent] = [await one(h), await one(h, { delay_seconds: 60 })];
    await take(h);
    await dispatchOf(h).markDispatched([sent], AGAIN);
    const again = await more.reopen();
    expect(await taken(again)).toEqual([]);
    again.advance(60_000);
    expect(await taken(again)).toEqual([sent, unsent].sort());
  });
}

function marking(check: StorageTest): void {
  check("a job whose message the broker has is not given for `again_ms`, then again", async (h) => {
    const job_id = await one(h);
    await take(h, 10, AHEAD, 1_000);
    await dispatchOf(h).markDispatched([job_id], AGAIN);
    h.advance(AGAIN - 1);
    expect(await take(h)).toEqual([]);
    h.advance(1);
    expect(await taken(h)).toEqual([job_id]);
  });

  check("the time of a delayed job counts from when it becomes ready", async (h) => {
    const job_id = await one(h, { delay_seconds: 100 });
    await take(h, 10, 200_000);
    await dispatchOf(h).markDispatched([job_id], AGAIN);
    h.advance(100_000 + AGAIN - 1);
    expect(await take(h)).toEqual([]);
    h.advance(1);
    expect(await taken(h)).toEqual([job_id]);
  });

  check("marking jobs that have ended, or never were, changes nothing", async (h) => {
    const job_id = await one(h);
    await take(h);
    await h.queue.complete(await claimOne(h));
    const before = await h.queue.get(job_id);
    await dispatchOf(h).markDispatched([job_id, "job_never"], AGAIN);
    await dispatchOf(h).markDispatched([], AGAIN);
    expect(await h.queue.get(job_id)).toEqual(before);
    h.advance(AGAIN);
    expect(await take(h)).toEqual([]);
  });
}

function claimingThese(check: StorageTest): void {
  const claim = (h: StorageHarness, job_ids: string[], max?: number) =>
    dispatchOf(h).claimJobs(
      "wrk_a",
      job_ids,
      30_000,
      max === undefined ? {} : { max_running_per_tenant: max },
    );
  const NONE = { claimed: [], deferred: [] };

  check("a claimed job is running under a lease, and its attempt counted", async (h) => {
    const job_id = await one(h);
    const { claimed, deferred } = await claim(h, [job_id]);
    expect(deferred).toEqual([]);
    expect(claimed).toMatchObject([
      {
        job_id,
        lease_until: h.system.now() + 30_000,
        job: { state: "running", attempts: 1, leased_by: "wrk_a" },
      },
    ]);
    expect(await h.queue.get(job_id)).toEqual(claimed[0]?.job);
    await h.queue.complete(claimed[0]!);
    expect((await h.queue.get(job_id))?.state).toBe("succeeded");
  });

  check("only the jobs named are claimed, whether dispatched or not", async (h) => {
    const [a, b] = [await one(h), await one(h)];
    await one(h);
    expect(idsOf((await claim(h, [a, b])).claimed)).toEqual([a, b].sort());
    expect(await h.queue.claim("wrk_b", 10, 1_000)).toHaveLength(1);
  });

  check("a message twice, late or about nothing claims nothing and defers nothing", async (h) => {
    const [running, ended, cancelled, later] = [
      await one(h),
      await one(h),
      await one(h),
      await one(h, { delay_seconds: 1 }),
    ];
    await claim(h, [running]);
    await h.queue.complete((await claim(h, [ended])).claimed[0]!);
    await h.queue.cancel(cancelled);
    expect(await claim(h, [running, ended, cancelled, later, "job_never"])).toEqual(NONE);
    expect(await claim(h, [running, ended, cancelled, later, "job_never"], 1)).toEqual(NONE);
    expect(await claim(h, [])).toEqual(NONE);
    h.advance(1_000);
    expect(idsOf((await claim(h, [later])).claimed)).toEqual([later]);
  });

  check("an id given twice is claimed once", async (h) => {
    const job_id = await one(h);
    expect((await claim(h, [job_id, job_id])).claimed).toHaveLength(1);
    expect((await h.queue.get(job_id))?.attempts).toBe(1);
  });

  check("20 claims of the same jobs at once never share one, and leave none behind", async (h) => {
    const all = await enqueue(h, {}, 60);
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim(h, all)));
    // Whoever meets another at work on a job may pass it by, so only what is claimed counts.
    expect(idsOf(claims.flatMap(({ claimed }) => claimed))).toEqual(all);
  });

  check(
    "what a tenant has no room for is deferred and goes on waiting; others are not held up",
    async (h) => {
      const running = await one(h);
      await claim(h, [running]);
      const own = await enqueue(h, {}, 3);
      const other = await one(h, { tenant_id: "t2" });
      const { claimed, deferred } = await claim(h, [...own, other], 2);
      expect(claimed).toHaveLength(2);
      expect(idsOf(claimed)).toContain(other);
      expect([...idsOf(claimed), ...deferred].sort()).toEqual([...own, other].sort());
      for (const job_id of deferred) {
        expect(await h.queue.get(job_id)).toMatchObject({ state: "queued", attempts: 0 });
      }
    },
  );

  check("claims at once keep a tenant within its room", async (h) => {
    const all = await enqueue(h, {}, 20);
    const claims = await Promise.all(all.map((job_id) => claim(h, [job_id], 3)));
    expect(claims.flatMap(({ claimed }) => claimed)).toHaveLength(3);
    expect(claims.flatMap(({ deferred }) => deferred)).toHaveLength(17);
  });
}

function waiting(check: StorageTest): void {
  const next = (h: StorageHarness, ahead_ms = AHEAD) => dispatchOf(h).nextDispatchAt(ahead_ms);

  check("nothing is next when nothing waits", async (h) => {
    expect(await next(h)).toBe(null);
    await one(h);
    await claimOne(h);
    expect(await next(h)).toBe(null);
  });

  check("what can be taken is next now, and the next time is that of the earliest", async (h) => {
    await one(h, { delay_seconds: 60 });
    expect(await next(h)).toBe(h.system.now() + 60_000 - AHEAD);
    await one(h);
    expect(await next(h)).toBeLessThanOrEqual(h.system.now());
  });

  check("of what is under way, it is when it counts as lost", async (h) => {
    const job_id = await one(h);
    await take(h, 10, AHEAD, 5_000);
    expect(await next(h)).toBe(h.system.now() + 5_000);
    await dispatchOf(h).markDispatched([job_id], AGAIN);
    expect(await next(h)).toBe(h.system.now() + AGAIN);
    h.advance(AGAIN);
    expect(await next(h)).toBeLessThanOrEqual(h.system.now());
    expect(await taken(h)).toEqual([job_id]);
  });
}
