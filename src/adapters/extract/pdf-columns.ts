/** Columns of running text that a program drew line by line, across both. Pure. */
import type { Line, Span } from "./pdf-lines.ts";

/** Fewer rows than this are a table, or a letter's head. */
const LEAST_ROWS = 8;
/** Half a line of running text has about so many letters, and what stands in a table's cells mostly fewer. */
const PROSE = 25;
/** So many of the rows have that on both sides; at the ends of paragraphs there is less. */
const FULL = 0.6;
/** So many lines of running text begin in the middle of a sentence. Cells begin with capitals and numbers. */
const GOES_ON = 0.4;
/** Lines further apart than so many ems belong to different things. */
const GAP = 4;

/** The lines, those of the left column before those of the right one wherever there are two. */
export function columnsApart(lines: readonly Line[]): Line[] {
  const apart: Line[] = [];
  for (let at = 0; at < lines.length; ) {
    const end = isRow(lines[at]!) ? endOfColumns(lines, at) : at;
    const part = lines.slice(at, end);
    if (isProse(part)) {
      const right = part.find(isRow)!.cells[1]!.x;
      const halves = part.map((line) => line.cells.map((cell) => half(line, cell)));
      const isLeft = (line: Line) => line.x < right - line.size * 2;
      apart.push(...halves.flatMap((row) => row.filter(isLeft)));
      apart.push(...halves.flatMap((row) => row.filter((line) => !isLeft(line))));
      at = end;
    } else {
      apart.push(lines[at]!);
      at++;
    }
  }
  return apart;
}

const isRow = ({ cells, turn }: Line) => cells.length === 2 && turn === 0;

/** The line after the last that keeps clear of the white strip between the two. */
function endOfColumns(lines: readonly Line[], from: number): number {
  const first = lines[from]!;
  const right = first.cells[1]!.x;
  let end = from + 1;
  for (; end < lines.length; end++) {
    const line = lines[end]!;
    const down = line.y - lines[end - 1]!.y;
    if (line.turn !== first.turn || down <= 0 || down > GAP * first.size) break;
    if (Math.abs(line.size - first.size) > first.size * 0.1 || line.cells.length > 2) break;
    const isClear = (cell: Span) => cell.right < right - 1 || Math.abs(cell.x - right) < first.size * 2;
    if (!line.cells.every(isClear)) break;
    if (line.cells.length === 2 && Math.abs(line.cells[1]!.x - right) >= first.size * 2) break;
  }
  return end;
}

function isProse(part: readonly Line[]): boolean {
  const rows = part.filter(isRow);
  if (rows.length < LEAST_ROWS) return false;
  const share = (isIt: (line: Line) => boolean) => rows.filter(isIt).length / rows.length;
  return (
    share(({ cells }) => cells.every(({ text }) => text.length > PROSE)) >= FULL &&
    share(({ cells }) => /^\p{Ll}/u.test(cells[0]!.text)) >= GOES_ON &&
    share(({ cells }) => /^\p{Ll}/u.test(cells[1]!.text)) >= GOES_ON
  );
}

function half(line: Line, cell: Span): Line {
  return { ...line, text: cell.text, words: [cell], cells: [cell], x: cell.x, right: cell.right };
}
