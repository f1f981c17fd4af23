/**
 * Whose clock decides when a lease ends or a job is due. Many machines share one database, and their clocks differ: the
 * database's own decides for all, and what this machine means by a time goes there as a distance from now.
 */
import type { System } from "../../ports/system.ts";

export interface Clock {
  /** Unix milliseconds, of this machine. */
  now(): number;
  /** What the database is to take for now; null: its own clock. */
  forDatabase(): number | null;
}

/** @param given whether this process's clock is to count in the database too: for tests that move it */
export function createClock(system: System, given: boolean): Clock {
  return { now: system.now, forDatabase: () => (given ? system.now() : null) };
}
