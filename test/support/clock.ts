/** Time that passes only when a test says so, sleep included: nobody waits for a lease or a backoff. */
import { randomBytes } from "node:crypto";
import { createIdFactory } from "../../src/ids.ts";
import type { System } from "../../src/ports/system.ts";

export interface Clock {
  system: System;
  /** Milliseconds pass; whoever slept long enough wakes. */
  advance(ms: number): void;
  /** What `random` gives from now on; 0 at first. */
  chance(value: number): void;
  /** Resolves when somebody next begins to sleep for exactly so many milliseconds. */
  nextSleep(ms: number): Promise<void>;
  /** Whether anybody sleeps who wanted to for exactly so many milliseconds. */
  sleeping(ms: number): boolean;
}

/** @param start now, since files bear the real time whoever asks */
export function createClock(start = Date.now()): Clock {
  let time = start;
  let chance = 0;
  const sleepers = new Set<{ ms: number; until: number; wake: () => void }>();
  const watchers = new Set<{ ms: number; seen: () => void }>();
  const now = () => time;
  return {
    system: {
      now,
      monotonic: () => time - start,
      random: () => chance,
      newId: createIdFactory(now, (size) => randomBytes(size)),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          for (const watcher of [...watchers]) {
            if (watcher.ms !== ms) continue;
            watchers.delete(watcher);
            watcher.seen();
          }
          if (ms <= 0 || signal?.aborted) return resolve();
          const sleeper = {
            ms,
            until: time + ms,
            wake() {
              sleepers.delete(sleeper);
              signal?.removeEventListener("abort", sleeper.wake);
              resolve();
            },
          };
          sleepers.add(sleeper);
          signal?.addEventListener("abort", sleeper.wake, { once: true });
        }),
    },
    advance(ms) {
      time += ms;
      for (const sleeper of [...sleepers].sort((a, b) => a.until - b.until)) {
        if (sleeper.until <= time) sleeper.wake();
      }
    },
    chance(value) {
      chance = value;
    },
    sleeping: (ms) => [...sleepers].some((sleeper) => sleeper.ms === ms),
    nextSleep: (ms) =>
      new Promise((resolve) => {
        watchers.add({ ms, seen: resolve });
      }),
  };
}
