import { randomBytes } from "node:crypto";
import { createIdFactory } from "../../ids.ts";
import type { System } from "../../ports/system.ts";

/** The machine's own clock and chance. */
export function createSystem(): System {
  const now = () => Date.now();
  return {
    now,
    monotonic: () => performance.now(),
    random: () => Math.random(),
    newId: createIdFactory(now, (size) => randomBytes(size)),
    sleep(ms, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const done = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        signal?.addEventListener("abort", done, { once: true });
      });
    },
  };
}
