/** Writes of the job queue, inside the open transaction. Synchronous: they run on the writer thread. */

import type { ClaimedJob, Lease, NewJob } from "../../job.ts";
import { ConflictError, type Settlement } from "../../ports/document-store.ts";
import type { WorkerPresence } from "../../ports/job-queue.ts";
import { type Row, toJob } from "./rows.ts";
import type { Sql } from "./schema.ts";

const READY = "state IN ('queued', 'retrying')";

export function insertJob(sql: Sql, job: NewJob, now: number): void {
  const unique_key = job.unique_key ?? null;
  if (unique_key !== null) refuseTwin(sql, job.tenant_id, unique_key);
  sql(
    `INSERT INTO jobs (job_id, tenant_id, job_type, payload, state, priority, attempts, max_attempts, run_at,
       unique_key, correlation_id, created_at, updated_at)
     VALUES (?, ?, ?, ?, 'queued', ?, 0, ?, ?, ?, ?, ?, ?)`,
  ).run(
    job.job_id,
    job.tenant_id,
    job.job_type,
    JSON.stringify(job.payload),
    job.priority ?? 0,
    job.max_attempts ?? 5,
    now + Math.round((job.delay_seconds ?? 0) * 1_000),
    unique_key,
    job.correlation_id,
    now,
    now,
  );
}

function refuseTwin(sql: Sql, tenant_id: string, unique_key: string): void {
  // In the words of the partial index, so that it is used.
  const twin = sql(
    `SELECT 1 FROM jobs WHERE tenant_id = ? AND unique_key = ?
     AND unique_key IS NOT NULL AND state IN ('queued', 'retrying', 'running')`,
  ).get(tenant_id, unique_key);
  if (twin) throw new ConflictError("unique_key");
}

/**
 * Takes ready jobs, in turns between tenants: whoever was served longest ago comes first, and each round gives every
 * waiting tenant one share.
 */
export function claimJobs(
  sql: Sql,
  worker_id: string,
  limit: number,
  lease_ms: number,
  max_running_per_tenant: number,
  now: number,
): ClaimedJob[] {
  const claimed: ClaimedJob[] = [];
  // How many more each tenant may run.
  const room = new Map<string, number>();
  if (max_running_per_tenant < Number.POSITIVE_INFINITY) {
    for (const row of sql(
      "SELECT tenant_id, count(*) AS jobs FROM jobs WHERE state = 'running' GROUP BY tenant_id",
    ).all()) {
      room.set(row.tenant_id as string, max_running_per_tenant - (row.jobs as number));
    }
  }
  const roomOf = (tenant_id: string) => room.get(tenant_id) ?? max_running_per_tenant;
  let tenants = waitingTenants(sql, now)
    .filter((tenant_id) => roomOf(tenant_id) > 0)
    .slice(0, limit);
  while (claimed.length < limit && tenants.length > 0) {
    // Rounded down: a share rounded up would use the claim up before the last tenants' turn.
    const share = Math.max(1, Math.floor((limit - claimed.length) / tenants.length));
    const unserved: string[] = [];
    for (const tenant_id of tenants) {
      const wanted = Math.min(share, limit - claimed.length, roomOf(tenant_id));
      if (claimed.length === limit) break;
      const rows = takeReady(sql, tenant_id, wanted, worker_id, now + lease_ms, now);
      claimed.push(...rows);
      if (rows.length > 0) takeTurn(sql, tenant_id);
      room.set(tenant_id, roomOf(tenant_id) - rows.length);
      if (rows.length === wanted && roomOf(tenant_id) > 0) unserved.push(tenant_id);
    }
    tenants = unserved;
  }
  return claimed;
}

/** Tenants with a job ready now, the one served longest ago first. One index seek per tenant, not per job. */
function waitingTenants(sql: Sql, now: number): string[] {
  const rows = sql(
    `WITH RECURSIVE waiting (tenant_id) AS (
       SELECT min(tenant_id) FROM jobs WHERE ${READY}
       UNION ALL
       SELECT (SELECT min(tenant_id) FROM jobs WHERE ${READY} AND tenant_id > waiting.tenant_id)
       FROM waiting WHERE waiting.tenant_id IS NOT NULL
     )
     SELECT waiting.tenant_id FROM waiting LEFT JOIN turns USING (tenant_id)
     WHERE waiting.tenant_id IS NOT NULL
       AND EXISTS (SELECT 1 FROM jobs WHERE tenant_id = waiting.tenant_id AND ${READY} AND run_at <= ?)
     ORDER BY coalesce(turns.turn, 0), waiting.tenant_id`,
  ).all(now);
  return rows.map((row) => row.tenant_id as string);
}

function takeTurn(sql: Sql, tenant_id: string): void {
  sql(
    `INSERT INTO turns (tenant_id, turn) VALUES (?1, (SELECT coalesce(max(turn), 0) + 1 FROM turns))
     ON CONFLICT (tenant_id) DO UPDATE SET turn = (SELECT max(turn) + 1 FROM turns)`,
  ).run(tenant_id);
}

/** Leases the best ready jobs of one tenant. */
function takeReady(
  sql: Sql,
  tenant_id: string,
  limit: number,
  worker_id: string,
  lease_until: number,
  now: number,
): ClaimedJob[] {
  const rows = sql(
    `UPDATE jobs SET state = 'running', attempts = attempts + 1, leased_by = ?, lease_until = ?, updated_at = ?,
       lease_token = lower(hex(randomblob(16)))
     WHERE rowid IN (SELECT rowid FROM jobs WHERE tenant_id = ? AND ${READY} AND run_at <= ?
       ORDER BY priority DESC, run_at, job_id LIMIT ?)
     RETURNING *`,
  ).all(worker_id, lease_until, now, tenant_id, now, limit) as Row[];
  // They come back in no particular order.
  return rows.sort(bestFirst).map((row) => {
    const { job_id, lease_token } = row as { job_id: string; lease_token: string };
    return { job_id, lease_token, lease_until, job: toJob(row) };
  });
}

function bestFirst(a: Row, b: Row): number {
  const rank = (row: Row) => row as { priority: number; run_at: number; job_id: string };
  return (
    rank(b).priority - rank(a).priority ||
    rank(a).run_at - rank(b).run_at ||
    (rank(a).job_id < rank(b).job_id ? -1 : 1)
  );
}

/** @returns the ids of jobs whose lease is lost */
export function heartbeat(
  sql: Sql,
  worker: WorkerPresence,
  leases: Lease[],
  lease_ms: number,
  now: number,
): string[] {
  sql(
    `INSERT INTO workers (worker_id, pid, host, started_at, last_seen_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (worker_id) DO UPDATE SET pid = excluded.pid, last_seen_at = excluded.last_seen_at`,
  ).run(worker.worker_id, worker.pid, worker.host, worker.started_at, now);
  return leases
    .filter(({ job_id, lease_token }) => {
      const { changes } = sql(
        "UPDATE jobs SET lease_until = ? WHERE job_id = ? AND state = 'running' AND lease_token = ?",
      ).run(now + lease_ms, job_id, lease_token);
      return changes !== 1;
    })
    .map(({ job_id }) => job_id);
}

/** @throws ConflictError lease_lost unless the job is running under this lease */
export function requireLease(sql: Sql, { job_id, lease_token }: Lease): void {
  const held = sql("SELECT 1 FROM jobs WHERE job_id = ? AND state = 'running' AND lease_token = ?");
  if (!held.get(job_id, lease_token)) throw new ConflictError("lease_lost");
}

export function settleJob(
  sql: Sql,
  { job_id, lease_token }: Lease,
  settlement: Settlement,
  now: number,
): void {
  const under = "WHERE job_id = ? AND state = 'running' AND lease_token = ?";
  const free = "leased_by = NULL, lease_token = NULL, lease_until = NULL, updated_at = ?";
  let changes: number | bigint;
  if (settlement.state === "succeeded") {
    ({ changes } = sql(
      `UPDATE jobs SET state = 'succeeded', error = NULL, finished_at = ?, ${free} ${under}`,
    ).run(now, now, job_id, lease_token));
  } else if (settlement.state === "dead") {
    ({ changes } = sql(`UPDATE jobs SET state = 'dead', error = ?, finished_at = ?, ${free} ${under}`).run(
      JSON.stringify(settlement.error),
      now,
      now,
      job_id,
      lease_token,
    ));
  } else {
    ({ changes } = sql(
      `UPDATE jobs SET state = 'retrying', error = ?, run_at = ?, attempts = attempts - ?, ${free} ${under}`,
    ).run(
      settlement.error === null ? null : JSON.stringify(settlement.error),
      settlement.run_at,
      settlement.counts === false ? 1 : 0,
      now,
      job_id,
      lease_token,
    ));
  }
  if (changes !== 1) throw new ConflictError("lease_lost");
}

/** @param tenant_id whose job it must be; undefined for anybody's */
export function cancelJob(sql: Sql, job_id: string, tenant_id: string | undefined, now: number): void {
  const { changes } = sql(
    `UPDATE jobs SET state = 'cancelled', leased_by = NULL, lease_token = NULL, lease_until = NULL, finished_at = ?,
       updated_at = ? WHERE job_id = ? AND tenant_id = coalesce(?, tenant_id) AND state IN ('queued', 'retrying', 'running')`,
  ).run(now, now, job_id, tenant_id ?? null);
  if (changes !== 1) throw new ConflictError("job_state");
}

/** @param tenant_id whose job it must be; undefined for anybody's */
export function redriveJob(sql: Sql, job_id: string, tenant_id: string | undefined, now: number): void {
  const row = sql(
    "SELECT tenant_id, unique_key FROM jobs WHERE job_id = ? AND state IN ('dead', 'cancelled')",
  ).get(job_id);
  if (!row || (tenant_id !== undefined && row.tenant_id !== tenant_id)) throw new ConflictError("job_state");
  if (row.unique_key !== null) refuseTwin(sql, row.tenant_id as string, row.unique_key as string);
  sql(
    `UPDATE jobs SET state = 'queued', attempts = 0, run_at = ?, error = NULL, finished_at = NULL, updated_at = ?
     WHERE job_id = ?`,
  ).run(now, now, job_id);
}

export function removeWorker(sql: Sql, worker_id: string): void {
  sql("DELETE FROM workers WHERE worker_id = ?").run(worker_id);
}

/** What the queue changes by itself, outside a commit of documents. */
export type JobChange =
  | { enqueue: NewJob[] }
  | { lease: Lease; settle: Settlement }
  | { cancel: string }
  | { redrive: string };

export function applyJobChange(sql: Sql, change: JobChange, now: number): void {
  if ("enqueue" in change) for (const job of change.enqueue) insertJob(sql, job, now);
  else if ("settle" in change) settleJob(sql, change.lease, change.settle, now);
  else if ("cancel" in change) cancelJob(sql, change.cancel, undefined, now);
  else redriveJob(sql, change.redrive, undefined, now);
}
