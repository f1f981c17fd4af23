/** From the pieces of text that a PDF page draws to lines as a reader sees them. Pure. */

/** What pdf.js tells of one piece of text; other items have no `str`. */
interface Item {
  str?: string;
  dir?: string;
  width?: number;
  transform?: number[];
  fontName?: string;
}

export interface Line {
  text: string;
  /** The parts between gaps too wide for spaces: cells of a table, mostly. */
  cells: { text: string; x: number }[];
  /** Left and right end, and baseline from the top, in points of the upright page. */
  x: number;
  right: number;
  y: number;
  /** Font size of most of its characters, in points. */
  size: number;
  /** Font of most of its characters, by pdf.js's name for it. */
  font: string;
  /** Which way it runs, in quarter turns. Lines of one block run the same way. */
  turn: number;
}

interface Open extends Line {
  sizes: Map<number, number>;
  fonts: Map<string, number>;
}

/** A gap of so many ems is a space; of so many, the border of a cell. */
const SPACE_GAP = 0.17;
const CELL_GAP = 1.6;

/**
 * Lines in the order in which the page draws them, which for most programs is reading order, columns included.
 *
 * @param viewport the page's transform to an upright page with its origin at the top left
 */
export function linesOfItems(items: Iterable<unknown>, viewport: number[]): Line[] {
  const lines: Open[] = [];
  let line: Open | undefined;
  for (const raw of items) {
    const item = raw as Item;
    if (item.str === undefined || item.transform === undefined || item.str === "") continue;
    const place = placeOf(item.transform, viewport);
    const width = item.width ?? 0;
    const isSpace = item.str.trim() === "";
    if (line === undefined || !continues(line, place, width, item.dir === "rtl")) {
      if (isSpace) continue;
      line = openLine(place);
      lines.push(line);
    } else if (isSpace) {
      // Its width may be that of a whole column gap: what follows decides whether it was a space.
      continue;
    }
    append(line, item, place, width);
  }
  return lines.map(close).filter(({ text }) => text !== "");
}

interface Place {
  x: number;
  y: number;
  size: number;
  turn: number;
}

function placeOf(transform: number[], viewport: number[]): Place {
  const [a, b, c, d, e, f] = transform as [number, number, number, number, number, number];
  const [va, vb, vc, vd, ve, vf] = viewport as [number, number, number, number, number, number];
  const along = [va * a + vc * b, vb * a + vd * b] as const;
  const up = [va * c + vc * d, vb * c + vd * d] as const;
  const x = va * e + vc * f + ve;
  const y = vb * e + vd * f + vf;
  const size = Math.hypot(up[0], up[1]) || Math.hypot(along[0], along[1]) || 1;
  const turn = ((Math.round(Math.atan2(along[1], along[0]) / (Math.PI / 2)) % 4) + 4) % 4;
  // Turned text is put upright, so that everything after can think of it as level.
  if (turn === 1) return { x: y, y: -x, size, turn };
  if (turn === 2) return { x: -x, y: -y, size, turn };
  if (turn === 3) return { x: -y, y: x, size, turn };
  return { x, y, size, turn };
}

function openLine({ x, y, size, turn }: Place): Open {
  return {
    text: "",
    cells: [],
    x,
    right: x,
    y,
    size,
    font: "",
    turn,
    sizes: new Map(),
    fonts: new Map(),
  };
}

function continues(line: Open, place: Place, width: number, isRightToLeft: boolean): boolean {
  if (place.turn !== line.turn) return false;
  const em = Math.max(line.size, place.size);
  // Super- and subscripts sit within half an em of the baseline.
  if (Math.abs(place.y - line.y) > 0.55 * em) return false;
  // Another line that merely lies on the same height: the next row of letters is far smaller or larger.
  if (place.x >= line.right - 0.6 * em) return true;
  return isRightToLeft && place.x + width <= line.x + 0.6 * em;
}

function append(line: Open, item: Item, place: Place, width: number): void {
  const str = item.str!.replace(/\s+/g, " ");
  const em = Math.max(line.size, place.size);
  const isLeftwards = item.dir === "rtl" && place.x < line.x;
  const gap = isLeftwards ? line.x - (place.x + width) : place.x - line.right;
  const cell = line.cells.at(-1);
  if (cell === undefined || gap > CELL_GAP * em) {
    line.cells.push({ text: str, x: place.x });
  } else {
    cell.text += gap > SPACE_GAP * em && !cell.text.endsWith(" ") && !str.startsWith(" ") ? ` ${str}` : str;
  }
  if (place.size > line.size * 1.05) {
    // The line began with something small, as a footnote's number.
    line.size = place.size;
    line.y = place.y;
  }
  line.x = Math.min(line.x, place.x);
  line.right = Math.max(line.right, place.x + width);
  const letters = str.trim().length;
  const size = Math.round(place.size * 2) / 2;
  line.sizes.set(size, (line.sizes.get(size) ?? 0) + letters);
  const font = item.fontName ?? "";
  line.fonts.set(font, (line.fonts.get(font) ?? 0) + letters);
}

/** Dots that lead the eye to a page number. */
const leader = /(?:\.\s?){5,}/g;

function close({ sizes, fonts, ...line }: Open): Line {
  const cells = line.cells
    .map(({ text, x }) => ({ text: text.replace(leader, " … ").replace(/ +/g, " ").trim(), x }))
    .filter(({ text }) => text !== "");
  return {
    ...line,
    cells,
    text: cells.map(({ text }) => text).join(" "),
    size: mostly(sizes) ?? line.size,
    font: mostly(fonts) ?? "",
  };
}

function mostly<T>(counts: Map<T, number>): T | undefined {
  let best: T | undefined;
  let most = 0;
  for (const [value, count] of counts) {
    if (count > most) {
      best = value;
      most = count;
    }
  }
  return best;
}
