/** What the page has seen of the queue since it looked first. Kept while the page is open, on whichever screen. */
import type { Operations } from "../../../src/client/index.ts";
import { waitingOf } from "./health.ts";

export interface Sample {
  /** Unix milliseconds, by the server's clock. */
  at: number;
  /** Null: nobody looked since the sample before. */
  waiting: number | null;
  running: number | null;
  oldest_ms: number | null;
}

/** An hour, looked at every two seconds. */
const MOST = 1_800;
/** A longer pause between two looks is a gap in the line. */
export const GAP_MS = 15_000;

/** Pure. @returns the samples with one more; the same ones when it is not newer */
export function withSample(samples: readonly Sample[], operations: Operations): readonly Sample[] {
  const at = Date.parse(operations.at);
  const last = samples.at(-1);
  if (last !== undefined && at <= last.at) return samples;
  const { queue } = operations;
  const sample: Sample = {
    at,
    waiting: waitingOf(queue),
    running: queue.by_state.running,
    oldest_ms: queue.oldest_ready_ms ?? 0,
  };
  const gap: Sample[] =
    last !== undefined && at - last.at > GAP_MS
      ? [{ at: last.at + 1, waiting: null, running: null, oldest_ms: null }]
      : [];
  return [...samples, ...gap, sample].slice(-MOST);
}

let kept: { of: string; samples: readonly Sample[] } = { of: "", samples: [] };

/** @param of whose queue it is: a change begins anew */
export function remember(of: string, operations: Operations): readonly Sample[] {
  kept = { of, samples: withSample(kept.of === of ? kept.samples : [], operations) };
  return kept.samples;
}
