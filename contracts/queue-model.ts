/**
 * A JobQueue as plain data: what src/ports/job-queue.ts says of every call, in the simplest form that can be checked
 * against an adapter. Where the port leaves a choice (which of two equal jobs comes first), the model takes the
 * adapter's, if it is one of those allowed.
 */
import type { ErrorCode, ErrorInfo } from "../src/errors.ts";
import { type ClaimedJob, endedStates, type Job, type JobState, jobStates, type NewJob } from "../src/job.ts";
import type { ConflictReason } from "../src/ports/document-store.ts";
import type { QueueStats, WorkerInfo, WorkerPresence } from "../src/ports/job-queue.ts";

export interface ModelJob {
  job: Job;
  /** Unix milliseconds of `job.run_at`. */
  run_at: number;
  /** null unless running. */
  lease: { lease_token: string; lease_until: number } | null;
}

export interface QueueModel {
  jobs: Map<string, ModelJob>;
  workers: Map<string, WorkerPresence & { last_seen_at: string }>;
  /** Tenant → the claim that served it last. */
  served: Map<string, number>;
  claims: number;
}

export function createQueueModel(): QueueModel {
  return { jobs: new Map(), workers: new Map(), served: new Map(), claims: 0 };
}

const iso = (ms: number) => new Date(ms).toISOString();

export function isOpen({ job }: ModelJob): boolean {
  return !endedStates.has(job.state);
}

function isWaiting({ job }: ModelJob): boolean {
  return job.state === "queued" || job.state === "retrying";
}

function isKeyTaken(model: QueueModel, tenant_id: string, unique_key: string | null): boolean {
  if (unique_key === null) return false;
  return [...model.jobs.values()].some(
    (one) => isOpen(one) && one.job.tenant_id === tenant_id && one.job.unique_key === unique_key,
  );
}

/** All of them or none. @returns why not */
export function enqueue(model: QueueModel, now: number, jobs: NewJob[]): ConflictReason | undefined {
  const before = new Map(model.jobs);
  for (const { delay_seconds, ...job } of jobs) {
    if (isKeyTaken(model, job.tenant_id, job.unique_key ?? null)) {
      model.jobs = before;
      return "unique_key";
    }
    const run_at = now + (delay_seconds ?? 0) * 1_000;
    model.jobs.set(job.job_id, {
      run_at,
      lease: null,
      job: {
        ...job,
        state: "queued",
        priority: job.priority ?? 0,
        attempts: 0,
        max_attempts: job.max_attempts ?? 5,
        run_at: iso(run_at),
        unique_key: job.unique_key ?? null,
        leased_by: null,
        error: null,
        created_at: iso(now),
        updated_at: iso(now),
        finished_at: null,
      },
    });
  }
  return undefined;
}

export interface ClaimRequest {
  worker_id: string;
  limit: number;
  lease_ms: number;
  max_running_per_tenant?: number;
}

/** Takes over a claim's answer. @returns what is wrong with it */
export function claim(
  model: QueueModel,
  now: number,
  request: ClaimRequest,
  claimed: ClaimedJob[],
): string | undefined {
  const { worker_id, limit, lease_ms, max_running_per_tenant = Number.POSITIVE_INFINITY } = request;
  if (claimed.length > limit) return `${claimed.length} jobs were handed out, asked for were ${limit}`;
  model.claims += 1;
  const earlier = new Map(model.served);
  const running = countBy([...model.jobs.values()].filter((one) => one.lease).map(tenantOf));
  const candidates = () =>
    [...model.jobs.values()].filter(
      (one) =>
        isWaiting(one) && one.run_at <= now && (running.get(tenantOf(one)) ?? 0) < max_running_per_tenant,
    );
  const waitingBefore = new Set(candidates().map(tenantOf));
  const taken = countBy(claimed.map(({ job }) => job.tenant_id));

  for (const { job_id, lease_token, lease_until, job } of claimed) {
    const mine = model.jobs.get(job_id);
    if (!mine) return `${job_id} was handed out, which was never queued`;
    const tenant_id = tenantOf(mine);
    const possible = candidates().filter((one) => tenantOf(one) === tenant_id);
    if (!possible.includes(mine)) {
      const full = running.get(tenant_id) === max_running_per_tenant;
      return `${job_id} was handed out, ${full ? `beyond the ${max_running_per_tenant} that its tenant may run` : `which is ${mine.job.state}, to be run ${mine.job.run_at}`}`;
    }
    const better = possible.find((one) => comesBefore(one, mine));
    if (better)
      return `${job_id} was handed out before ${better.job.job_id}, which comes first in its tenant`;
    if ([...model.jobs.values()].some((one) => one.lease?.lease_token === lease_token) || !lease_token) {
      return `${job_id} was handed out under the lease token ${JSON.stringify(lease_token)}, which is not its own`;
    }
    if (lease_until !== now + lease_ms)
      return `the lease of ${job_id} ends at ${lease_until}, not in ${lease_ms} ms`;
    mine.lease = { lease_token, lease_until };
    mine.job = {
      ...mine.job,
      state: "running",
      attempts: mine.job.attempts + 1,
      leased_by: worker_id,
      updated_at: iso(now),
    };
    if (job.job_id !== job_id) return `${job_id} was handed out with the job ${job.job_id}`;
    running.set(tenant_id, (running.get(tenant_id) ?? 0) + 1);
    model.served.set(tenant_id, model.claims);
  }

  const left = new Set(candidates().map(tenantOf));
  if (claimed.length < limit && left.size > 0) {
    return `only ${claimed.length} of ${limit} were handed out, though ${candidates()[0]?.job.job_id} is ready`;
  }
  // Turns: whoever still has a job ready got at most one less than anybody else did…
  for (const unlucky of left) {
    for (const [lucky, count] of taken) {
      const got = taken.get(unlucky) ?? 0;
      if (count > got + 1)
        return `tenant ${lucky} got ${count} jobs while ${unlucky}, which has more, got ${got}`;
      // …and who got nothing was served later than those who got something.
      if (got === 0 && (earlier.get(unlucky) ?? 0) < (earlier.get(lucky) ?? 0)) {
        return `tenant ${lucky} was served again before ${unlucky}, whose turn it was`;
      }
    }
  }
  for (const tenant_id of taken.keys()) {
    if (!waitingBefore.has(tenant_id)) return `tenant ${tenant_id} got a job, and had none ready`;
  }
  return undefined;
}

function tenantOf({ job }: ModelJob): string {
  return job.tenant_id;
}

function countBy(names: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function comesBefore(a: ModelJob, b: ModelJob): boolean {
  if (a.job.priority !== b.job.priority) return a.job.priority > b.job.priority;
  return a.run_at < b.run_at;
}

/** The job that runs under this lease now. */
export function holderOf(
  model: QueueModel,
  { job_id, lease_token }: { job_id: string; lease_token: string },
): ModelJob | undefined {
  const mine = model.jobs.get(job_id);
  return mine?.lease?.lease_token === lease_token ? mine : undefined;
}

export type ModelSettlement =
  | { how: "complete" }
  | { how: "fail"; error: ErrorInfo }
  | { how: "retry"; error: ErrorInfo | null; run_at: number; counts: boolean };

export function settle(
  model: QueueModel,
  now: number,
  lease: { job_id: string; lease_token: string },
  settlement: ModelSettlement,
): ConflictReason | undefined {
  const mine = holderOf(model, lease);
  if (!mine) return "lease_lost";
  if (settlement.how === "complete") {
    release(mine, now, { state: "succeeded", error: null, finished_at: iso(now) });
  } else if (settlement.how === "fail") {
    release(mine, now, { state: "dead", error: settlement.error, finished_at: iso(now) });
  } else {
    const { error, run_at, counts } = settlement;
    const attempts = mine.job.attempts - (counts ? 0 : 1);
    release(mine, now, { state: "retrying", error, run_at: iso(run_at), attempts });
    mine.run_at = run_at;
  }
  return undefined;
}

export function cancel(model: QueueModel, now: number, job_id: string): ConflictReason | undefined {
  const mine = model.jobs.get(job_id);
  if (!mine || !isOpen(mine)) return "job_state";
  release(mine, now, { state: "cancelled", finished_at: iso(now) });
  return undefined;
}

export function redrive(model: QueueModel, now: number, job_id: string): ConflictReason | undefined {
  const mine = model.jobs.get(job_id);
  if (mine?.job.state !== "dead" && mine?.job.state !== "cancelled") return "job_state";
  if (isKeyTaken(model, mine.job.tenant_id, mine.job.unique_key)) return "unique_key";
  release(mine, now, { state: "queued", attempts: 0, run_at: iso(now), error: null, finished_at: null });
  mine.run_at = now;
  return undefined;
}

function release(mine: ModelJob, now: number, changes: Partial<Job>): void {
  mine.lease = null;
  mine.job = { ...mine.job, leased_by: null, updated_at: iso(now), ...changes };
}

/** @returns the job ids whose leases are lost */
export function heartbeat(
  model: QueueModel,
  now: number,
  worker: WorkerPresence,
  leases: { job_id: string; lease_token: string }[],
  lease_ms: number,
): string[] {
  model.workers.set(worker.worker_id, { ...worker, last_seen_at: iso(now) });
  for (const lease of leases) {
    const held = holderOf(model, lease)?.lease;
    if (held) held.lease_until = now + lease_ms;
  }
  return leases.filter((lease) => !holderOf(model, lease)).map(({ job_id }) => job_id);
}

/** Ids of the jobs that fit, newest first. */
export function list(
  model: QueueModel,
  wanted: { tenant_id?: string; state?: JobState; error_code?: ErrorCode },
): string[] {
  return [...model.jobs.values()]
    .filter(({ job }) => wanted.tenant_id === undefined || job.tenant_id === wanted.tenant_id)
    .filter(({ job }) => wanted.state === undefined || job.state === wanted.state)
    .filter(({ job }) => wanted.error_code === undefined || job.error?.code === wanted.error_code)
    .map(({ job }) => job.job_id)
    .sort()
    .reverse();
}

/** Everything that can be asked of a queue at one moment; lists sorted, so that two can be compared. */
export interface QueueView {
  jobs: Job[];
  stats: QueueStats;
  /** `dead`: dead letters by error code. */
  by_tenant: Record<string, QueueStats & { dead: Record<string, number>; waiting: number; running: number }>;
  depths: Record<string, { tenant: number; total: number }>;
  next_ready_at: number | null;
  expired: ClaimedJob[];
  held: Record<string, string[]>;
  workers: WorkerInfo[];
}

export function look(model: QueueModel, now: number, tenants: string[], workers: string[]): QueueView {
  const all = [...model.jobs.values()];
  const waiting = all.filter(isWaiting);
  const ready = waiting.filter((one) => one.run_at <= now).map((one) => one.run_at);
  const delayed = waiting.filter((one) => one.run_at > now).map((one) => one.run_at);
  const by_state = Object.fromEntries(
    jobStates.map((state) => [state, all.filter((one) => one.job.state === state).length]),
  ) as Record<JobState, number>;
  const heldBy = (worker_id: string) =>
    all
      .filter((one) => one.job.leased_by === worker_id)
      .map((one) => one.job.job_id)
      .sort();
  return {
    jobs: all.map((one) => one.job).sort((a, b) => (a.job_id < b.job_id ? 1 : -1)),
    stats: { by_state, oldest_ready_ms: ready.length === 0 ? 0 : now - Math.min(...ready) },
    by_tenant: Object.fromEntries(
      tenants.map((tenant_id) => {
        const own = all.filter((one) => tenantOf(one) === tenant_id);
        const count = (state: JobState) => own.filter((one) => one.job.state === state).length;
        const readyAt = own.filter((one) => isWaiting(one) && one.run_at <= now).map((one) => one.run_at);
        const dead: Record<string, number> = {};
        for (const { job } of own) {
          if (job.state === "dead" && job.error) dead[job.error.code] = (dead[job.error.code] ?? 0) + 1;
        }
        return [
          tenant_id,
          {
            by_state: Object.fromEntries(jobStates.map((state) => [state, count(state)])) as Record<
              JobState,
              number
            >,
            oldest_ready_ms: readyAt.length === 0 ? 0 : now - Math.min(...readyAt),
            dead,
            waiting: count("queued") + count("retrying"),
            running: count("running"),
          },
        ];
      }),
    ),
    depths: Object.fromEntries(
      tenants.map((tenant_id) => [
        tenant_id,
        { tenant: waiting.filter((one) => tenantOf(one) === tenant_id).length, total: waiting.length },
      ]),
    ),
    next_ready_at: delayed.length === 0 ? null : Math.min(...delayed),
    expired: all
      .filter((one) => one.lease && one.lease.lease_until < now)
      .map((one) => ({ job_id: one.job.job_id, ...one.lease!, job: one.job }))
      .sort((a, b) => (a.job_id < b.job_id ? -1 : 1)),
    held: Object.fromEntries(workers.map((worker_id) => [worker_id, heldBy(worker_id)])),
    workers: [...model.workers.values()]
      .map((worker) => ({ ...worker, holds: heldBy(worker.worker_id) }))
      .sort((a, b) => (a.worker_id < b.worker_id ? -1 : 1)),
  };
}
