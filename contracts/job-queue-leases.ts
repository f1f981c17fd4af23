/** The part of the JobQueue contract that is about claims and leases. */
import { expect } from "vitest";
import type { ClaimedJob, Lease } from "../src/job.ts";
import type { WorkerPresence } from "../src/ports/job-queue.ts";
import { newError, newJob } from "./samples.ts";
import { claimOne, expectConflict, type StorageHarness, type StorageTest } from "./storage.ts";

export function describeQueueLeases(check: StorageTest): void {
  claiming(check);
  settling(check);
  staleLeases(check);
  heartbeats(check);
  cancelling(check);
}

const presence = (h: StorageHarness, worker_id = "wrk_a"): WorkerPresence => ({
  worker_id,
  pid: 1,
  host: "here",
  started_at: new Date(h.system.now()).toISOString(),
});

async function queued(h: StorageHarness, count = 1): Promise<string[]> {
  const jobs = Array.from({ length: count }, () => newJob(h.system));
  await h.queue.enqueue(jobs);
  return jobs.map((job) => job.job_id);
}

/** A lease that was good once: its job has since been given back and claimed by another worker. */
async function staleLease(h: StorageHarness): Promise<{ stale: Lease; current: ClaimedJob }> {
  await queued(h);
  const stale = await claimOne(h, "wrk_a");
  await h.queue.retry(stale, newError(), h.system.now());
  const current = await claimOne(h, "wrk_b");
  expect(current.job_id).toBe(stale.job_id);
  return { stale: { job_id: stale.job_id, lease_token: stale.lease_token }, current };
}

function claiming(check: StorageTest): void {
  check("a claimed job is running, leased by its worker, until the time given", async (h) => {
    const [job_id] = await queued(h);
    h.advance(10);
    const claimed = await claimOne(h, "wrk_a", 30_000);
    expect(claimed).toMatchObject({ job_id, lease_until: h.system.now() + 30_000 });
    expect(claimed.lease_token).not.toBe("");
    expect(claimed.job).toMatchObject({ job_id, state: "running", leased_by: "wrk_a", attempts: 1 });
    expect(await h.queue.get(claimed.job_id)).toEqual(claimed.job);
  });

  check("the attempt is counted when the job is claimed, not when it ends", async (h) => {
    const [job_id] = await queued(h);
    await claimOne(h);
    expect((await h.queue.get(job_id!))?.attempts).toBe(1);
  });

  check("a claim takes at most `limit` jobs, and none when none is ready", async (h) => {
    await queued(h, 3);
    expect(await h.queue.claim("wrk_a", 2, 1_000)).toHaveLength(2);
    expect(await h.queue.claim("wrk_a", 2, 1_000)).toHaveLength(1);
    expect(await h.queue.claim("wrk_a", 2, 1_000)).toEqual([]);
  });

  const concurrent = async (h: StorageHarness, other: StorageHarness) => {
    const all = await queued(h, 100);
    const taken: string[] = [];
    for (let round = 0; round < 10 && taken.length < all.length; round += 1) {
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, place) =>
          (place % 2 === 0 ? h : other).queue.claim(`wrk_${place}`, 3, 30_000),
        ),
      );
      for (const claim of claims) taken.push(...claim.map((claimed) => claimed.job_id));
    }
    expect(taken.sort()).toEqual(all.sort());
  };

  check("20 concurrent claims never share a job, and leave none behind", (h) => concurrent(h, h));

  check.needing(
    "shared",
    "concurrent claims of two processes never share a job, and leave none behind",
    async (h, more) => concurrent(h, await more.second()),
  );

  check("an expired lease is not claimed; `expired` hands it out, as it is", async (h) => {
    await queued(h);
    const claimed = await claimOne(h, "wrk_a", 10_000);
    expect(await h.queue.expired(10)).toEqual([]);
    h.advance(10_001);
    expect(await h.queue.claim("wrk_b", 10, 1_000)).toEqual([]);
    const [expired] = await h.queue.expired(10);
    expect(expired).toMatchObject({ job_id: claimed.job_id, lease_until: claimed.lease_until });
    expect(expired?.job).toMatchObject({ state: "running", leased_by: "wrk_a", attempts: 1 });
    expect(await h.queue.expired(10)).toHaveLength(1);
    await h.queue.retry(expired!, newError({ code: "worker_lost" }), h.system.now());
    expect(await h.queue.expired(10)).toEqual([]);
    const again = await claimOne(h, "wrk_b");
    expect(again.job).toMatchObject({ job_id: claimed.job_id, attempts: 2, leased_by: "wrk_b" });
    expect(again.lease_token).not.toBe(claimed.lease_token);
    expect(await h.queue.lost([claimed])).toEqual([claimed.job_id]);
  });

  check("`expired` hands out at most `limit`", async (h) => {
    await queued(h, 3);
    await h.queue.claim("wrk_a", 3, 1_000);
    h.advance(1_001);
    expect(await h.queue.expired(2)).toHaveLength(2);
  });

  check("heldBy gives what a worker runs, with leases that settle it, and nothing of others", async (h) => {
    await queued(h, 3);
    const mine = await h.queue.claim("wrk_a", 2, 30_000);
    await h.queue.claim("wrk_b", 1, 30_000);
    const held = await h.queue.heldBy("wrk_a");
    expect(held.map((one) => one.job_id).sort()).toEqual(mine.map((one) => one.job_id).sort());
    expect(await h.queue.heldBy("wrk_c")).toEqual([]);
    for (const one of held) await h.queue.retry(one, newError({ code: "worker_lost" }), h.system.now());
    expect(await h.queue.heldBy("wrk_a")).toEqual([]);
    expect(await h.queue.lost(mine)).toHaveLength(2);
  });
}

function settling(check: StorageTest): void {
  check("complete ends a job as succeeded", async (h) => {
    await queued(h);
    const claimed = await claimOne(h);
    h.advance(250);
    await h.queue.complete(claimed);
    const now = new Date(h.system.now()).toISOString();
    const ended = { state: "succeeded", leased_by: null, finished_at: now, updated_at: now, attempts: 1 };
    expect(await h.queue.get(claimed.job_id)).toMatchObject(ended);
    expect(await h.queue.claim("wrk_a", 1, 1_000)).toEqual([]);
  });

  check("fail ends a job as dead, with its error", async (h) => {
    await queued(h);
    const claimed = await claimOne(h);
    const error = newError({ code: "malformed_document", message: "no such page", retryable: false });
    await h.queue.fail(claimed, error);
    const now = new Date(h.system.now()).toISOString();
    const dead = { state: "dead", error, leased_by: null, finished_at: now };
    expect(await h.queue.get(claimed.job_id)).toMatchObject(dead);
    expect(await h.queue.claim("wrk_a", 1, 1_000)).toEqual([]);
  });

  check(
    "retry puts a job back until run_at, with its error, and the next claim is another attempt",
    async (h) => {
      await queued(h);
      const claimed = await claimOne(h);
      const run_at = h.system.now() + 5_000;
      await h.queue.retry(claimed, newError(), run_at);
      expect(await h.queue.get(claimed.job_id)).toMatchObject({
        state: "retrying",
        error: newError(),
        run_at: new Date(run_at).toISOString(),
        leased_by: null,
        finished_at: null,
        attempts: 1,
      });
      expect(await h.queue.claim("wrk_a", 1, 1_000)).toEqual([]);
      h.advance(5_000);
      expect((await claimOne(h)).job.attempts).toBe(2);
    },
  );

  check("retry with counts: false gives the attempt back", async (h) => {
    await queued(h);
    const claimed = await claimOne(h);
    await h.queue.retry(claimed, null, h.system.now(), { counts: false });
    expect((await h.queue.get(claimed.job_id))?.attempts).toBe(0);
    expect((await claimOne(h)).job.attempts).toBe(1);
  });

  const settlements = {
    succeeded: { state: "succeeded" },
    retrying: { state: "retrying", error: newError(), run_at: Date.UTC(2027, 0, 1) },
    dead: { state: "dead", error: newError() },
  } as const;
  for (const state of ["succeeded", "retrying", "dead"] as const) {
    check(`a commit settles the job whose lease it holds: ${state}`, async (h) => {
      await queued(h);
      const lease = await claimOne(h);
      await h.documents.commit([{ tenant_id: "t1", lease, settle: settlements[state] }]);
      expect(await h.queue.get(lease.job_id)).toMatchObject({ state, leased_by: null, attempts: 1 });
      expect(await h.queue.lost([lease])).toEqual([lease.job_id]);
    });
  }

  check("a commit that settles with counts: false gives the attempt back", async (h) => {
    await queued(h);
    const lease = await claimOne(h);
    const settle = { state: "retrying", error: newError(), run_at: h.system.now(), counts: false } as const;
    await h.documents.commit([{ tenant_id: "t1", lease, settle }]);
    expect((await claimOne(h)).job).toMatchObject({ job_id: lease.job_id, attempts: 1 });
  });
}

function staleLeases(check: StorageTest): void {
  const uses: Record<string, (h: StorageHarness, lease: Lease) => Promise<unknown>> = {
    complete: (h, lease) => h.queue.complete(lease),
    retry: (h, lease) => h.queue.retry(lease, newError(), h.system.now()),
    fail: (h, lease) => h.queue.fail(lease, newError()),
    "a commit": (h, lease) => h.documents.commit([{ tenant_id: "t1", lease }]),
    "a commit that settles": (h, lease) =>
      h.documents.commit([{ tenant_id: "t1", lease, settle: { state: "succeeded" } }]),
  };
  for (const [name, use] of Object.entries(uses)) {
    check(`${name} under a lease that another worker has taken over is refused`, async (h) => {
      const { stale, current } = await staleLease(h);
      await expectConflict(use(h, stale), "lease_lost");
      expect(await h.queue.get(current.job_id)).toEqual(current.job);
      await use(h, current);
    });

    check(`${name} under the lease of a job that has ended is refused`, async (h) => {
      await queued(h);
      const lease = await claimOne(h);
      await h.queue.complete(lease);
      await expectConflict(use(h, lease), "lease_lost");
      expect((await h.queue.get(lease.job_id))?.state).toBe("succeeded");
    });

    check(`${name} under the lease of a job that was cancelled is refused`, async (h) => {
      await queued(h);
      const lease = await claimOne(h);
      await h.queue.cancel(lease.job_id);
      await expectConflict(use(h, lease), "lease_lost");
      expect((await h.queue.get(lease.job_id))?.state).toBe("cancelled");
    });
  }

  check("an empty or made-up lease token is refused", async (h) => {
    const [job_id] = await queued(h);
    const nothing = { job_id: job_id!, lease_token: "" };
    await expectConflict(h.queue.complete(nothing), "lease_lost");
    await claimOne(h);
    await expectConflict(h.queue.complete(nothing), "lease_lost");
    await expectConflict(h.queue.complete({ job_id: job_id!, lease_token: "lease_x" }), "lease_lost");
    await expectConflict(h.queue.complete({ job_id: "job_x", lease_token: "lease_x" }), "lease_lost");
  });

  check("`lost` tells which of the leases are lost", async (h) => {
    const { stale, current } = await staleLease(h);
    const never = { job_id: "job_never", lease_token: "lease_never" };
    expect(await h.queue.lost([current])).toEqual([]);
    expect((await h.queue.lost([never, stale])).sort()).toEqual([stale.job_id, "job_never"].sort());
    expect(await h.queue.lost([])).toEqual([]);
  });

  check("`lost` renews nothing", async (h) => {
    await queued(h);
    const claimed = await claimOne(h, "wrk_a", 10_000);
    h.advance(9_000);
    await h.queue.lost([claimed]);
    h.advance(1_001);
    expect(await h.queue.expired(1)).toHaveLength(1);
  });
}

function heartbeats(check: StorageTest): void {
  check("a heartbeat extends the lease", async (h) => {
    await queued(h);
    const claimed = await claimOne(h, "wrk_a", 10_000);
    h.advance(9_000);
    expect(await h.queue.heartbeat(presence(h), [claimed], 10_000)).toEqual([]);
    const until = h.system.now() + 10_000;
    h.advance(9_000);
    expect(await h.queue.expired(10)).toEqual([]);
    h.advance(1_001);
    expect((await h.queue.expired(10))[0]?.lease_until).toBe(until);
    await h.queue.complete(claimed);
  });

  check("a heartbeat reports lost leases and renews the others", async (h) => {
    const { stale, current } = await staleLease(h);
    await queued(h, 2);
    const kept = await claimOne(h, "wrk_a", 10_000);
    const cancelled = await claimOne(h, "wrk_a", 10_000);
    await h.queue.cancel(cancelled.job_id);
    h.advance(9_000);
    const lost = await h.queue.heartbeat(presence(h), [stale, kept, cancelled], 60_000);
    expect(lost.sort()).toEqual([stale.job_id, cancelled.job_id].sort());
    h.advance(5_000);
    expect((await h.queue.expired(10)).map((one) => one.job_id)).not.toContain(kept.job_id);
    expect(await h.queue.lost([current, kept])).toEqual([]);
  });

  check("a heartbeat with a stale lease does not extend the lease of who holds it now", async (h) => {
    const { stale, current } = await staleLease(h);
    h.advance(29_000);
    await h.queue.heartbeat(presence(h), [stale], 600_000);
    h.advance(1_001);
    expect((await h.queue.expired(10)).map((one) => one.job_id)).toEqual([current.job_id]);
  });
}

function cancelling(check: StorageTest): void {
  check("cancel ends a queued job: nobody claims it", async (h) => {
    const [job_id] = await queued(h);
    await h.queue.cancel(job_id!);
    const now = new Date(h.system.now()).toISOString();
    expect(await h.queue.get(job_id!)).toMatchObject({
      state: "cancelled",
      finished_at: now,
      leased_by: null,
    });
    expect(await h.queue.claim("wrk_a", 1, 1_000)).toEqual([]);
  });

  check("cancel takes the lease from whoever runs the job", async (h) => {
    await queued(h);
    const claimed = await claimOne(h);
    await h.queue.cancel(claimed.job_id);
    expect(await h.queue.lost([claimed])).toEqual([claimed.job_id]);
    expect(await h.queue.heldBy("wrk_a")).toEqual([]);
    h.advance(60_000);
    expect(await h.queue.expired(10)).toEqual([]);
  });

  check("cancel ends a job that waits for a retry", async (h) => {
    await queued(h);
    const claimed = await claimOne(h);
    await h.queue.retry(claimed, newError(), h.system.now());
    await h.queue.cancel(claimed.job_id);
    expect(await h.queue.claim("wrk_a", 1, 1_000)).toEqual([]);
  });

  check("a job that has ended, or never was, can't be cancelled", async (h) => {
    await queued(h, 3);
    const [a, b, c] = await h.queue.claim("wrk_a", 3, 30_000);
    await h.queue.complete(a!);
    await h.queue.fail(b!, newError());
    await h.queue.cancel(c!.job_id);
    for (const one of [a, b, c]) await expectConflict(h.queue.cancel(one!.job_id), "job_state");
    await expectConflict(h.queue.cancel("job_never"), "job_state");
    expect((await h.queue.get(a!.job_id))?.state).toBe("succeeded");
    expect((await h.queue.get(b!.job_id))?.state).toBe("dead");
  });

  check("a dead or a cancelled job can be redriven, attempts from zero, under its old id", async (h) => {
    await queued(h, 2);
    const [a, b] = await h.queue.claim("wrk_a", 2, 30_000);
    await h.queue.fail(a!, newError());
    await h.queue.cancel(b!.job_id);
    h.advance(1_000);
    for (const one of [a, b]) {
      await h.queue.redrive(one!.job_id);
      const redriven = { state: "queued", attempts: 0, leased_by: null, finished_at: null };
      expect(await h.queue.get(one!.job_id)).toMatchObject(redriven);
    }
    const again = await h.queue.claim("wrk_b", 2, 30_000);
    expect(again.map((one) => one.job_id).sort()).toEqual([a!.job_id, b!.job_id].sort());
    expect(again.map((one) => one.job.attempts)).toEqual([1, 1]);
    expect(await h.queue.lost([a!, b!])).toHaveLength(2);
  });

  check("a job in any other state, or that never was, can't be redriven", async (h) => {
    await queued(h, 3);
    const [done, retrying, running] = await h.queue.claim("wrk_a", 3, 30_000);
    await h.queue.complete(done!);
    await h.queue.retry(retrying!, newError(), h.system.now() + 1_000);
    const [waiting] = await queued(h);
    for (const job_id of [done!.job_id, retrying!.job_id, running!.job_id, waiting!, "job_never"]) {
      await expectConflict(h.queue.redrive(job_id), "job_state");
    }
    expect(await h.queue.lost([running!])).toEqual([]);
  });

  check("a redriven job takes its unique_key again, and is refused when another has it", async (h) => {
    const job = newJob(h.system, { unique_key: "k" });
    await h.queue.enqueue([job]);
    await h.queue.cancel(job.job_id);
    const other = newJob(h.system, { unique_key: "k" });
    await h.queue.enqueue([other]);
    await expectConflict(h.queue.redrive(job.job_id), "unique_key");
    expect((await h.queue.get(job.job_id))?.state).toBe("cancelled");
    await h.queue.cancel(other.job_id);
    await h.queue.redrive(job.job_id);
    await expectConflict(h.queue.enqueue([newJob(h.system, { unique_key: "k" })]), "unique_key");
  });
}
