/** What `sluice doctor` says of the queue: what is stuck, why, and what to do. */
import type { Job } from "../job.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { JobQueue, QueueStats } from "../ports/job-queue.ts";
import type { Check } from "./doctor-checks.ts";
import { counted, formatDuration } from "./output.ts";

export interface QueueParts {
  queue: JobQueue;
  documents: DocumentStore;
  embedder: Embedder;
}

/** A worker that was not heard of for this long counts as gone; so does the server see it. */
const WORKER_SEEN_MS = 10_000;
/** Jobs that are ready and wait for longer than this want more workers, or living ones. */
const LONG_WAIT_MS = 60_000;
/** Jobs looked at to say what they failed of. */
const SAMPLE = 1_000;

/** @param now Unix milliseconds */
export async function checkQueue(parts: QueueParts, now: number): Promise<Check[]> {
  const { queue } = parts;
  const stats = await queue.stats();
  const alive = (await queue.workers()).filter(
    ({ last_seen_at }) => now - Date.parse(last_seen_at) < WORKER_SEEN_MS,
  ).length;
  return [
    alive === 0
      ? {
          check: "workers",
          status: "warn",
          message: "none is alive",
          fix: "`sluice start` runs some; `sluice worker` runs one more beside a running API.",
        }
      : { check: "workers", status: "ok", message: `${alive} alive` },
    describeWaiting(stats, alive),
    ...(await checkLeases(queue, alive)),
    ...(await checkPause(parts, now)),
    ...(await checkRetries(queue, stats)),
    ...(await checkDead(queue, stats)),
  ];
}

function describeWaiting({ by_state, oldest_ready_ms }: QueueStats, alive: number): Check {
  const waiting = by_state.queued + by_state.retrying;
  const oldest = oldest_ready_ms > 0 ? `, the oldest ready for ${formatDuration(oldest_ready_ms)}` : "";
  const message = `${waiting} waiting, ${by_state.running} running${oldest}`;
  if (oldest_ready_ms <= LONG_WAIT_MS) return { check: "queue", status: "ok", message };
  const fix =
    alive === 0
      ? "Nobody works on it: start workers."
      : "Raise SLUICE_WORKERS, or run `sluice worker` on top.";
  return { check: "queue", status: "warn", message, fix };
}

async function checkLeases(queue: JobQueue, alive: number): Promise<Check[]> {
  const lapsed = await queue.expired(SAMPLE);
  if (lapsed.length === 0) return [];
  const message = `${counted(lapsed.length, "job")} held by a worker that fell silent: ${idsOf(lapsed.map(({ job }) => job))}`;
  const fix =
    alive === 0 ? "The next worker that starts takes over." : "Another worker takes over within seconds.";
  return [{ check: "leases", status: "warn", message, fix }];
}

async function checkPause({ documents, embedder }: QueueParts, now: number): Promise<Check[]> {
  const wait = (await documents.heldUntil(`embedder:${embedder.embedder_id}`)) - now;
  if (wait <= 0) return [];
  return [
    {
      check: "pause",
      status: "warn",
      message: `the embedding service asked to be left alone for ${formatDuration(wait)} more`,
      fix: "Nothing to do: jobs go on by themselves then. If it happens often, ask the service for a higher limit.",
    },
  ];
}

async function checkRetries(queue: JobQueue, { by_state }: QueueStats): Promise<Check[]> {
  if (by_state.retrying === 0) return [];
  const jobs = await queue.list({ state: "retrying", limit: SAMPLE });
  return [
    {
      check: "retries",
      status: "warn",
      message: `${counted(by_state.retrying, "job")} failed and will be tried again: ${reasonsOf(jobs)}`,
      fix: "Nothing to do while they get fewer; `sluice jobs list --state retrying` shows them.",
    },
  ];
}

async function checkDead(queue: JobQueue, { by_state }: QueueStats): Promise<Check[]> {
  if (by_state.dead === 0) return [];
  const jobs = await queue.list({ state: "dead", limit: SAMPLE });
  return [
    {
      check: "dead jobs",
      status: "warn",
      message: `${counted(by_state.dead, "job")} failed for good: ${reasonsOf(jobs)}`,
      fix: "`sluice jobs list --state dead` tells more; `sluice jobs retry --code CODE` runs those of one kind again.",
    },
  ];
}

/** "3 × worker_lost, 1 × empty_document", the most frequent first. */
function reasonsOf(jobs: Job[]): string {
  return [...Map.groupBy(jobs, ({ error }) => error?.code ?? "no error")]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([code, all]) => `${all.length} × ${code}`)
    .join(", ");
}

function idsOf(jobs: Job[]): string {
  const shown = jobs.slice(0, 3).map(({ job_id }) => job_id);
  return jobs.length > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}
