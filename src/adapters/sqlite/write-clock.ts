/**
 * What becomes of times that were written before the machine's clock was set back: they lie in the future now, and
 * whoever waits for them would wait for as long as the clock jumped.
 */
import type { Sql } from "./schema.ts";

/** Smaller steps back (by NTP, between cores) delay a job by no more than themselves. */
const TOLERANCE_MS = 2_000;
/** How often the latest time seen is written. */
const STEP_MS = 1_000;

/** Moves every time that somebody waits for by as much as the clock jumped back, if it did since the last call. */
export function noticeClock(sql: Sql, now: number): void {
  const { seen } = sql("SELECT seen FROM clock").get() as { seen: number };
  if (now > seen - TOLERANCE_MS && now < seen + STEP_MS) return;
  sql("UPDATE clock SET seen = ?").run(now);
  if (now > seen) return;
  const jump = seen - now;
  sql("UPDATE jobs SET run_at = run_at - ? WHERE state IN ('queued', 'retrying')").run(jump);
  sql("UPDATE jobs SET lease_until = lease_until - ? WHERE state = 'running'").run(jump);
  sql("UPDATE workers SET last_seen_at = min(last_seen_at, ?)").run(now);
  sql("UPDATE holds SET until = until - ?").run(jump);
  sql("UPDATE leads SET until = until - ?").run(jump);
}
