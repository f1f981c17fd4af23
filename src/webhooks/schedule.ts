/** When a delivery is tried again. Pure. */

/** Between one try and the next; the first is made at once. */
const DELAYS_MS = [
  5_000, // 5 s
  300_000, // 5 min
  1_800_000, // 30 min
  7_200_000, // 2 h
  18_000_000, // 5 h
  36_000_000, // 10 h
  36_000_000,
];

/** Tries of a delivery, the first included. */
export const MAX_ATTEMPTS = DELAYS_MS.length + 1;
/** Added to a delay at most, as a part of it: receivers that came back are not called by everybody at once. */
const JITTER = 0.1;
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** A webhook that has failed for so long, without one success, is disabled. */
export const GIVE_UP_MS = 5 * 24 * 3_600_000;

/**
 * Milliseconds until the next try.
 *
 * @param attempts made so far, the one that failed included
 * @param random uniform in [0, 1)
 * @param retry_after_ms what the receiver asked for: it is not called earlier, nor made to wait for more than a day
 * @returns undefined when that was the last
 */
export function retryDelay(attempts: number, random: number, retry_after_ms = 0): number | undefined {
  const delay = DELAYS_MS[attempts - 1];
  if (delay === undefined) return undefined;
  return Math.max(Math.round(delay * (1 + JITTER * random)), Math.min(retry_after_ms, MAX_RETRY_AFTER_MS));
}

/**
 * Milliseconds of a Retry-After header: seconds or a date (RFC 9110, section 10.2.3).
 * @returns undefined where there is none that can be read
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const milliseconds = /^\d{1,10}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
