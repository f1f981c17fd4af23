/** The model itself: it must find what it is there to find, and tell it so that a person understands. */
import { expect, test } from "vitest";
import { manualClock, type StorageHarness } from "../../contracts/index.ts";
import { findQueueFailure } from "../../contracts/job-queue-model.ts";
import { createMemoryState, type MemoryState } from "../../src/adapters/memory/state.ts";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import type { JobQueue } from "../../src/ports/job-queue.ts";

type Break = (queue: JobQueue, h: StorageHarness, state: MemoryState) => Partial<JobQueue>;

/** A queue in memory with one defect. */
function broken(breaking: Break) {
  return async (): Promise<StorageHarness> => {
    const clock = manualClock();
    const state = createMemoryState();
    const storage = createMemoryStorage({ system: clock.system, embedder_id: "none@1", state });
    const h: StorageHarness = { ...clock, ...storage, close: () => storage.documents.close() };
    return { ...h, queue: { ...storage.queue, ...breaking(storage.queue, h, state) } };
  };
}

const defects: Record<string, { breaking: Break; told: RegExp }> = {
  "a lease is not checked when a job is completed": {
    breaking: (queue) => ({
      complete: async ({ job_id }) => {
        const [held] = (await queue.expired(Number.POSITIVE_INFINITY))
          .concat(...(await Promise.all(["w1", "w2", "w3"].map((worker_id) => queue.heldBy(worker_id)))))
          .filter((one) => one.job_id === job_id);
        await queue.complete(held ?? { job_id, lease_token: "" });
      },
    }),
    told: /complete \w+ under .* → done\n.*should have been refused: lease_lost/,
  },
  "an attempt is given back that counts": {
    breaking: (queue) => ({
      retry: (lease, error, run_at) => queue.retry(lease, error, run_at, { counts: false }),
    }),
    told: /(retry|recover) .*\n.*jobs/,
  },
  "expired jobs are handed out by a claim": {
    breaking: (queue, { system }) => ({
      claim: async (...args) => {
        for (const one of await queue.expired(10)) await queue.retry(one, one.job.error, system.now());
        return queue.claim(...args);
      },
    }),
    told: /claims .*\n.*which is running/,
  },
  "a heartbeat renews nothing": {
    breaking: (queue) => ({ heartbeat: (worker, leases) => queue.heartbeat(worker, leases, -1) }),
    told: /beats .* leases L\d.*\n.*expired/,
  },
  "turns between tenants are forgotten": {
    breaking: (queue, _h, state) => ({
      claim: async (...args) => {
        state.turns.clear();
        return queue.claim(...args);
      },
    }),
    told: /claims .*\n.*(whose turn it was|comes first)/,
  },
  "a list by error forgets what it was asked for on the second page": {
    breaking: (queue) => ({
      list: ({ error_code, ...query }) =>
        queue.list(error_code === undefined || query.before !== undefined ? query : { ...query, error_code }),
    }),
    told: /list .* a page → .*\n.*the list/,
  },
  "a worker that is removed takes its jobs with it": {
    breaking: (queue) => ({
      removeWorker: async (worker_id) => {
        for (const one of await queue.heldBy(worker_id)) await queue.cancel(one.job_id);
        await queue.removeWorker(worker_id);
      },
    }),
    told: /removed\n.*jobs/,
  },
};

for (const [defect, { breaking, told }] of Object.entries(defects)) {
  test(`found, and told in a short story: ${defect}`, async () => {
    const story = await findQueueFailure(broken(breaking), { runs: 200, max_steps: 25 });
    expect(story).toMatch(told);
    // Shrinking worked: no more steps than a person can follow.
    expect(story?.split("\n").filter((line) => / ms {2}/.test(line)).length).toBeLessThanOrEqual(9);
  });
}
