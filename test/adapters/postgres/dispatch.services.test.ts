/** Jobs that a broker is told of: the contract, and what it says of claims when there are many. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newError, newJob } from "../../../contracts/index.ts";
import { describeJobDispatch } from "../../../contracts/job-dispatch.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { createHarness, type PostgresHarness } from "./harness.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const open = createHarness(() => ({ url: server.role_url, vectors: false, broker: true }));
describeJobDispatch("postgres", open);

describe("JobDispatch on PostgreSQL", () => {
  async function withStorage(run: (h: PostgresHarness) => Promise<void>): Promise<void> {
    const h = await open();
    try {
      await run(h);
    } finally {
      await h.close();
    }
  }

  test("a message marked late doesn't hide that its job waits anew", () =>
    withStorage(async (h) => {
      const job = newJob(h.system);
      await h.queue.enqueue([job]);
      await h.dispatch.takeUndispatched(10, 0, 60_000);
      // The broker was quicker than the mark: the job ran and failed meanwhile.
      const { claimed } = await h.dispatch.claimJobs("wrk_a", [job.job_id], 30_000);
      await h.queue.retry(claimed[0]!, newError(), h.system.now());
      await h.dispatch.markDispatched([job.job_id], 60_000);
      expect(await h.dispatch.takeUndispatched(10, 0, 60_000)).toMatchObject([{ job_id: job.job_id }]);
    }));

  test("without a broker nothing is ever to be told", async () => {
    const plain = await createHarness(() => ({ url: server.role_url, vectors: false }), "plain")();
    await plain.queue.enqueue([newJob(plain.system)]);
    expect(await plain.dispatch.takeUndispatched(10, 60_000, 1_000)).toEqual([]);
    expect(await plain.dispatch.nextDispatchAt(60_000)).toBe(null);
    await plain.close();
  });
});
