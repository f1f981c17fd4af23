/**
 * How many jobs there are of what. None of it reads ended jobs one by one, however many there are: each count goes by an
 * index that holds no more than what is counted. The planner, which knows nothing of the sizes, is told which.
 */
import type { DatabaseSync } from "node:sqlite";
import type { ErrorCode } from "../../errors.ts";
import { type JobState, jobStates } from "../../job.ts";
import type { DeadCount, JobQueue, TenantLoad } from "../../ports/job-queue.ts";
import type { System } from "../../ports/system.ts";
import { mostFirst, mostLoadedFirst } from "../load-order.ts";
import { conditions } from "./rows.ts";
import { statements } from "./schema.ts";

/** Tenants whose number of jobs is remembered. */
const MAX_TENANTS = 1_000;

export function createJobCounts(
  db: DatabaseSync,
  system: System,
): Pick<JobQueue, "stats" | "deadByCode" | "loads"> {
  const sql = statements(db);
  /** Tenant → its jobs up to a row, in whatever state. Jobs are never removed, so later rows only add to that. */
  const totals = new Map<string | undefined, { row: number; jobs: number }>();

  function countAll(tenant_id: string | undefined): number {
    const { where, values } = conditions({ "tenant_id = ?": tenant_id });
    const row = (sql("SELECT max(rowid) AS last FROM jobs").get()?.last ?? 0) as number;
    let total = totals.get(tenant_id);
    if (total) {
      const added = sql(
        `SELECT count(*) AS jobs FROM jobs NOT INDEXED WHERE rowid > ? AND rowid <= ? AND ${where}`,
      ).get(total.row, row, ...values)?.jobs as number;
      total = { row, jobs: total.jobs + added };
    } else {
      const all = sql(`SELECT count(*) AS jobs FROM jobs WHERE ${where} AND rowid <= ?`).get(...values, row);
      total = { row, jobs: all?.jobs as number };
    }
    if (totals.size >= MAX_TENANTS) totals.clear();
    totals.set(tenant_id, total);
    return total.jobs;
  }

  return {
    async stats(tenant_id) {
      const { where, values } = conditions({ "tenant_id = ?": tenant_id });
      const by_state = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
      // Jobs that succeeded are the rest: to count them by themselves would read every one.
      let succeeded = countAll(tenant_id);
      const rows = sql(
        `SELECT state, count(*) AS jobs FROM jobs WHERE state IN ('queued', 'retrying') AND ${where} GROUP BY state
         UNION ALL SELECT state, count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND ${where}
           GROUP BY state
         UNION ALL SELECT state, count(*) FROM jobs INDEXED BY jobs_failed WHERE state IN ('dead', 'cancelled')
           AND ${where} GROUP BY state`,
      ).all(...values, ...values, ...values);
      for (const row of rows) {
        by_state[row.state as JobState] = row.jobs as number;
        succeeded -= row.jobs as number;
      }
      by_state.succeeded = Math.max(0, succeeded);
      const now = system.now();
      const oldest = sql(
        `SELECT min(run_at) AS run_at FROM jobs WHERE state IN ('queued', 'retrying') AND ${where} AND run_at <= ?`,
      ).get(...values, now)?.run_at as number | null;
      return { by_state, oldest_ready_ms: oldest === null ? 0 : now - oldest };
    },

    async deadByCode(tenant_id) {
      const { where, values } = conditions({ "tenant_id = ?": tenant_id });
      // By tenant as well, as the index is: in another order each job's error would be read.
      const rows = sql(
        `SELECT tenant_id, error ->> '$.code' AS code, count(*) AS jobs FROM jobs INDEXED BY jobs_dead
         WHERE state = 'dead' AND ${where} GROUP BY tenant_id, error ->> '$.code'`,
      ).all(...values) as unknown as DeadCount[];
      const dead = new Map<ErrorCode, number>();
      for (const { code, jobs } of rows) dead.set(code, (dead.get(code) ?? 0) + jobs);
      return mostFirst([...dead].map(([code, jobs]) => ({ code, jobs })));
    },

    async loads(limit) {
      const rows = sql(
        `SELECT tenant_id, 'waiting' AS what, count(*) AS jobs FROM jobs INDEXED BY jobs_ready
           WHERE state IN ('queued', 'retrying') GROUP BY tenant_id
         UNION ALL SELECT tenant_id, 'running', count(*) FROM jobs INDEXED BY jobs_running
           WHERE state = 'running' GROUP BY tenant_id
         UNION ALL SELECT tenant_id, 'dead', count(*) FROM jobs INDEXED BY jobs_dead
           WHERE state = 'dead' GROUP BY tenant_id`,
      ).all() as { tenant_id: string; what: "waiting" | "running" | "dead"; jobs: number }[];
      const loads = new Map<string, TenantLoad>();
      for (const { tenant_id, what, jobs } of rows) {
        const load = loads.get(tenant_id) ?? { tenant_id, waiting: 0, running: 0, dead: 0 };
        load[what] = jobs;
        loads.set(tenant_id, load);
      }
      return mostLoadedFirst([...loads.values()]).slice(0, limit);
    },
  };
}
