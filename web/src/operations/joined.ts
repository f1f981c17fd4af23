/** A list read again in place. Pure. */
import type { Job } from "../../../src/client/index.ts";

/**
 * A fresh beginning of a list, and what was read of its end before. Lists go by id, newest first, so whatever of
 * the old one is older than all of the new one lies behind it.
 */
export function joined(
  fresh: { jobs: readonly Job[]; next_cursor: string | null },
  old: { jobs: readonly Job[]; next_cursor: string | null },
): { jobs: readonly Job[]; next_cursor: string | null } {
  const last = fresh.jobs.at(-1);
  if (fresh.next_cursor === null || last === undefined) return fresh;
  const rest = old.jobs.filter(({ job_id }) => job_id < last.job_id);
  return rest.length === 0 ? fresh : { jobs: [...fresh.jobs, ...rest], next_cursor: old.next_cursor };
}
