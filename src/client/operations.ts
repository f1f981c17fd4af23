/** How the service does: queue, throughput, workers; and the reindex. */
import type { ErrorCode } from "../errors.ts";
import type { Stage } from "../events.ts";
import type { JobState } from "../job.ts";
import type { ReindexStatus } from "../reindex/reindex.ts";
import type { CallOptions, Http } from "./http.ts";

export interface Operations {
  /** When it was so, ISO 8601. */
  at: string;
  /** Null when it is of all tenants. */
  tenant_id: string | null;
  queue: { by_state: Record<JobState, number>; oldest_ready_ms: number | null };
  activity: {
    /** The last 60, ascending; the last one is the current minute. */
    minutes: Minute[];
    /** Of that hour. */
    stages: { stage: Stage; count: number; p50_ms: number | null; p95_ms: number | null }[];
    /** From first start to completed. */
    processing: { count: number; p50_ms: number | null; p95_ms: number | null };
  };
  /** Dead letters by what they died of, most first. */
  dead: { code: ErrorCode; jobs: number }[];
  workers: OperatedWorker[];
  /** Only of all tenants; most loaded first, at most 100. `completed`: in that hour. */
  tenants: { tenant_id: string; waiting: number; running: number; dead: number; completed: number }[] | null;
}

export interface Minute {
  minute: string;
  uploaded: number;
  completed: number;
  failed: number;
  retried: number;
  chunks: number;
}

export interface OperatedWorker {
  worker_id: string;
  pid: number;
  host: string;
  started_at: string;
  last_seen_at: string;
  holds: {
    job_id: string;
    job_type: string;
    document_id: string | null;
    attempts: number;
    updated_at: string;
  }[];
  /** Jobs of other tenants that it runs. */
  holds_of_others: number;
}

export function operationMethods(http: Http) {
  return {
    /** `all`: of all tenants; operators only. */
    getOperations: ({ all }: { all?: boolean | undefined } = {}, { signal }: CallOptions = {}) =>
      http.json<Operations>("GET", "/v1/operations", { query: { all: all || undefined }, signal }),
    /** Which embedder the index is of, and how far a reindex is. */
    getReindex: ({ signal }: CallOptions = {}) => http.json<ReindexStatus>("GET", "/v1/reindex", { signal }),
    /** Embeds every document anew with the configured embedder; joins a reindex under way. */
    beginReindex: ({ signal }: CallOptions = {}) =>
      http.json<ReindexStatus>("POST", "/v1/reindex", { signal }),
    cancelReindex: ({ signal }: CallOptions = {}) =>
      http.json<ReindexStatus>("DELETE", "/v1/reindex", { signal }),
  };
}
