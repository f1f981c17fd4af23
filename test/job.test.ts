import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newError } from "../contracts/index.ts";
import { afterFailure, defaultRetryPolicy, endedStates, jobStates } from "../src/job.ts";

const policy = { base_ms: 1_000, cap_ms: 60_000 };
const retryable = newError();

test("what can't get better is dead at once", () => {
  const error = newError({ code: "empty_document", retryable: false });
  expect(afterFailure({ attempts: 1, max_attempts: 5 }, error, undefined, policy, () => 0)).toEqual({
    state: "dead",
  });
});

test("the last attempt is the last", () => {
  const after = (attempts: number) =>
    afterFailure({ attempts, max_attempts: 5 }, retryable, 10, policy, () => 0).state;
  expect([1, 2, 3, 4, 5, 6].map(after)).toEqual([
    "retrying",
    "retrying",
    "retrying",
    "retrying",
    "dead",
    "dead",
  ]);
});

test("the ceiling doubles with each attempt, up to the cap; jitter is full", () => {
  const delay = (attempts: number, random: number) =>
    afterFailure({ attempts, max_attempts: 100 }, retryable, undefined, policy, () => random);
  const almost = 1 - 2 ** -53;
  expect([1, 2, 3, 6, 7, 60, 99].map((attempts) => delay(attempts, almost))).toEqual(
    [999, 1_999, 3_999, 31_999, 59_999, 59_999, 59_999].map((delay_ms) => ({
      state: "retrying",
      delay_ms,
      counts: true,
    })),
  );
  expect(delay(7, 0)).toEqual({ state: "retrying", delay_ms: 0, counts: true });
  expect(delay(2, 0.5)).toEqual({ state: "retrying", delay_ms: 1_000, counts: true });
});

test("any delay is at least what the service asked for, and otherwise below the ceiling", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 98 }),
      fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, asked, random) => {
        const next = afterFailure({ attempts, max_attempts: 99 }, retryable, asked, policy, () => random);
        if (next.state !== "retrying") throw new Error("attempts are left");
        expect(next.delay_ms).toBeGreaterThanOrEqual(asked ?? 0);
        expect(next.delay_ms).toBeLessThanOrEqual(Math.max(policy.cap_ms, asked ?? 0));
        expect(Number.isInteger(next.delay_ms)).toBe(true);
      },
    ),
  );
});

test("the default waits a second at first and ten minutes at most", () => {
  expect(defaultRetryPolicy).toEqual({ base_ms: 1_000, cap_ms: 600_000 });
});

test("three states are the end of a job", () => {
  expect(jobStates.filter((state) => endedStates.has(state))).toEqual(["succeeded", "dead", "cancelled"]);
});

describe("an attempt that nobody could make", () => {
  const limited = { code: "embedder_rate_limited" as const, message: "slow down", retryable: true };

  test("is given back, however many there were, and made again when the service asked for it", () => {
    const next = (random: number) =>
      afterFailure({ attempts: 5, max_attempts: 5 }, limited, 30_000, policy, () => random);
    expect(next(0)).toEqual({ state: "retrying", delay_ms: 30_000, counts: false });
    expect(next(0.5)).toEqual({ state: "retrying", delay_ms: 30_500, counts: false });
  });

  test("goes on at once, in its old place, where nothing asked for a wait", () => {
    const stopped = { code: "shutting_down" as const, message: "bye", retryable: true };
    expect(afterFailure({ attempts: 1, max_attempts: 5 }, stopped, undefined, policy, () => 0.9)).toEqual({
      state: "retrying",
      delay_ms: null,
      counts: false,
    });
  });
});

test("the first worker that a job loses costs an attempt and not its place; the next one may be its own doing", () => {
  const lost = { code: "worker_lost" as const, message: "gone", retryable: true };
  const after = (attempts: number) =>
    afterFailure({ attempts, max_attempts: 5 }, lost, undefined, policy, () => 0.5);
  expect(after(1)).toEqual({ state: "retrying", delay_ms: null, counts: true });
  expect(after(2)).toEqual({ state: "retrying", delay_ms: 1_000, counts: true });
  expect(after(5)).toEqual({ state: "dead" });
});
