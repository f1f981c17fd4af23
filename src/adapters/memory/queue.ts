/** A JobQueue in memory. */
import type { ErrorCode } from "../../errors.ts";
import { type ClaimedJob, endedStates, type Job, type JobState, jobStates, type Lease } from "../../job.ts";
import type { JobQueue, TenantLoad } from "../../ports/job-queue.ts";
import type { System } from "../../ports/system.ts";
import { mostFirst, mostLoadedFirst } from "../load-order.ts";
import {
  cancelJob,
  endJob,
  enqueueJob,
  findJob,
  noticeClock,
  redriveJob,
  requireLease,
  retryJob,
} from "./job-changes.ts";
import { type JobRow, type MemoryState, transact, watch } from "./state.ts";

export function createMemoryQueue(state: MemoryState, system: System): JobQueue {
  const claimedJob = (row: JobRow): ClaimedJob => ({
    job_id: row.job.job_id,
    lease_token: row.lease_token ?? "",
    lease_until: row.lease_until,
    job: structuredClone(row.job),
  });
  const running = function* () {
    for (const row of state.openJobs.values()) if (row.lease_token !== null) yield row;
  };
  const take = (limit: number, fits: (row: JobRow) => boolean): ClaimedJob[] => {
    const found: ClaimedJob[] = [];
    for (const row of running()) {
      if (found.length >= limit) break;
      if (fits(row)) found.push(claimedJob(row));
    }
    return found;
  };
  const rowsOf = function* (tenant_id: string | undefined) {
    for (const rows of [state.openJobs, state.endedJobs]) {
      for (const row of rows.values()) {
        if (tenant_id === undefined || row.job.tenant_id === tenant_id) yield row;
      }
    }
  };
  const isLost = (lease: Lease) => {
    const row = state.openJobs.get(lease.job_id);
    return !row || row.lease_token === null || row.lease_token !== lease.lease_token;
  };

  return {
    enqueue: async (jobs) =>
      transact(state, (tx) => {
        for (const job of jobs) enqueueJob(state, tx, system.now(), job);
      }),

    claim: async (worker_id, limit, lease_ms, options = {}) =>
      transact(state, (tx) => {
        const now = system.now();
        noticeClock(state, now);
        const { max_running_per_tenant = Number.POSITIVE_INFINITY } = options;
        const busy = new Map<string, number>();
        for (const { job } of running()) busy.set(job.tenant_id, (busy.get(job.tenant_id) ?? 0) + 1);
        const claimed: ClaimedJob[] = [];
        while (claimed.length < limit) {
          const mayRun = (tenant_id: string) => (busy.get(tenant_id) ?? 0) < max_running_per_tenant;
          const row = nextReady(state, now, mayRun);
          if (!row) break;
          busy.set(row.job.tenant_id, (busy.get(row.job.tenant_id) ?? 0) + 1);
          state.counters.turn += 1;
          tx.set(state.turns, row.job.tenant_id, state.counters.turn);
          const taken: JobRow = {
            ...row,
            job: {
              ...row.job,
              state: "running",
              attempts: row.job.attempts + 1,
              leased_by: worker_id,
              updated_at: new Date(now).toISOString(),
            },
            lease_token: system.newId("lease"),
            lease_until: now + lease_ms,
          };
          tx.set(state.openJobs, row.job.job_id, taken);
          claimed.push(claimedJob(taken));
        }
        return claimed;
      }),

    heartbeat: async (worker, leases, lease_ms) =>
      transact(state, (tx) => {
        const now = system.now();
        noticeClock(state, now);
        const last_seen_at = new Date(now).toISOString();
        tx.set(state.workers, worker.worker_id, { presence: { ...worker }, last_seen_at });
        const lost: string[] = [];
        for (const lease of leases) {
          if (isLost(lease)) lost.push(lease.job_id);
          else {
            const row = requireLease(state, lease);
            tx.set(state.openJobs, lease.job_id, { ...row, lease_until: now + lease_ms });
          }
        }
        return lost;
      }),

    lost: async (leases) => leases.filter(isLost).map((lease) => lease.job_id),

    expired: async (limit) => {
      const now = system.now();
      return take(limit, (row) => row.lease_until < now);
    },

    heldBy: async (worker_id) => take(Number.POSITIVE_INFINITY, (row) => row.job.leased_by === worker_id),

    complete: async (lease) =>
      transact(state, (tx) => endJob(state, tx, system.now(), lease, { state: "succeeded" })),

    retry: async (lease, error, run_at, options) =>
      transact(state, (tx) =>
        retryJob(state, tx, system.now(), lease, error, run_at, options?.counts ?? true),
      ),

    fail: async (lease, error) =>
      transact(state, (tx) => endJob(state, tx, system.now(), lease, { state: "dead", error })),

    cancel: async (job_id) => transact(state, (tx) => cancelJob(state, tx, system.now(), job_id)),

    redrive: async (job_id) => transact(state, (tx) => redriveJob(state, tx, system.now(), job_id)),

    get: async (job_id, tenant_id) => {
      const job = findJob(state, job_id)?.job;
      if (!job || (tenant_id !== undefined && job.tenant_id !== tenant_id)) return undefined;
      return structuredClone(job);
    },

    list: async ({ tenant_id, state: wanted, error_code, before, limit }) => {
      const fits = ({ job }: JobRow) =>
        (tenant_id === undefined || job.tenant_id === tenant_id) &&
        (wanted === undefined || job.state === wanted) &&
        (error_code === undefined || job.error?.code === error_code) &&
        (before === undefined || job.job_id < before);
      return [...state.openJobs.values(), ...state.endedJobs.values()]
        .filter(fits)
        .map((row) => row.job)
        .sort((a: Job, b: Job) => (a.job_id < b.job_id ? 1 : -1))
        .slice(0, limit)
        .map((job) => structuredClone(job));
    },

    stats: async (tenant_id) => {
      const now = system.now();
      const by_state = Object.fromEntries(jobStates.map((each) => [each, 0])) as Record<JobState, number>;
      let oldest = now;
      for (const row of rowsOf(tenant_id)) {
        by_state[row.job.state] += 1;
        if (row.lease_token === null && !endedStates.has(row.job.state))
          oldest = Math.min(oldest, row.run_at);
      }
      return { by_state, oldest_ready_ms: now - oldest };
    },

    deadByCode: async (tenant_id) => {
      const dead = new Map<ErrorCode, number>();
      for (const { job } of rowsOf(tenant_id)) {
        if (job.state === "dead" && job.error) dead.set(job.error.code, (dead.get(job.error.code) ?? 0) + 1);
      }
      return mostFirst([...dead].map(([code, jobs]) => ({ code, jobs })));
    },

    loads: async (limit) => {
      const loads = new Map<string, TenantLoad>();
      for (const { job } of rowsOf(undefined)) {
        const { tenant_id, state: of } = job;
        if (of === "succeeded" || of === "cancelled") continue;
        const load = loads.get(tenant_id) ?? { tenant_id, waiting: 0, running: 0, dead: 0 };
        load[of === "queued" || of === "retrying" ? "waiting" : of] += 1;
        loads.set(tenant_id, load);
      }
      return mostLoadedFirst([...loads.values()]).slice(0, limit);
    },

    depth: async (tenant_id) => {
      let [tenant, total] = [0, 0];
      for (const row of state.openJobs.values()) {
        if (row.lease_token !== null) continue;
        total += 1;
        if (row.job.tenant_id === tenant_id) tenant += 1;
      }
      return { tenant, total };
    },

    nextReadyAt: async () => {
      const now = system.now();
      let next: number | null = null;
      for (const row of state.openJobs.values()) {
        if (row.lease_token === null && row.run_at > now) next = Math.min(next ?? row.run_at, row.run_at);
      }
      return next;
    },

    workers: async () => {
      const holds = new Map<string, string[]>();
      for (const { job } of running()) {
        if (job.leased_by === null) continue;
        holds.set(job.leased_by, [...(holds.get(job.leased_by) ?? []), job.job_id]);
      }
      return [...state.workers.values()].map(({ presence, last_seen_at }) => ({
        ...presence,
        last_seen_at,
        holds: holds.get(presence.worker_id) ?? [],
      }));
    },

    removeWorker: async (worker_id) => {
      state.workers.delete(worker_id);
    },

    watchJobs: (listener) => watch(state.jobListeners, listener),
  };
}

/** Of the ready jobs, the best of the tenant whose last turn is longest ago. */
function nextReady(
  state: MemoryState,
  now: number,
  mayRun: (tenant_id: string) => boolean,
): JobRow | undefined {
  // First within each tenant, then between tenants: the two orders in one would not be an order.
  const best = new Map<string, JobRow>();
  for (const row of state.openJobs.values()) {
    const { tenant_id } = row.job;
    if (row.lease_token !== null || row.run_at > now || !mayRun(tenant_id)) continue;
    const known = best.get(tenant_id);
    if (!known || comesBefore(row, known)) best.set(tenant_id, row);
  }
  let next: JobRow | undefined;
  for (const row of best.values()) if (!next || isServedBefore(state, row, next)) next = row;
  return next;
}

/** Of two jobs of one tenant. */
function comesBefore(a: JobRow, b: JobRow): boolean {
  if (a.job.priority !== b.job.priority) return a.job.priority > b.job.priority;
  return waitsLonger(a, b);
}

/** Of two tenants' best jobs. */
function isServedBefore(state: MemoryState, a: JobRow, b: JobRow): boolean {
  const turnA = state.turns.get(a.job.tenant_id) ?? 0;
  const turnB = state.turns.get(b.job.tenant_id) ?? 0;
  if (turnA !== turnB) return turnA < turnB;
  // Neither was ever served: the tenant whose job has waited longest begins.
  return waitsLonger(a, b);
}

function waitsLonger(a: JobRow, b: JobRow): boolean {
  return a.run_at !== b.run_at ? a.run_at < b.run_at : a.place < b.place;
}
