import type { ClaimedJob } from "../job.ts";

/** A job that a broker is to be told of. */
export interface Dispatch {
  job_id: string;
  tenant_id: string;
  /** Unix milliseconds; not to be run before. */
  run_at: number;
}

/**
 * What a queue whose messages travel outside the database needs from the one inside it. The database stays the truth
 * of a job (state, attempts, unique keys, leases, dead letters): a message says "look at this job" and carries ids
 * only, so that one sent twice, late or never is harmless.
 *
 * The jobs table itself is the outbox: a commit that makes a job ready marks it as not dispatched in the same
 * transaction.
 */
export interface JobDispatch {
  /**
   * Jobs that wait to run, become ready within `ahead_ms` and have no message under way. MUST give each to one caller
   * only until `again_ms` have passed; after that, whoever took it is thought dead and another may send it.
   */
  takeUndispatched(limit: number, ahead_ms: number, again_ms: number): Promise<Dispatch[]>;
  /**
   * The broker has these messages. A job that still waits after `again_ms` counts as undispatched again: its message
   * must have been lost.
   */
  markDispatched(job_ids: string[], again_ms: number): Promise<void>;
  /**
   * `JobQueue.claim`, but of these jobs: those that are ready now. MUST count the attempt and hand each to one caller.
   * @returns what was claimed; and in `deferred` the ids of jobs that are ready but left waiting because their tenant
   *   has `max_running_per_tenant` running. Any other job was not to be run now.
   */
  claimJobs(
    worker_id: string,
    job_ids: string[],
    lease_ms: number,
    options?: { max_running_per_tenant?: number },
  ): Promise<{ claimed: ClaimedJob[]; deferred: string[] }>;
  /** Unix milliseconds at which `takeUndispatched` has something next; null when nothing waits. */
  nextDispatchAt(ahead_ms: number): Promise<number | null>;
}
