/** Which rows of a long list are in view, and where each lies. Pure. */

/** The height of every row in pixels, or of each. */
export type Heights = number | ((index: number) => number);

/** Where each row begins, and where the last one ends: one more than there are rows; or undefined for equal rows. */
export function offsetsOf(count: number, heights: Heights): Float64Array | undefined {
  if (typeof heights === "number") return undefined;
  const offsets = new Float64Array(count + 1);
  for (let index = 0; index < count; index++) offsets[index + 1] = offsets[index]! + heights(index);
  return offsets;
}

export interface Layout {
  count: number;
  heights: Heights;
  offsets: Float64Array | undefined;
}

export function layOut(count: number, heights: Heights): Layout {
  return { count, heights, offsets: offsetsOf(count, heights) };
}

export function topOf({ heights, offsets }: Layout, index: number): number {
  return offsets ? offsets[index]! : index * (heights as number);
}

export function heightOf({ heights }: Layout, index: number): number {
  return typeof heights === "number" ? heights : heights(index);
}

/** The last row that begins at or above a place. */
function rowAt({ count, heights, offsets }: Layout, place: number): number {
  if (!offsets) return Math.floor(place / (heights as number));
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets[middle]! > place) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

/** Rows drawn above and below those in view, so that scrolling finds them there. */
const SPARE = 8;

/**
 * The rows to draw, the end exclusive.
 *
 * @param from where the view begins, in pixels from the list's top; negative while it stands above it
 * @param to where it ends
 */
export function rangeOf(layout: Layout, from: number, to: number): { first: number; end: number } {
  const { count } = layout;
  if (count === 0) return { first: 0, end: 0 };
  const within = (index: number) => Math.max(0, Math.min(count, index));
  return { first: within(rowAt(layout, from) - SPARE), end: within(rowAt(layout, to) + 1 + SPARE) };
}
