import { describe, expect, test } from "vitest";
import { MAX_ATTEMPTS, parseRetryAfter, retryDelay } from "../../src/webhooks/schedule.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe("the next try", () => {
  test("comes after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, and then no more", () => {
    const delays = Array.from({ length: MAX_ATTEMPTS }, (_, place) => retryDelay(place + 1, 0));
    expect(delays).toEqual([
      5 * SECOND,
      5 * MINUTE,
      30 * MINUTE,
      2 * HOUR,
      5 * HOUR,
      10 * HOUR,
      10 * HOUR,
      undefined,
    ]);
  });

  test("comes a little later by chance, never earlier", () => {
    expect(retryDelay(2, 0.5)).toBe(315 * SECOND);
    expect(retryDelay(2, 0.999)).toBeLessThan(330 * SECOND);
  });

  test("comes not before the receiver wants it, within a day", () => {
    expect(retryDelay(1, 0, MINUTE)).toBe(MINUTE);
    expect(retryDelay(3, 0, MINUTE)).toBe(30 * MINUTE);
    expect(retryDelay(1, 0, 1_000 * HOUR)).toBe(24 * HOUR);
    expect(retryDelay(MAX_ATTEMPTS, 0, MINUTE)).toBeUndefined();
  });

  test("Retry-After is seconds or a date", () => {
    const now = Date.UTC(2026, 0, 1);
    expect(parseRetryAfter("120", now)).toBe(120_000);
    expect(parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now)).toBe(MINUTE);
    expect(parseRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
    expect(parseRetryAfter("soon", now)).toBeUndefined();
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
  });
});
