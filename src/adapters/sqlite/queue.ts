/** JobQueue on SQLite: reads on a connection of this thread, writes through the writer. */
import type { DatabaseSync } from "node:sqlite";
import type { ClaimedJob } from "../../job.ts";
import type { JobQueue } from "../../ports/job-queue.ts";
import type { System } from "../../ports/system.ts";
import type { Doorbell } from "./doorbell.ts";
import { createJobCounts } from "./job-counts.ts";
import { conditions, iso, type Row, toJob } from "./rows.ts";
import { statements } from "./schema.ts";
import type { JobChange } from "./write-jobs.ts";
import type { Writer } from "./writer.ts";

export function createSqliteQueue(
  db: DatabaseSync,
  writer: Writer,
  doorbell: Doorbell,
  system: System,
): JobQueue {
  const sql = statements(db);
  const apply = (change: JobChange): Promise<void> => writer.write({ op: "jobs", change, now: system.now() });

  function running(condition: string, ...values: (string | number)[]): ClaimedJob[] {
    const rows = sql(`SELECT * FROM jobs WHERE state = 'running' AND ${condition}`).all(...values) as Row[];
    return rows.map((row) => ({
      job_id: row.job_id as string,
      lease_token: row.lease_token as string,
      lease_until: row.lease_until as number,
      job: toJob(row),
    }));
  }

  return {
    enqueue: (jobs) => apply({ enqueue: jobs }),
    claim: (worker_id, limit, lease_ms, options = {}) => {
      const { max_running_per_tenant = Number.POSITIVE_INFINITY } = options;
      return writer.write({
        op: "claim",
        worker_id,
        limit,
        lease_ms,
        max_running_per_tenant,
        now: system.now(),
      });
    },
    heartbeat: (worker, leases, lease_ms) =>
      writer.write({ op: "heartbeat", worker, leases, lease_ms, now: system.now() }),

    async lost(leases) {
      return leases
        .filter(({ job_id, lease_token }) => {
          const held = sql("SELECT 1 FROM jobs WHERE job_id = ? AND state = 'running' AND lease_token = ?");
          return !held.get(job_id, lease_token);
        })
        .map(({ job_id }) => job_id);
    },

    async expired(limit) {
      return running("lease_until < ? ORDER BY lease_until LIMIT ?", system.now(), limit);
    },
    async heldBy(worker_id) {
      return running("leased_by = ?", worker_id);
    },

    complete: (lease) => apply({ lease, settle: { state: "succeeded" } }),
    retry: (lease, error, run_at, options = {}) =>
      apply({ lease, settle: { state: "retrying", error, run_at, counts: options.counts ?? true } }),
    fail: (lease, error) => apply({ lease, settle: { state: "dead", error } }),
    cancel: (job_id) => apply({ cancel: job_id }),
    redrive: (job_id) => apply({ redrive: job_id }),

    async get(job_id, tenant_id) {
      const row = sql("SELECT * FROM jobs WHERE job_id = ?").get(job_id) as Row | undefined;
      if (!row || (tenant_id !== undefined && row.tenant_id !== tenant_id)) return undefined;
      return toJob(row);
    },

    async list({ tenant_id, state, error_code, before, limit }) {
      const { where, values } = conditions({
        "tenant_id = ?": tenant_id,
        "state = ?": state,
        "error ->> '$.code' = ?": error_code,
        "job_id < ?": before,
      });
      const rows = sql(`SELECT * FROM jobs WHERE ${where} ORDER BY job_id DESC LIMIT ?`).all(
        ...values,
        limit,
      ) as Row[];
      return rows.map(toJob);
    },

    ...createJobCounts(db, system),

    async depth(tenant_id) {
      const row = sql(
        `SELECT count(*) AS total, count(*) FILTER (WHERE tenant_id = ?) AS tenant
         FROM jobs WHERE state IN ('queued', 'retrying')`,
      ).get(tenant_id);
      return row as { tenant: number; total: number };
    },

    async nextReadyAt() {
      const row = sql(
        "SELECT min(run_at) AS run_at FROM jobs WHERE state IN ('queued', 'retrying') AND run_at > ?",
      ).get(system.now());
      return (row?.run_at ?? null) as number | null;
    },

    async workers() {
      const rows = sql("SELECT * FROM workers ORDER BY worker_id").all() as Row[];
      return rows.map((row) => ({
        worker_id: row.worker_id as string,
        pid: row.pid as number,
        host: row.host as string,
        started_at: row.started_at as string,
        last_seen_at: iso(row.last_seen_at as number),
        holds: running("leased_by = ?", row.worker_id as string).map(({ job_id }) => job_id),
      }));
    },

    removeWorker: (worker_id) => writer.write({ op: "remove_worker", worker_id }),
    watchJobs: (listener) => doorbell.listen("jobs", listener),
  };
}
