/** JobQueue and JobDispatch on PostgreSQL. */
import type { JobState, Lease } from "../../job.ts";
import { jobStates } from "../../job.ts";
import { ConflictError, type Settlement } from "../../ports/document-store.ts";
import type { Dispatch, JobDispatch } from "../../ports/job-dispatch.ts";
import type { ClaimOptions, DeadCount, JobQueue, TenantLoad, WorkerInfo } from "../../ports/job-queue.ts";
import { type StoreParts, toSettlement } from "./documents.ts";
import { iso, type JobRow, toClaimed, toJob, toJson } from "./values.ts";

/** From so many jobs on their number is kept for a while: to count them reads an index entry for each. */
const MANY = 100_000;
const TOTAL_MS = 30_000;
const MAX_TOTALS = 1_000;

const unlimited = Number.POSITIVE_INFINITY;
const roomOf = ({ max_running_per_tenant = unlimited }: ClaimOptions): number | null =>
  max_running_per_tenant === unlimited ? null : max_running_per_tenant;
const idsOf = (leases: Lease[]) => leases.map(({ job_id }) => job_id);
const tokensOf = (leases: Lease[]) => leases.map(({ lease_token }) => lease_token);

export function createPostgresQueue(parts: StoreParts): JobQueue {
  const { connection, doorbell, clock, dispatch } = parts;
  const { read, write } = connection;
  const settleTogether = coalesce((settlements: ReturnType<typeof toSettlement>[]) =>
    write<{ lost: string }>("SELECT * FROM $S.settle_1($1, $2, $3) AS lost", [
      toJson(settlements),
      clock.forDatabase(),
      dispatch,
    ]),
  );

  /** Tenant (or `*`) → how many jobs it had, in whatever state. */
  const totals = new Map<string, { at: number; jobs: number }>();

  async function settle(lease: Lease, settlement: Settlement): Promise<void> {
    const refused = await settleTogether(toSettlement(lease, settlement, clock.now()));
    if (refused.some(({ lost }) => lost === lease.lease_token)) throw new ConflictError("lease_lost");
    doorbell.rung("jobs");
  }
  async function change(cancel: string | null, redrive: string | null): Promise<void> {
    await write("SELECT $S.change_job_1($1, $2, $3, $4)", [cancel, redrive, clock.forDatabase(), dispatch]);
    doorbell.rung("jobs");
  }

  return {
    async enqueue(jobs) {
      await write("SELECT $S.enqueue_1($1, $2, $3)", [toJson(jobs), clock.forDatabase(), dispatch]);
      doorbell.rung("jobs");
    },
    async claim(worker_id, limit, lease_ms, options = {}) {
      const rows = await write<JobRow>("SELECT * FROM $S.claim_1($1, $2, $3, $4, $5)", [
        worker_id,
        limit,
        Math.round(lease_ms),
        roomOf(options),
        clock.forDatabase(),
      ]);
      return rows.map(toClaimed);
    },
    async heartbeat(worker, leases, lease_ms) {
      const rows = await write<{ job_id: string }>(
        "SELECT * FROM $S.heartbeat_1($1, $2, $3, $4, $5) AS job_id",
        [toJson(worker), idsOf(leases), tokensOf(leases), Math.round(lease_ms), clock.forDatabase()],
      );
      return rows.map(({ job_id }) => job_id);
    },
    async lost(leases) {
      const rows = await read<{ job_id: string }>("SELECT * FROM $S.lost_1($1, $2) AS job_id", [
        idsOf(leases),
        tokensOf(leases),
      ]);
      return rows.map(({ job_id }) => job_id);
    },
    expired: async (limit) =>
      (await read<JobRow>("SELECT * FROM $S.expired_1($1, $2)", [limit, clock.forDatabase()])).map(toClaimed),
    heldBy: async (worker_id) =>
      (await read<JobRow>("SELECT * FROM $S.held_by_1($1)", [worker_id])).map(toClaimed),

    complete: (lease) => settle(lease, { state: "succeeded" }),
    retry: (lease, error, run_at, options = {}) =>
      settle(lease, { state: "retrying", error, run_at, counts: options.counts ?? true }),
    fail: (lease, error) => settle(lease, { state: "dead", error }),
    cancel: (job_id) => change(job_id, null),
    redrive: (job_id) => change(null, job_id),

    async get(job_id, tenant_id = "*") {
      const [row] = await read<JobRow>("SELECT * FROM $S.get_job_1($1, $2)", [tenant_id, job_id]);
      return row && toJob(row);
    },
    async list({ tenant_id = "*", state, error_code, before, limit }) {
      const rows = await read<JobRow>("SELECT * FROM $S.list_jobs_1($1, $2, $3, $4, $5)", [
        tenant_id,
        state,
        error_code,
        before,
        limit,
      ]);
      return rows.map(toJob);
    },
    async stats(tenant_id = "*") {
      const kept = totals.get(tenant_id);
      const count = kept === undefined || performance.now() - kept.at > TOTAL_MS;
      const rows = await read<{ state: JobState | "all"; jobs: number; oldest_ready_ms: number | null }>(
        "SELECT * FROM $S.job_stats_2($1, $2, $3)",
        [tenant_id, count, clock.forDatabase()],
      );
      const by_state = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
      let total = kept?.jobs ?? 0;
      let oldest_ready_ms = 0;
      for (const row of rows) {
        if (row.state === "all") {
          total = row.jobs;
          continue;
        }
        by_state[row.state] = row.jobs;
        oldest_ready_ms = Math.max(oldest_ready_ms, row.oldest_ready_ms ?? 0);
      }
      if (count && total > MANY) {
        if (totals.size >= MAX_TOTALS) totals.clear();
        totals.set(tenant_id, { at: performance.now(), jobs: total });
      }
      const others = jobStates.reduce((sum, state) => sum + by_state[state], 0);
      by_state.succeeded = Math.max(0, total - others);
      return { by_state, oldest_ready_ms };
    },
    deadByCode: (tenant_id = "*") => read<DeadCount>("SELECT * FROM $S.dead_by_code_1($1)", [tenant_id]),
    loads: (limit) => read<TenantLoad>("SELECT * FROM $S.job_loads_1($1)", [limit]),
    async depth(tenant_id) {
      const [row] = await read<{ tenant: number; total: number }>("SELECT * FROM $S.depth_1($1)", [
        tenant_id,
      ]);
      return row ?? { tenant: 0, total: 0 };
    },
    async nextReadyAt() {
      const [row] = await read<{ wait: number | null }>("SELECT $S.next_ready_1($1) AS wait", [
        clock.forDatabase(),
      ]);
      return row?.wait == null ? null : clock.now() + row.wait;
    },
    async workers() {
      const rows = await read<Omit<WorkerInfo, "last_seen_at"> & { last_seen_at: number }>(
        "SELECT * FROM $S.list_workers_1()",
      );
      return rows.map((row) => ({ ...row, last_seen_at: iso(row.last_seen_at) }));
    },
    async removeWorker(worker_id) {
      await write("DELETE FROM $S.workers WHERE worker_id = $1", [worker_id]);
    },
    watchJobs: (listener) => doorbell.listen("jobs", listener),
  };
}

export function createPostgresDispatch({ connection, clock }: StoreParts): JobDispatch {
  const { read, write } = connection;
  return {
    async takeUndispatched(limit, ahead_ms, again_ms) {
      const rows = await write<JobRow>("SELECT * FROM $S.take_undispatched_1($1, $2, $3, $4)", [
        limit,
        ahead_ms,
        again_ms,
        clock.forDatabase(),
      ]);
      return rows.map(({ job_id, tenant_id, run_at }): Dispatch => ({ job_id, tenant_id, run_at }));
    },
    async markDispatched(job_ids, again_ms) {
      await write("SELECT $S.mark_dispatched_1($1, $2, $3)", [job_ids, again_ms, clock.forDatabase()]);
    },
    async claimJobs(worker_id, job_ids, lease_ms, options = {}) {
      const rows = await write<JobRow & { deferred: boolean }>(
        "SELECT deferred, (job).* FROM $S.claim_these_1($1, $2, $3, $4, $5)",
        [worker_id, job_ids, Math.round(lease_ms), roomOf(options), clock.forDatabase()],
      );
      return {
        claimed: rows.filter((row) => !row.deferred).map(({ deferred: _, ...row }) => toClaimed(row)),
        deferred: rows.filter((row) => row.deferred).map(({ job_id }) => job_id),
      };
    },
    async nextDispatchAt(ahead_ms) {
      const [row] = await read<{ wait: number | null }>("SELECT * FROM $S.next_dispatch_1($1, $2) AS wait", [
        ahead_ms,
        clock.forDatabase(),
      ]);
      return row?.wait == null ? null : clock.now() + row.wait;
    },
  };
}

/** Calls made while one is under way go together in the next; each gets the answer of its run. */
function coalesce<T, R>(run: (items: T[]) => Promise<R>): (item: T) => Promise<R> {
  let waiting: { item: T; resolve: (answer: R) => void; reject: (error: unknown) => void }[] = [];
  let active = false;
  async function drain(): Promise<void> {
    active = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const answer = await run(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve(answer);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    active = false;
  }
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // After this turn of the event loop, so that what ends together is settled together.
      if (!active) {
        active = true;
        queueMicrotask(drain);
      }
    });
}
