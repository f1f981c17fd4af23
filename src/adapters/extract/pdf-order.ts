/** Puts the groups of a page in reading order where the page draws them in another. Pure. */

export interface Box {
  x: number;
  right: number;
  /** From the top of the page. */
  top: number;
  bottom: number;
}

/** Less than this upwards is a raised letter or a line of a formula, in points; and so is what is less wide than that. */
const STEP_BACK = 24;
const WIDE = 60;
/** Between columns there are at least so many points. */
const GUTTER = 8;

/**
 * The boxes in reading order. What the page's program drew in a plausible order stays as it is: it knew more of the
 * page than its geometry tells.
 */
export function inReadingOrder<T extends Box>(boxes: readonly T[]): T[] {
  return isDisordered(boxes) ? arrange(boxes) : [...boxes];
}

function isDisordered(boxes: readonly Box[]): boolean {
  return boxes.some((box, index) => {
    const before = boxes[index - 1];
    if (before === undefined) return false;
    const isWide = box.right - box.x > WIDE && before.right - before.x > WIDE;
    if (box.top > before.top - STEP_BACK && !(isWide && box.bottom < before.top + 2)) return false;
    // Upwards is where the next column begins. In the same column, or in one to the left, it is a step back.
    const shared = Math.min(box.right, before.right) - Math.max(box.x, before.x);
    const narrower = Math.min(box.right - box.x, before.right - before.x);
    return box.right < before.x || shared > 0.4 * narrower;
  });
}

function arrange<T extends Box>(boxes: readonly T[]): T[] {
  if (boxes.length < 2) return [...boxes];
  const sections = sectionsOf(bandsOf(boxes));
  return sections.flatMap(({ boxes: members, gutter }) => {
    if (gutter === undefined)
      return bandsOf(members).flatMap((band) => band.toSorted((a, b) => a.x - b.x || a.top - b.top));
    const left = members.filter(({ right }) => right <= gutter);
    const right = members.filter((member) => member.right > gutter);
    return [...arrange(left), ...arrange(right)];
  });
}

/** Boxes that lie beside each other, from the top down. */
function bandsOf<T extends Box>(boxes: readonly T[]): T[][] {
  const bands: T[][] = [];
  let bottom = Number.NEGATIVE_INFINITY;
  for (const box of boxes.toSorted((a, b) => a.top - b.top || a.x - b.x)) {
    // Lines reach a little into each other's height.
    if (box.top >= bottom - 2) bands.push([box]);
    else bands.at(-1)!.push(box);
    bottom = Math.max(bottom, box.bottom);
  }
  return bands;
}

interface Section<T> {
  boxes: T[];
  /** Where a white strip goes through all of it from top to bottom; undefined where none does. */
  gutter: number | undefined;
}

/** Bands that one white strip goes through are one piece of columns. */
function sectionsOf<T extends Box>(bands: T[][]): Section<T>[] {
  const sections: Section<T>[] = [];
  for (const band of bands) {
    const open = sections.at(-1);
    const together = open === undefined ? band : [...open.boxes, ...band];
    const gutter = gutterOf(together);
    if (open !== undefined && gutter !== undefined) {
      open.boxes = together;
      open.gutter = gutter;
    } else {
      sections.push({ boxes: band, gutter: gutterOf(band) });
    }
  }
  return sections;
}

/** The left end of the leftmost white strip between boxes. */
function gutterOf(boxes: readonly Box[]): number | undefined {
  let right: number | undefined;
  for (const box of boxes.toSorted((a, b) => a.x - b.x)) {
    if (right !== undefined && box.x - right >= GUTTER) return right;
    right = Math.max(right ?? Number.NEGATIVE_INFINITY, box.right);
  }
  return undefined;
}
