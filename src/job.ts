/** Jobs: queued commands. Pure data and decisions; the queue itself is a port. */
import { z } from "zod";
import { countsAsAttempt, type ErrorInfo } from "./errors.ts";
import { errorInfoSchema } from "./events.ts";

export const jobStates = ["queued", "running", "retrying", "succeeded", "dead", "cancelled"] as const;
export type JobState = (typeof jobStates)[number];
export const jobStateSchema = z.enum(jobStates);

/** Job types that Sluice itself runs. The queue takes any string. */
export const INGEST_DOCUMENT = "ingest_document";
export const DELETE_DOCUMENT = "delete_document";
/** Removes what an index outside the database still has of versions that nobody can find any more. */
export const REMOVE_ENTRIES = "remove_entries";
/** Gives a searchable document vectors of another embedder, which a reindex makes the one that serves. */
export const REEMBED_DOCUMENT = "reembed_document";

/** That job, for a worker that has nothing else to do. */
export function reembedJob(
  job_id: string,
  { tenant_id, document_id }: { tenant_id: string; document_id: string },
  embedder_id: string,
  max_attempts: number,
): NewJob {
  return {
    job_id,
    tenant_id,
    job_type: REEMBED_DOCUMENT,
    payload: { document_id, embedder_id },
    correlation_id: job_id,
    priority: -10,
    max_attempts,
  };
}

export const jobSchema = z.object({
  job_id: z.string(),
  tenant_id: z.string(),
  job_type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  state: jobStateSchema,
  priority: z.int().describe("higher runs first, within a tenant; 0 is usual"),
  attempts: z.int().nonnegative().describe("runs begun so far; a run that crashed counts"),
  max_attempts: z.int().positive(),
  run_at: z.iso.datetime().describe("not before"),
  unique_key: z.string().nullable().describe("at most one unended job of a tenant has it"),
  correlation_id: z.string(),
  leased_by: z.string().nullable().describe("worker that runs it now"),
  error: errorInfoSchema.nullable().describe("why the last attempt failed"),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  finished_at: z.iso.datetime().nullable(),
});
export type Job = z.infer<typeof jobSchema>;

/** What is needed to queue a job; the queue fills in the rest. */
export interface NewJob {
  job_id: string;
  tenant_id: string;
  job_type: string;
  payload: Record<string, unknown>;
  correlation_id: string;
  /** Default 0. */
  priority?: number;
  /** Seconds before it may run. Default 0. */
  delay_seconds?: number;
  /** Default 5. */
  max_attempts?: number;
  unique_key?: string | null;
}

/** The right to run a job, until it expires or is taken away. Every write in the job's name carries it. */
export interface Lease {
  job_id: string;
  lease_token: string;
}

/** A claimed job with its lease. */
export interface ClaimedJob extends Lease {
  job: Job;
  /** Unix milliseconds at which the lease ends unless renewed. */
  lease_until: number;
}

export const endedStates: ReadonlySet<JobState> = new Set(["succeeded", "dead", "cancelled"]);

export interface RetryPolicy {
  /** Ceiling of the first delay, in milliseconds. */
  base_ms: number;
  /** Ceiling of every delay, in milliseconds. */
  cap_ms: number;
}

export const defaultRetryPolicy: RetryPolicy = { base_ms: 1_000, cap_ms: 10 * 60_000 };

export type AfterFailure =
  /** `delay_ms` null: at once, and in its old place, before everything that came after it. */
  { state: "retrying"; delay_ms: number | null; counts: boolean } | { state: "dead" };

/** Jobs that wait for the same moment begin spread over this time, or over as long as they waited if that is less. */
const SPREAD_MS = 1_000;

/**
 * What follows a failed attempt. Exponential backoff with full jitter: a uniformly random delay below a ceiling that
 * doubles with each attempt (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). An attempt
 * whose error does not count is given back, and made again after what the error asked for. So that a worker's end holds
 * up nobody, what it left keeps its place in the queue; a job that loses a second worker may be why, and has to wait.
 *
 * @param random uniform in [0, 1)
 */
export function afterFailure(
  job: Pick<Job, "attempts" | "max_attempts">,
  error: ErrorInfo,
  retry_after_ms: number | undefined,
  policy: RetryPolicy,
  random: () => number,
): AfterFailure {
  if (!countsAsAttempt(error.code)) {
    const delay_ms =
      retry_after_ms === undefined
        ? null
        : retry_after_ms + Math.floor(random() * Math.min(SPREAD_MS, retry_after_ms));
    return { state: "retrying", delay_ms, counts: false };
  }
  if (!error.retryable || job.attempts >= job.max_attempts) return { state: "dead" };
  if (error.code === "worker_lost" && job.attempts === 1) {
    return { state: "retrying", delay_ms: null, counts: true };
  }
  const ceiling = Math.min(policy.cap_ms, policy.base_ms * 2 ** Math.min(30, job.attempts - 1));
  const jittered = Math.floor(random() * ceiling);
  return { state: "retrying", delay_ms: Math.max(jittered, retry_after_ms ?? 0), counts: true };
}
