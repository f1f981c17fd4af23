/** A System whose clock moves only when it is told to, for suites that test delays and leases without waiting. */
import { randomBytes } from "node:crypto";
import { createIdFactory } from "../src/ids.ts";
import type { System } from "../src/ports/system.ts";

export interface ManualClock {
  system: System;
  /** Moves `now` forward. */
  advance(ms: number): void;
}

/**
 * `now` stands still until `advance`; `random` repeats from run to run; `sleep` and `monotonic` are real, because
 * adapters may use them to watch for changes by others.
 *
 * @param start Unix milliseconds at which the clock begins
 */
export function manualClock(start: number = Date.UTC(2026, 0, 1)): ManualClock {
  let time = start;
  let seed = 1;
  const system: System = {
    now: () => time,
    monotonic: () => performance.now(),
    // Park and Miller's minimal standard generator (CACM 31(10), 1988).
    random: () => {
      seed = (seed * 48_271) % 0x7fff_ffff;
      return (seed - 1) / 0x7fff_ffff;
    },
    newId: createIdFactory(
      () => time,
      (size) => randomBytes(size),
    ),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const finish = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", finish);
          resolve();
        };
        const timer = setTimeout(finish, ms);
        signal?.addEventListener("abort", finish, { once: true });
      }),
  };
  return {
    system,
    advance: (ms) => {
      time += ms;
    },
  };
}
