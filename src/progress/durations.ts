/**
 * How long things took, in few numbers: counts of durations by size, each size 9 % above the one before. So a percentile
 * is off by less than 5 %, whatever was measured, and two such counts add up to a third.
 */
export interface Durations {
  /** Size → how many. */
  counts: Map<number, number>;
}

/** Sizes in which a duration doubles. */
const PER_DOUBLING = 8;
/** Everything above 2^27 ms, a day and a half, is of one size. */
const LARGEST = 27 * PER_DOUBLING;

export function createDurations(): Durations {
  return { counts: new Map() };
}

export function addDuration({ counts }: Durations, ms: number, times = 1): void {
  addSize(counts, sizeOf(ms), times);
}

export function addDurations({ counts }: Durations, others: Durations): void {
  for (const [size, times] of others.counts) addSize(counts, size, times);
}

export function countDurations({ counts }: Durations): number {
  let count = 0;
  for (const times of counts.values()) count += times;
  return count;
}

/**
 * By nearest rank: the smallest duration that so many of all don't exceed.
 * @param share between 0 and 1
 * @returns milliseconds; 0 where nothing was measured
 */
export function percentile(durations: Durations, share: number): number {
  const rank = Math.max(1, Math.ceil(share * countDurations(durations)));
  let seen = 0;
  for (const [size, times] of [...durations.counts].sort(([a], [b]) => a - b)) {
    seen += times;
    if (seen >= rank) return msOf(size);
  }
  return 0;
}

function addSize(counts: Map<number, number>, size: number, times: number): void {
  counts.set(size, (counts.get(size) ?? 0) + times);
}

/** 0: below a millisecond. */
function sizeOf(ms: number): number {
  if (!(ms >= 1)) return 0;
  return Math.min(LARGEST, 1 + Math.floor(Math.log2(ms) * PER_DOUBLING));
}

/** The middle of a size. */
function msOf(size: number): number {
  if (size === 0) return 0;
  const ms = 2 ** ((size - 0.5) / PER_DOUBLING);
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms);
}
