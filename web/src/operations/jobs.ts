/** A list of jobs that is read page by page, and again in place when something changed. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Job, JobQuery } from "../../../src/client/index.ts";
import { sluice } from "../session.ts";
import { joined } from "./joined.ts";

const PAGE = 50;
/** The server answers no more at once. */
const MOST = 200;

export interface Jobs {
  jobs: readonly Job[];
  loaded: boolean;
  error: Error | undefined;
  next_cursor: string | null;
  more: () => void;
}

/** @param round read again, in place, whenever it changes */
export function useJobs(query: Pick<JobQuery, "state" | "error_code">, round: number): Jobs {
  const of = JSON.stringify(query);
  const [list, setList] = useState<{ of: string; jobs: readonly Job[]; next_cursor: string | null }>();
  const [error, setError] = useState<Error>();
  const current = useRef(of);
  current.current = of;
  const known = list?.of === of ? list : undefined;

  useEffect(() => {
    const abort = new AbortController();
    const limit = Math.min(MOST, Math.max(PAGE, known?.jobs.length ?? 0));
    sluice()
      .listJobs({ ...query, limit }, { signal: abort.signal })
      .then(
        (fresh) => {
          if (abort.signal.aborted) return;
          setError(undefined);
          setList((old) => ({ of, ...(old?.of === of ? joined(fresh, old) : fresh) }));
        },
        (failure: Error) => {
          if (!abort.signal.aborted) setError(failure);
        },
      );
    return () => abort.abort();
  }, [of, round]);

  async function more(): Promise<void> {
    const cursor = known?.next_cursor;
    if (!cursor) return;
    try {
      const page = await sluice().listJobs({ ...query, limit: PAGE, cursor });
      if (current.current !== of) return;
      setList((old) => {
        if (old?.of !== of) return old;
        const seen = new Set(old.jobs.map(({ job_id }) => job_id));
        const jobs = [...old.jobs, ...page.jobs.filter(({ job_id }) => !seen.has(job_id))];
        return { of, jobs, next_cursor: page.next_cursor };
      });
    } catch (failure) {
      setError(failure as Error);
    }
  }

  return {
    jobs: known?.jobs ?? [],
    loaded: known !== undefined,
    error,
    next_cursor: known?.next_cursor ?? null,
    more: () => void more(),
  };
}
