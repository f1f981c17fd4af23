import type { JobQueue } from "../src/ports/job-queue.ts";

const LEASE_MS = 60_000;

/**
 * Claims and completes jobs that do nothing until none is left.
 *
 * @param claims jobs taken at a time
 * @param loops claims under way at a time
 * @returns how many there were
 */
export async function drain(
  queue: JobQueue,
  worker_id: string,
  claims: number,
  loops: number,
): Promise<number> {
  let done = 0;
  await Promise.all(
    Array.from({ length: loops }, async () => {
      for (;;) {
        const claimed = await queue.claim(worker_id, claims, LEASE_MS);
        if (claimed.length === 0) return;
        await Promise.all(claimed.map((lease) => queue.complete(lease)));
        done += claimed.length;
      }
    }),
  );
  return done;
}
