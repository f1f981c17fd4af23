import { expect, test } from "vitest";
import { checkQueue } from "../../src/cli/doctor-queue.ts";
import { SluiceError } from "../../src/errors.ts";
import { createClock } from "../support/clock.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { openRig, paragraphs } from "../support/rig.ts";

test("the doctor names what is stuck, why, and what to do", async () => {
  const clock = createClock();
  const embedder = createTestEmbedder();
  const rig = await openRig({ storage: "memory", system: clock.system, embedder, max_attempts: 1 });
  const look = async () => {
    const checks = await checkQueue(rig, clock.system.now());
    return Object.fromEntries(checks.map(({ check, message, fix }) => [check, `${message} | ${fix ?? ""}`]));
  };
  expect(await look()).toEqual({
    workers: expect.stringMatching(/^none is alive/),
    queue: "0 waiting, 0 running | ",
  });

  const empty = await rig.upload(" ");
  embedder.before = () => {
    throw new SluiceError("embedder_rate_limited", "slow down", { retry_after_ms: 90_000 });
  };
  const limited = await rig.upload(paragraphs(2));
  const worker = rig.worker();
  await worker.start();
  await rig.settled(empty.document_id);
  await expect.poll(async () => (await rig.job(limited.job_id)).state).toBe("retrying");
  await worker.stop();
  await rig.upload("held by nobody", { priority: 1 });
  await rig.claim("wrk_gone", 1_000);
  clock.advance(2_000);
  await rig.upload("waits");
  clock.advance(65_000);
  const told = await look();
  expect(told.queue).toMatch(/^2 waiting, 1 running, the oldest ready for .* \| Nobody works on it/);
  expect(told.leases).toMatch(/^1 job held by a worker that fell silent: job_\w+ \| The next worker/);
  expect(told.pause).toMatch(/^the embedding service asked to be left alone for 2\d/);
  expect(told.retries).toMatch(/^1 job failed and will be tried again: 1 × embedder_rate_limited/);
  expect(told["dead jobs"]).toMatch(/^1 job failed for good: 1 × empty_document .*retry --code/);
});
