/** Dead letters that were told to run again, and what became of them: from the stream, so whoever told them to. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { onEvents } from "../live.ts";
import { ApiError, sluice } from "../session.ts";
import { announce } from "../ui/announce.tsx";
import { type Fates, followFates } from "./fates.ts";

export const fates = signal<Fates>(new Map());

export function useFates(): void {
  useEffect(() => {
    fates.value = new Map();
    return onEvents((events) => {
      const before = fates.peek();
      const after = followFates(before, events);
      fates.value = after;
      const died = [...after].filter(
        ([job_id, fate]) => fate === "died_again" && before.get(job_id) !== fate,
      );
      if (died.length > 0)
        announce(`${died.length} redriven ${died.length === 1 ? "job" : "jobs"} died again.`);
    });
  }, []);
}

/** What is to be run again. */
export type Plan =
  | { kind: "selected"; jobs: { job_id: string; name: string }[] }
  | { kind: "code"; code: string; count: number }
  | { kind: "all"; count: number };

export interface Progress {
  retried: number;
  /** By name, and why, where it is known. */
  skipped: { name: string; reason: string }[];
  /** How many more, where only the number is known. */
  skipped_unnamed: number;
  done: boolean;
}

export const nothingYet: Progress = { retried: 0, skipped: [], skipped_unnamed: 0, done: false };

/** So many in one request: few enough that progress is seen. */
const PART = 200;

/**
 * Runs a plan to its end, or until the signal fires; what has been told to run again stays told.
 *
 * @throws ApiError when the server refuses the whole of it, or can't be reached
 */
export async function redrive(
  plan: Plan,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<void> {
  let progress = nothingYet;
  const tell = (change: Partial<Progress>) => {
    progress = { ...progress, ...change };
    onProgress(progress);
  };
  if (plan.kind === "selected") {
    for (const { job_id, name } of plan.jobs) {
      try {
        await sluice().retryJob(job_id, { signal });
        tell({ retried: progress.retried + 1 });
      } catch (error) {
        if (!(error instanceof ApiError) || error.status === 0 || error.status === 401) throw error;
        tell({ skipped: [...progress.skipped, { name, reason: error.message }] });
      }
    }
  } else {
    const chosen = plan.kind === "code" ? { error_code: plan.code as never } : {};
    let cursor: string | null = null;
    do {
      const answer: { retried: number; skipped: number; next_cursor: string | null } =
        await sluice().retryDead(
          { ...chosen, limit: PART, ...(cursor === null ? {} : { cursor }) },
          { signal },
        );
      tell({
        retried: progress.retried + answer.retried,
        skipped_unnamed: progress.skipped_unnamed + answer.skipped,
      });
      cursor = answer.next_cursor;
    } while (cursor !== null);
  }
  tell({ done: true });
}
