import type { JobQueue, WorkerInfo } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";

/** A worker that was not heard of for this long counts as gone. It reports every few seconds. */
const WORKER_SEEN_MS = 10_000;

export async function livingWorkers(queue: JobQueue, system: System): Promise<WorkerInfo[]> {
  const oldest = system.now() - WORKER_SEEN_MS;
  return (await queue.workers()).filter(({ last_seen_at }) => Date.parse(last_seen_at) >= oldest);
}
