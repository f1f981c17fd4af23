/** What becomes of a job, and of its document, when an attempt did not end well. */
import { advance, type DocumentRecord, isTerminal } from "../document.ts";
import { SluiceError, toErrorInfo } from "../errors.ts";
import type { NewEvent } from "../events.ts";
import { afterFailure, type ClaimedJob, INGEST_DOCUMENT, type RetryPolicy } from "../job.ts";
import { type Commit, ConflictError, type DocumentStore } from "../ports/document-store.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";

export interface FailureDependencies {
  system: System;
  documents: DocumentStore;
  queue: JobQueue;
  retry: RetryPolicy;
}

/** Only the attempt's own last progress writes beside it, and a cancel, which takes the lease. */
const MAX_ROUNDS = 10;

export type Outcome = { state: "retrying"; run_at: number } | { state: "dead" };

/**
 * Settles a failed attempt: the job goes back into the queue or dies, and the document's status and event say so in
 * the same transaction.
 *
 * @throws ConflictError lease_lost when the job is no longer held under this lease
 */
export async function settleFailure(
  dependencies: FailureDependencies,
  claimed: ClaimedJob,
  thrown: unknown,
): Promise<Outcome> {
  for (let round = 1; ; round++) {
    try {
      return await settleOnce(dependencies, claimed, thrown);
    } catch (error) {
      // A progress write of this same attempt was still under way and came first: decide on what it left.
      const raced = error instanceof ConflictError && error.reason === "revision";
      if (!raced || round === MAX_ROUNDS) throw error;
    }
  }
}

async function settleOnce(
  dependencies: FailureDependencies,
  claimed: ClaimedJob,
  thrown: unknown,
): Promise<Outcome> {
  const { system, documents, queue } = dependencies;
  const { job } = claimed;
  const error = toErrorInfo(isCondemned(thrown) ? sleptTooLong(claimed) : thrown);
  const retry_after_ms = thrown instanceof SluiceError ? thrown.retry_after_ms : undefined;
  const next = afterFailure(job, error, retry_after_ms, dependencies.retry, system.random);

  const document =
    job.job_type === INGEST_DOCUMENT
      ? await documents.getDocument(job.tenant_id, String(job.payload.document_id))
      : undefined;
  let run_at = 0;
  if (next.state === "retrying") {
    const now = system.now();
    // Its place is before now, unless the clock was set back while it ran.
    run_at = next.delay_ms === null ? Math.min(Date.parse(job.run_at), now) : now + next.delay_ms;
  }
  // Deleted, superseded, or ended without us: what is left to settle is the job, if it is still ours.
  if (document?.job_id !== job.job_id || isTerminal(document.status)) {
    if (next.state === "dead") await queue.fail(claimed, error);
    else await queue.retry(claimed, error, run_at, { counts: next.counts });
    return next.state === "dead" ? next : { state: "retrying", run_at };
  }

  const context = { ...system, correlation_id: document.correlation_id, causation_id: job.job_id };
  const data = { job_id: job.job_id, version: document.version, attempt: job.attempts, error };
  let step: { document: DocumentRecord; event?: NewEvent };
  if (next.state === "dead") {
    step = advance(document, "rag.ingestion.failed", data, context);
  } else if (document.status === "processing") {
    const later = { ...data, run_at: new Date(run_at).toISOString() };
    step = advance(document, "rag.ingestion.retry_scheduled", later, context);
  } else {
    // A worker that died between claiming and starting left it pending, with nothing to tell. Guarded all the same:
    // the attempt may begin this very moment, and what is decided here must know of it.
    step = { document };
  }
  const commit: Commit = {
    tenant_id: job.tenant_id,
    lease: claimed,
    document: { record: step.document, expect_revision: document.revision },
    events: step.event === undefined ? [] : [step.event],
    settle:
      next.state === "dead"
        ? { state: "dead", error }
        : { state: "retrying", error, run_at, counts: next.counts },
  };
  await documents.commit([commit]);
  return next.state === "dead" ? next : { state: "retrying", run_at };
}

/** The error of a job whose worker died or fell silent. */
export function workerLost({ job }: ClaimedJob): SluiceError {
  return new SluiceError(
    "worker_lost",
    `The worker ${job.leased_by} ended while it ran this job (attempt ${job.attempts} of ${job.max_attempts}).`,
  );
}

/** The attempt stored something and slept for hours, until it was removed as something that nobody names. */
export function isCondemned(thrown: unknown): boolean {
  return thrown instanceof ConflictError && thrown.reason === "blob_condemned";
}

function sleptTooLong({ job }: ClaimedJob): SluiceError {
  return new SluiceError(
    "storage_unavailable",
    `What attempt ${job.attempts} of ${job.max_attempts} had stored was removed before it came to an end: its machine slept for hours.`,
  );
}
