/** Every way in which a job changes its state, inside a transaction. Used by the queue and by commits alike. */
import type { ErrorInfo } from "../../errors.ts";
import { endedStates, type Job, type Lease, type NewJob } from "../../job.ts";
import { ConflictError } from "../../ports/document-store.ts";
import { type JobRow, joinKey, type MemoryState, type Transaction } from "./state.ts";

const iso = (ms: number) => new Date(ms).toISOString();

/** Smaller steps of the clock back delay a job by no more than themselves. */
const CLOCK_TOLERANCE_MS = 2_000;

/** When the clock was set back since the last call, moves every time that somebody waits for by as much. */
export function noticeClock(state: MemoryState, now: number): void {
  const jump = state.counters.seen - now;
  state.counters.seen = jump > CLOCK_TOLERANCE_MS ? now : Math.max(now, state.counters.seen);
  if (jump <= CLOCK_TOLERANCE_MS) return;
  for (const [job_id, row] of state.openJobs) {
    const run_at = row.run_at - jump;
    const moved =
      row.lease_token === null
        ? { run_at, job: { ...row.job, run_at: new Date(run_at).toISOString() } }
        : { lease_until: row.lease_until - jump };
    state.openJobs.set(job_id, { ...row, ...moved });
  }
  const seen = new Date(now).toISOString();
  for (const worker of state.workers.values()) if (worker.last_seen_at > seen) worker.last_seen_at = seen;
  for (const [name, until] of state.holds) state.holds.set(name, until - jump);
  for (const [task, lead] of state.leads) state.leads.set(task, { ...lead, until: lead.until - jump });
}

/** Puts a row where its state belongs, and its unique_key with it. */
function putJob(state: MemoryState, tx: Transaction, row: JobRow): void {
  const { job_id, tenant_id, unique_key } = row.job;
  const ended = endedStates.has(row.job.state);
  const key = unique_key === null ? null : joinKey(tenant_id, unique_key);
  if (key !== null) {
    const holder = state.uniqueKeys.get(key);
    if (!ended && holder !== undefined && holder !== job_id) throw new ConflictError("unique_key");
    if (!ended) tx.set(state.uniqueKeys, key, job_id);
    else if (holder === job_id) tx.delete(state.uniqueKeys, key);
  }
  tx.delete(ended ? state.openJobs : state.endedJobs, job_id);
  tx.set(ended ? state.endedJobs : state.openJobs, job_id, row);
}

export function findJob(state: MemoryState, job_id: string): JobRow | undefined {
  return state.openJobs.get(job_id) ?? state.endedJobs.get(job_id);
}

export function enqueueJob(state: MemoryState, tx: Transaction, now: number, job: NewJob): void {
  noticeClock(state, now);
  if (findJob(state, job.job_id)) throw new Error(`the job ${job.job_id} is queued already`);
  const run_at = now + (job.delay_seconds ?? 0) * 1_000;
  state.counters.place += 1;
  putJob(state, tx, {
    job: {
      job_id: job.job_id,
      tenant_id: job.tenant_id,
      job_type: job.job_type,
      payload: structuredClone(job.payload),
      state: "queued",
      priority: job.priority ?? 0,
      attempts: 0,
      max_attempts: job.max_attempts ?? 5,
      run_at: iso(run_at),
      unique_key: job.unique_key ?? null,
      correlation_id: job.correlation_id,
      leased_by: null,
      error: null,
      created_at: iso(now),
      updated_at: iso(now),
      finished_at: null,
    },
    run_at,
    place: state.counters.place,
    lease_token: null,
    lease_until: 0,
  });
  tx.jobsChanged();
}

/** The row of a job that is running under this lease. @throws ConflictError lease_lost */
export function requireLease(state: MemoryState, lease: Lease): JobRow {
  const row = state.openJobs.get(lease.job_id);
  if (!row || row.lease_token === null || row.lease_token !== lease.lease_token) {
    throw new ConflictError("lease_lost");
  }
  return row;
}

/** Takes a running job out of its worker's hands. */
function release(row: JobRow, now: number, changes: Partial<Job>): JobRow {
  return {
    ...row,
    job: { ...row.job, leased_by: null, updated_at: iso(now), ...changes },
    lease_token: null,
    lease_until: 0,
  };
}

export function endJob(
  state: MemoryState,
  tx: Transaction,
  now: number,
  lease: Lease,
  outcome: { state: "succeeded" } | { state: "dead"; error: ErrorInfo },
): void {
  const row = requireLease(state, lease);
  const error = outcome.state === "dead" ? { ...outcome.error } : null;
  putJob(state, tx, release(row, now, { state: outcome.state, error, finished_at: iso(now) }));
}

export function retryJob(
  state: MemoryState,
  tx: Transaction,
  now: number,
  lease: Lease,
  error: ErrorInfo | null,
  run_at: number,
  counts: boolean,
): void {
  noticeClock(state, now);
  const row = requireLease(state, lease);
  const released = release(row, now, {
    state: "retrying",
    error: error === null ? null : { ...error },
    run_at: iso(run_at),
    attempts: counts ? row.job.attempts : Math.max(0, row.job.attempts - 1),
  });
  putJob(state, tx, { ...released, run_at });
  tx.jobsChanged();
}

export function cancelJob(
  state: MemoryState,
  tx: Transaction,
  now: number,
  job_id: string,
  tenant_id?: string,
): void {
  const row = state.openJobs.get(job_id);
  if (!row || (tenant_id !== undefined && row.job.tenant_id !== tenant_id)) {
    throw new ConflictError("job_state");
  }
  putJob(state, tx, release(row, now, { state: "cancelled", finished_at: iso(now) }));
  tx.jobsChanged();
}

export function redriveJob(
  state: MemoryState,
  tx: Transaction,
  now: number,
  job_id: string,
  tenant_id?: string,
): void {
  const row = state.endedJobs.get(job_id);
  if (!row || row.job.state === "succeeded" || (tenant_id !== undefined && row.job.tenant_id !== tenant_id)) {
    throw new ConflictError("job_state");
  }
  const fresh = release(row, now, {
    state: "queued",
    attempts: 0,
    run_at: iso(now),
    error: null,
    finished_at: null,
  });
  putJob(state, tx, { ...fresh, run_at: now });
  tx.jobsChanged();
}
