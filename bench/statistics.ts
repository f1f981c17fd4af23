/** The value below which a share of the values lies (nearest rank). @param share from 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] as number;
}

/** The middle one, or halfway between the middle two. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const below = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  const above = sorted[Math.ceil((sorted.length - 1) / 2)] ?? Number.NaN;
  return (below + above) / 2;
}

/** `count` of something in so many milliseconds, as a rate per second. */
export function perSecond(count: number, milliseconds: number): number {
  return (count * 1_000) / milliseconds;
}

/** Three significant digits, which is more than a shared machine's noise leaves true. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

/** Milliseconds on a clock that all processes of a machine share (CLOCK_MONOTONIC on Linux). */
export function sharedClock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
