/** Jobs: list, look at, cancel, retry. */
import type { ErrorCode } from "../errors.ts";
import type { Job, JobState } from "../job.ts";
import type { PageQuery } from "./documents.ts";
import type { CallOptions, Http } from "./http.ts";

export interface JobQuery extends PageQuery {
  /** `dead`: the dead letters. */
  state?: JobState | undefined;
  /** Only jobs whose last attempt failed with it. */
  error_code?: ErrorCode | undefined;
}

export interface RetryDeadRequest {
  /** Only those that died of it. */
  error_code?: ErrorCode | undefined;
  /** Most dead letters looked at, 1 to 1,000. Default 1,000. */
  limit?: number | undefined;
  cursor?: string | undefined;
}

const pathOf = (job_id: string) => `/v1/jobs/${encodeURIComponent(job_id)}`;

export function jobMethods(http: Http) {
  return {
    /** Newest first. */
    listJobs: (query: JobQuery = {}, { signal }: CallOptions = {}) =>
      http.json<{ jobs: Job[]; next_cursor: string | null }>("GET", "/v1/jobs", {
        query: { ...query },
        signal,
      }),
    getJob: (job_id: string, { signal }: CallOptions = {}) =>
      http.json<Job>("GET", pathOf(job_id), { signal }),
    /** Runs a dead or cancelled job again. @throws ApiError not_found, not_dead, superseded, conflict */
    retryJob: (job_id: string, { signal }: CallOptions = {}) =>
      http.json<Job>("POST", `${pathOf(job_id)}/retry`, { signal }),
    /** Runs dead letters again; to be repeated with `next_cursor` until it is null. */
    retryDead: (request: RetryDeadRequest = {}, { signal }: CallOptions = {}) =>
      http.json<{ retried: number; skipped: number; next_cursor: string | null }>("POST", "/v1/jobs/retry", {
        json: request,
        signal,
      }),
    /** @throws ApiError not_found, already_ended, conflict */
    cancelJob: (job_id: string, { signal }: CallOptions = {}) =>
      http.json<Job>("POST", `${pathOf(job_id)}/cancel`, { signal }),
  };
}
