/** The arithmetic of charts. Pure. */

/** A chart's drawing is this wide and high, however large it is shown. */
export const WIDTH = 1_000;
export const HEIGHT = 100;

const steps = [1, 2, 5, 10];

/**
 * Round values from 0 to at least the largest one.
 *
 * @param count how many steps there are at most
 * @param whole values are counts: no step is below 1
 */
export function ticksTo(largest: number, count = 4, whole = false): number[] {
  if (!(largest > 0)) return whole ? [0, 1] : [0];
  const rough = largest / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = steps.find((each) => each * power >= rough * (1 - 1e-9))! * power;
  const step = whole ? Math.max(1, round) : round;
  const last = Math.ceil(largest / step - 1e-9);
  return Array.from({ length: last + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const units = [
  [1, [1, 2, 5, 10, 20, 50, 100, 200, 500]],
  [1_000, [1, 2, 5, 10, 15, 30]],
  [60_000, [1, 2, 5, 10, 15, 30]],
  [3_600_000, [1, 2, 5, 10, 12, 24, 48, 120, 240]],
] as const;

/** Round durations from 0 to at least the largest one, all in milliseconds: 15 s and 30 s, not 20 and 40. */
export function durationTicksTo(largest: number, count = 4): number[] {
  if (!(largest > 0)) return [0];
  const rough = largest / count;
  const sizes = units.flatMap(([unit, multiples]) => multiples.map((each) => each * unit));
  const step = sizes.find((each) => each >= rough) ?? Math.ceil(rough / 86_400_000) * 86_400_000;
  return Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step);
}

/** Where a value lies between two others, as a part of WIDTH. */
export function across(value: number, from: number, to: number): number {
  return to === from ? WIDTH : ((value - from) / (to - from)) * WIDTH;
}

/** How far down a value lies, as a part of HEIGHT: 0 at the top. */
export function down(value: number, top: number): number {
  return HEIGHT - (top === 0 ? 0 : Math.min(1, value / top)) * HEIGHT;
}

export interface Point {
  x: number;
  /** Null: nothing is known of this moment, and the line is broken. */
  y: number | null;
}

/** The parts of a line between its breaks. */
export function runsOf(points: readonly Point[]): { x: number; y: number }[][] {
  const runs: { x: number; y: number }[][] = [];
  let run: { x: number; y: number }[] = [];
  for (const { x, y } of points) {
    if (y !== null) {
      run.push({ x, y });
      continue;
    }
    if (run.length > 0) runs.push(run);
    run = [];
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

const place = ({ x, y }: { x: number; y: number }) => `${round(x)} ${round(y)}`;
const round = (value: number) => Math.round(value * 100) / 100;

/** A line through points, as the `d` of a path. A point on its own is a dash that can be seen. */
export function linePath(points: readonly Point[]): string {
  return runsOf(points)
    .map((run) => (run.length === 1 ? `M${place(run[0]!)}h0.01` : `M${run.map(place).join("L")}`))
    .join("");
}

/** The ground between the line and the lower edge. */
export function areaPath(points: readonly Point[]): string {
  return runsOf(points)
    .map(
      (run) =>
        `M${round(run[0]!.x)} ${HEIGHT}L${run.map(place).join("L")}L${round(run.at(-1)!.x)} ${HEIGHT}Z`,
    )
    .join("");
}

/** Bars of one width that stand side by side, as one path. */
export function barsPath(values: readonly number[], top: number, bases?: readonly number[]): string {
  const width = WIDTH / Math.max(1, values.length);
  const gap = Math.min(4, width * 0.25);
  return values
    .map((value, index) => {
      if (value <= 0) return "";
      const base = bases?.[index] ?? 0;
      const upper = down(base + value, top);
      const lower = down(base, top);
      return `M${round(index * width + gap / 2)} ${round(lower)}V${round(upper)}h${round(width - gap)}V${round(lower)}Z`;
    })
    .join("");
}

/** Which of ascending values is nearest; -1 of none. */
export function nearest(ascending: readonly number[], wanted: number): number {
  let low = 0;
  let high = ascending.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && wanted - ascending[low - 1]! <= ascending[low]! - wanted ? low - 1 : low;
}
