import type { ErrorCode, ErrorInfo } from "../errors.ts";
import type { ClaimedJob, Job, JobState, Lease, NewJob } from "../job.ts";

/** What a worker process says of itself with every heartbeat. */
export interface WorkerPresence {
  worker_id: string;
  pid: number;
  host: string;
  /** ISO 8601. */
  started_at: string;
}

export interface WorkerInfo extends WorkerPresence {
  /** ISO 8601. */
  last_seen_at: string;
  /** Ids of the jobs it runs. */
  holds: string[];
}

export interface QueueStats {
  by_state: Record<JobState, number>;
  /** Milliseconds that the oldest job ready to run has waited; 0 when none is ready. */
  oldest_ready_ms: number;
}

/** Dead letters of one error. */
export interface DeadCount {
  code: ErrorCode;
  jobs: number;
}

/** What a tenant has in the queue. */
export interface TenantLoad {
  tenant_id: string;
  /** Delayed ones included. */
  waiting: number;
  running: number;
  dead: number;
}

export interface JobQuery {
  tenant_id?: string;
  state?: JobState;
  /** Only jobs whose last attempt failed with this error. */
  error_code?: ErrorCode;
  /** Jobs that come after this id in the list's order (newest first). */
  before?: string;
  limit: number;
}

export interface ClaimOptions {
  /** Default: no limit. */
  max_running_per_tenant?: number;
  /** Fires when the caller wants no more jobs: a queue that waits for some MUST resolve at once, and keep none. */
  signal?: AbortSignal;
}

/** A durable queue of jobs, run under leases. At least once: what a job does must bear being done twice. */
export interface JobQueue {
  /**
   * MUST be durable when it resolves. MUST refuse a second unended job of the tenant with the same unique_key
   * (ConflictError `unique_key`).
   */
  enqueue(jobs: NewJob[]): Promise<void>;
  /**
   * Takes up to `limit` jobs that are ready, for `lease_ms`.
   * MUST hand a job to one caller only. MUST count the attempt now: a worker that dies cannot count it later.
   * MUST take turns between tenants: however many jobs one tenant has waiting, another's first is taken next.
   * Within a tenant: higher priority first, then the one ready for longest. MUST NOT return expired leases;
   * `expired` does. MUST leave a tenant's jobs waiting while it has `max_running_per_tenant` of them running, and
   * take other tenants' meanwhile.
   * MUST NOT make a job wait because the clock jumped back: what was ready stays ready, what was to wait waits no
   * longer than it was to. MAY wait a while for a job to come where none is there.
   */
  claim(worker_id: string, limit: number, lease_ms: number, options?: ClaimOptions): Promise<ClaimedJob[]>;
  /**
   * Renews leases and the worker's presence.
   * @returns the job ids whose leases are lost: their work must stop
   */
  heartbeat(worker: WorkerPresence, leases: Lease[], lease_ms: number): Promise<string[]>;
  /** Of these leases, the job ids whose leases are lost. Renews nothing; cheap. */
  lost(leases: Lease[]): Promise<string[]>;
  /**
   * Running jobs whose lease ended before now, or that this worker holds.
   * They stay as they are until a commit or a settlement under the lease given here moves them.
   */
  expired(limit: number): Promise<ClaimedJob[]>;
  heldBy(worker_id: string): Promise<ClaimedJob[]>;

  /**
   * The run under this lease is over, whatever became of the job: a queue whose messages travel outside the database
   * lets go of the message. MUST NOT throw for a lease that it doesn't know.
   */
  release?(lease: Lease): Promise<void>;

  /** Under the lease, else ConflictError `lease_lost`: */
  complete(lease: Lease): Promise<void>;
  /** `counts: false` gives the attempt back. */
  retry(lease: Lease, error: ErrorInfo | null, run_at: number, options?: { counts?: boolean }): Promise<void>;
  fail(lease: Lease, error: ErrorInfo): Promise<void>;

  /** Takes an unended job out, and its lease away. ConflictError `job_state` when it has ended. */
  cancel(job_id: string): Promise<void>;
  /** A dead or cancelled job, from the start of its attempts. ConflictError `job_state` otherwise. */
  redrive(job_id: string): Promise<void>;

  /** Without a tenant: of any. */
  get(job_id: string, tenant_id?: string): Promise<Job | undefined>;
  list(query: JobQuery): Promise<Job[]>;
  /**
   * Of a tenant, or of all. MUST stay cheap with a million ended jobs, and MAY for that answer with an estimate of
   * `succeeded`, or with one that is a minute old, once there are more than 100,000.
   */
  stats(tenant_id?: string): Promise<QueueStats>;
  /** Dead letters by error, most first, then by code. Of a tenant, or of all. */
  deadByCode(tenant_id?: string): Promise<DeadCount[]>;
  /** Tenants that have jobs waiting, running or dead: most waiting and running first, then most dead, then by name. */
  loads(limit: number): Promise<TenantLoad[]>;
  /** How many jobs wait to be claimed, delayed ones included: of this tenant, and of all. */
  depth(tenant_id: string): Promise<{ tenant: number; total: number }>;
  /**
   * Unix milliseconds at which to claim again when nobody says so before: when the next delayed job becomes ready, or
   * now where `claim` itself waits for jobs. Null when none is delayed.
   */
  nextReadyAt(): Promise<number | null>;
  workers(): Promise<WorkerInfo[]>;
  /** Forgets a worker that ended. */
  removeWorker(worker_id: string): Promise<void>;
  /**
   * Calls `listener` after jobs became ready or leases were taken away, by this process or another. MUST do so
   * within 100 ms, MAY call too often.
   * @returns a function that ends it
   */
  watchJobs(listener: () => void): () => void;
}
