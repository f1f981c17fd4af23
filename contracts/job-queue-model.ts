/**
 * A JobQueue against its model: random histories of several tenants and workers, every answer and everything that can
 * be seen between two steps compared. The clock is the test's own. A failure is told as the shortest history that
 * shows it, in words.
 */
import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClaimedJob, jobStates, type Lease, type NewJob } from "../src/job.ts";
import { ConflictError } from "../src/ports/document-store.ts";
import type { JobQuery, JobQueue, WorkerPresence } from "../src/ports/job-queue.ts";
import * as model from "./queue-model.ts";
import {
  type NewJobStep,
  type QueueStep,
  queueHistory,
  type StepLease,
  tenants,
  workers,
} from "./queue-steps.ts";
import { newError } from "./samples.ts";
import type { OpenStorage, StorageHarness } from "./storage.ts";

export interface QueueModelOptions {
  /** Histories to try. Default 80. */
  runs?: number;
  /** The same seed tries the same histories. Default 1. */
  seed?: number;
  /** Steps of the longest history. Default 60. */
  max_steps?: number;
}

/** Registers the suite; call it inside a test file. */
export function describeJobQueueModel(
  name: string,
  open: OpenStorage,
  options: QueueModelOptions = {},
): void {
  describe(`JobQueue against its model: ${name}`, () => {
    test(
      "every history of tenants, workers, leases and time goes as the model says",
      async () => {
        const failure = await findQueueFailure(open, options);
        expect(failure, failure).toBeUndefined();
      },
      // Only a fence: the number of runs decides how long it takes.
      120_000 + (options.runs ?? 0) * 1_000,
    );
  });
}

/** Tries histories until one shows a difference. @returns the shortest such history in words, or undefined */
export async function findQueueFailure(
  open: OpenStorage,
  { runs = 80, seed = 1, max_steps = 60 }: QueueModelOptions = {},
): Promise<string | undefined> {
  let shortest = "";
  let stage: Stage | undefined;
  const property = fc.asyncProperty(queueHistory(max_steps), fc.boolean(), async (steps, shared) => {
    stage ??= await openStage(open);
    const story: string[] = [];
    try {
      await playHistory(stage, shared ? steps : steps.map(({ step }) => ({ step, connection: 0 })), story);
    } catch (error) {
      // Every failure that shrinking meets is shorter than the one before.
      shortest = [...story, `  ✗ ${error instanceof Error ? error.message : error}`].join("\n");
      // Who knows what it holds now.
      await stage.close();
      stage = undefined;
      throw error;
    }
    if (stage.histories < HISTORIES_PER_STAGE) return;
    await stage.close();
    stage = undefined;
  });
  const result = await fc.check(property, { numRuns: runs, seed });
  await stage?.close();
  if (!result.failed) return undefined;
  return `${shortest}\n  (seed ${seed}, history ${result.numRuns} of ${runs}, shortened ${result.numShrinks} times)`;
}

/** Opening takes longer than a history: many are played on one storage, each by tenants and with jobs of its own. */
interface Stage {
  connections: StorageHarness[];
  histories: number;
  jobs: number;
  close(): Promise<void>;
}

const HISTORIES_PER_STAGE = 50;

async function openStage(open: OpenStorage): Promise<Stage> {
  const first = await open();
  // As of two processes.
  const connections = first.second ? [first, await first.second()] : [first];
  return {
    connections,
    histories: 0,
    jobs: 0,
    async close() {
      for (const harness of connections.toReversed()) await harness.close();
    },
  };
}

async function playHistory(
  stage: Stage,
  steps: { step: QueueStep; connection: number }[],
  story: string[],
): Promise<void> {
  stage.histories += 1;
  const queueOf = (connection: number) =>
    (stage.connections[connection % stage.connections.length] as StorageHarness).queue;
  const { play, end } = await createPlay(stage, story);
  for (const { step, connection } of steps) await play(step, queueOf(connection));
  await end(queueOf(0));
}

/** @returns what plays one step after another on a queue, and tells the story as it goes */
async function createPlay(stage: Stage, story: string[]) {
  const h = stage.connections[0] as StorageHarness;
  const state = model.createQueueModel();
  const prefix = `h${stage.histories}_`;
  const tenantOf = (tenant: string) => prefix + tenant;
  const tenantsHere = tenants.map(tenantOf);
  const { by_state: before } = await h.queue.stats();
  const { now } = h.system;
  const start = now();
  const jobIds: string[] = [];
  const leases: Lease[] = [];
  const names = new Map<string, string>();
  const workerLost = newError({ code: "worker_lost" });

  const readable = (text: string) =>
    text
      .replaceAll(prefix, "")
      .replace(/job_[0-9a-f]{32}/g, nameOf)
      .replace(/lease_\w+|\b[0-9a-f]{32}\b/g, leaseName);
  const tell = (line: string) => story.push(`${String(now() - start).padStart(7)} ms  ${readable(line)}`);
  const listed = (ids: string[]) => ids.join(", ") || "none";
  const pick = <T>(list: T[], place: number): T | undefined => list[place % list.length];

  function nameOf(job_id: string): string {
    return names.get(job_id) ?? job_id;
  }

  function leaseName(token: string): string {
    const place = leases.findIndex((lease) => lease.lease_token === token);
    return place < 0 ? token : `L${place + 1}`;
  }

  const presence = (worker_id: string): WorkerPresence => ({
    worker_id,
    pid: workers.indexOf(worker_id) + 1,
    host: "here",
    started_at: new Date(start).toISOString(),
  });

  function jobOf({ tenant, priority, delay, key }: NewJobStep): NewJob {
    stage.jobs += 1;
    const job_id = `job_${stage.jobs.toString(16).padStart(32, "0")}`;
    const number = jobIds.push(job_id);
    names.set(job_id, `${tenant}${number}`);
    return {
      job_id,
      tenant_id: tenantOf(tenant),
      job_type: "model",
      payload: { number },
      correlation_id: `cor_${number}`,
      priority,
      delay_seconds: delay,
      unique_key: key,
    };
  }

  function leaseOf({ kind, nth }: StepLease): Lease | undefined {
    const held = leases.filter((lease) => model.holderOf(state, lease));
    const lease = pick(kind === "held" ? held : leases, nth);
    if (kind !== "forged" || !lease) return lease;
    const tokens = ["", "lease_forged", ...leases.map(({ lease_token }) => lease_token)];
    return { ...lease, lease_token: pick(tokens, nth + 1) as string };
  }

  /** Does it, and expects it to be refused for this reason, or not at all. */
  async function expectOutcome(
    what: string,
    promise: Promise<unknown>,
    reason: string | undefined,
  ): Promise<void> {
    const outcome = await promise.then(
      () => "done",
      (failure: unknown) => {
        if (failure instanceof ConflictError) return `refused: ${failure.reason}`;
        throw failure;
      },
    );
    tell(`${what} → ${outcome}`);
    const expected = reason === undefined ? "done" : `refused: ${reason}`;
    if (outcome !== expected) throw new Error(`should have been ${expected}`);
  }

  async function recover(queue: JobQueue, claimed: ClaimedJob): Promise<void> {
    const run_at = now();
    const outcome = model.settle(state, run_at, claimed, {
      how: "retry",
      error: workerLost,
      run_at,
      counts: true,
    });
    await expectOutcome(`  recover ${claimed.job_id}`, queue.retry(claimed, workerLost, run_at), outcome);
  }

  async function claim(step: QueueStep & { do: "claim" }, queue: JobQueue): Promise<void> {
    const { worker: worker_id, limit, lease_ms, at_most } = step;
    const cap = at_most === null ? {} : { max_running_per_tenant: at_most };
    const claimed = await queue.claim(worker_id, limit, lease_ms, cap);
    for (const { job_id, lease_token } of claimed) leases.push({ job_id, lease_token });
    const given = claimed.map((one) => `${one.job_id} (${one.lease_token})`);
    const limits = `up to ${limit} for ${lease_ms} ms${at_most === null ? "" : `, ${at_most} a tenant`}`;
    tell(`${worker_id} claims ${limits} → ${listed(given)}`);
    const wrong = model.claim(state, now(), { worker_id, limit, lease_ms, ...cap }, claimed);
    if (wrong) throw new Error(readable(wrong));
    for (const { job_id, job } of claimed) expectSame(job, state.jobs.get(job_id)?.job, "the claimed job");
  }

  async function beat(step: QueueStep & { do: "heartbeat" }, queue: JobQueue): Promise<void> {
    const own = leases.filter((lease) => model.holderOf(state, lease)?.job.leased_by === step.worker);
    const others = step.others.map((nth) => pick(leases, nth)).filter((lease) => lease !== undefined);
    const told = [...new Set([...own, ...others])];
    const lost = await queue.heartbeat(presence(step.worker), told, step.lease_ms);
    const tokens = listed(told.map(({ lease_token }) => lease_token));
    tell(`${step.worker} beats for ${step.lease_ms} ms, leases ${tokens} → lost: ${listed(lost)}`);
    const expected = model.heartbeat(state, now(), presence(step.worker), told, step.lease_ms);
    expectSame(lost.sort(), expected.sort(), "leases said to be lost");
  }

  async function settle(step: QueueStep & { do: "settle" }, queue: JobQueue): Promise<void> {
    const lease = leaseOf(step.lease);
    if (!lease) return;
    const error = newError({ code: step.code });
    const why = step.how === "fail" || step.how === "retry" ? ` with ${step.code}` : "";
    const what = `${step.how} ${lease.job_id}${why} under ${lease.lease_token || "an empty lease"}`;
    const decide = (settlement: model.ModelSettlement) => model.settle(state, now(), lease, settlement);
    switch (step.how) {
      case "complete":
        return expectOutcome(what, queue.complete(lease), decide({ how: "complete" }));
      case "fail":
        return expectOutcome(what, queue.fail(lease, error), decide({ how: "fail", error }));
      case "retry": {
        const run_at = now() + step.in_ms;
        const outcome = decide({ how: "retry", error, run_at, counts: true });
        return expectOutcome(`${what}, in ${step.in_ms} ms`, queue.retry(lease, error, run_at), outcome);
      }
      case "give back": {
        const run_at = now() + step.in_ms;
        const outcome = decide({ how: "retry", error: null, run_at, counts: false });
        const done = queue.retry(lease, null, run_at, { counts: false });
        return expectOutcome(`${what}, in ${step.in_ms} ms`, done, outcome);
      }
    }
  }

  /** Page after page: each goes on where the one before ended. */
  async function list(step: QueueStep & { do: "list" }, queue: JobQueue): Promise<void> {
    const wanted: Omit<JobQuery, "limit" | "before"> = {};
    if (step.tenant !== undefined) wanted.tenant_id = tenantOf(step.tenant);
    if (step.state !== undefined) wanted.state = step.state;
    if (step.error_code !== undefined) wanted.error_code = step.error_code;
    const found: string[] = [];
    for (let before: string | undefined; ; before = found.at(-1)) {
      const query = { ...wanted, limit: step.page, ...(before === undefined ? {} : { before }) };
      const page = (await queue.list(query)).map(({ job_id }) => job_id);
      if (page.length > step.page) throw new Error(`${page.length} jobs in a page of ${step.page}`);
      // Jobs of the histories before this one are older than any of it.
      const own = page.filter((job_id) => names.has(job_id));
      found.push(...own);
      if (own.length < step.page) break;
    }
    const about = [step.tenant ?? "any tenant", step.state ?? "any state", step.error_code ?? "any error"];
    tell(`list ${about.join(", ")}, ${step.page} a page → ${listed(found)}`);
    expectSame(found.map(nameOf), model.list(state, wanted).map(nameOf), "the list");
  }

  async function act(step: QueueStep, queue: JobQueue): Promise<void> {
    switch (step.do) {
      case "wait":
        return h.advance(step.ms);
      case "enqueue": {
        const jobs = step.jobs.map(jobOf);
        const about = step.jobs.map((one, place) => `${jobs[place]?.job_id}${describeJob(one)}`);
        const outcome = model.enqueue(state, now(), jobs);
        return expectOutcome(`enqueue ${about.join(", ")}`, queue.enqueue(jobs), outcome);
      }
      case "claim":
        return claim(step, queue);
      case "heartbeat":
        return beat(step, queue);
      case "settle":
        return settle(step, queue);
      case "cancel": {
        const job_id = pick([...jobIds, "job_never"], step.job) as string;
        return expectOutcome(`cancel ${job_id}`, queue.cancel(job_id), model.cancel(state, now(), job_id));
      }
      case "redrive": {
        const job_id = pick([...jobIds, "job_never"], step.job) as string;
        return expectOutcome(`redrive ${job_id}`, queue.redrive(job_id), model.redrive(state, now(), job_id));
      }
      case "list":
        return list(step, queue);
      case "recover expired": {
        const { expired } = model.look(state, now(), tenantsHere, workers);
        const found = await queue.expired(step.limit);
        tell(`whose lease has expired, up to ${step.limit}? → ${listed(found.map(({ job_id }) => job_id))}`);
        expectSame(found.length, Math.min(step.limit, expired.length), "how many were handed out");
        for (const claimed of found) await recover(queue, claimed);
        return;
      }
      case "remove worker":
        tell(`${step.worker} is ${step.recover ? "recovered and " : ""}removed`);
        if (step.recover)
          for (const claimed of await queue.heldBy(step.worker)) await recover(queue, claimed);
        await queue.removeWorker(step.worker);
        state.workers.delete(step.worker);
    }
  }

  async function play(step: QueueStep, queue: JobQueue): Promise<void> {
    await act(step, queue);
    const seen = await lookAt(queue, tenantsHere);
    for (const state of jobStates) seen.stats.by_state[state] -= before[state];
    const expected = model.look(state, now(), tenantsHere, workers);
    for (const key of Object.keys(expected) as (keyof model.QueueView)[]) {
      expectSame(seen[key], expected[key], key);
    }
    const lost: string[] = [];
    // One by one: a job's later lease must not answer for its earlier one.
    for (const lease of leases) {
      if ((await queue.lost([lease])).length > 0) lost.push(leaseName(lease.lease_token));
    }
    const gone = leases.filter((lease) => !model.holderOf(state, lease));
    const expected_lost = gone.map(({ lease_token }) => leaseName(lease_token));
    expectSame(lost, expected_lost, "leases lost");
  }

  /** Takes everything out that the next history would meet. */
  async function end(queue: JobQueue): Promise<void> {
    for (const [job_id, one] of state.jobs) if (model.isOpen(one)) await queue.cancel(job_id);
    for (const worker_id of state.workers.keys()) await queue.removeWorker(worker_id);
  }

  function expectSame(seen: unknown, expected: unknown, what: string): void {
    // Faster by far when they are the same, as they nearly always are.
    if (isDeepStrictEqual(seen, expected)) return;
    try {
      expect(seen).toEqual(expected);
    } catch {
      throw new Error(
        `${what}:\n      is        ${readable(inspect(seen, shown))}\n      should be ${readable(inspect(expected, shown))}`,
      );
    }
  }

  return { play, end };
}

const shown = { depth: 5, breakLength: Number.POSITIVE_INFINITY, compact: true };

function describeJob({ priority, delay, key }: NewJobStep): string {
  const about = [
    priority === 0 ? "" : `priority ${priority}`,
    delay === 0 ? "" : `in ${delay} s`,
    key === null ? "" : `unique key ${key}`,
  ].filter(Boolean);
  return about.length === 0 ? "" : ` (${about.join(", ")})`;
}

async function lookAt(queue: JobQueue, tenantsHere: string[]): Promise<model.QueueView> {
  const depths: model.QueueView["depths"] = {};
  for (const tenant_id of tenantsHere) depths[tenant_id] = await queue.depth(tenant_id);
  const loads = await queue.loads(10_000);
  const by_tenant: model.QueueView["by_tenant"] = {};
  for (const tenant_id of tenantsHere) {
    const dead: Record<string, number> = {};
    for (const { code, jobs } of await queue.deadByCode(tenant_id)) dead[code] = jobs;
    const { waiting = 0, running = 0 } = loads.find((load) => load.tenant_id === tenant_id) ?? {};
    by_tenant[tenant_id] = { ...(await queue.stats(tenant_id)), dead, waiting, running };
  }
  const lists = await Promise.all(tenantsHere.map((tenant_id) => queue.list({ tenant_id, limit: 10_000 })));
  const held: Record<string, string[]> = {};
  for (const worker_id of workers) {
    held[worker_id] = (await queue.heldBy(worker_id)).map(({ job_id }) => job_id).sort();
  }
  return {
    jobs: lists.flat().sort((a, b) => (a.job_id < b.job_id ? 1 : -1)),
    stats: await queue.stats(),
    by_tenant,
    depths,
    next_ready_at: await queue.nextReadyAt(),
    expired: (await queue.expired(10_000)).sort((a, b) => (a.job_id < b.job_id ? -1 : 1)),
    held,
    workers: (await queue.workers())
      .map((worker) => ({ ...worker, holds: worker.holds.sort() }))
      .sort((a, b) => (a.worker_id < b.worker_id ? -1 : 1)),
  };
}
