/** Tables told by how the words of neighbouring lines line up. Pure. */
import type { Line, Span } from "./pdf-lines.ts";

export interface FoundTable {
  rows: string[][];
  /** How many lines it takes. */
  lines: number;
}

/** Rows further apart than so many ems belong to different things. */
const ROW_GAP = 4;
/** A line no further than this below its row goes on with it. */
const WRAP_GAP = 1.5;
/** Columns are at least so many ems apart. */
const GUTTER = 0.7;
/** So many rows may cross the space between two columns, as headings over several columns do. */
const CROSSING = 0.2;

/** The table that begins with this line, if one does. Rather none than a false one. */
export function tableAt(lines: readonly Line[], from: number): FoundTable | undefined {
  if (lines[from]!.cells.length < 2) return undefined;
  const part = regionOf(lines, from);
  const inRows = part.filter(({ cells }) => cells.length > 1);
  if (inRows.length < 2) return undefined;
  const columns = columnsOf(inRows);
  if (columns.length < 2 || (columns.length < 3 && inRows.length < 3)) return undefined;
  const rows = rowsOf(part, columns);
  return isTable(rows, columns.length) ? { rows, lines: part.length } : undefined;
}

function regionOf(lines: readonly Line[], from: number): Line[] {
  const part: Line[] = [lines[from]!];
  // Lines of one cell count only once a row comes after them.
  let end = 1;
  for (let at = from + 1; at < lines.length; at++) {
    const line = lines[at]!;
    const before = part.at(-1)!;
    const em = Math.max(line.size, before.size);
    const down = line.y - before.y;
    if (line.turn !== before.turn || down <= 0.3 * em || down > ROW_GAP * em) break;
    if (Math.max(line.size, before.size) > 1.5 * Math.min(line.size, before.size)) break;
    if (line.cells.length > 1) {
      if (!sharesColumn(part.findLast(({ cells }) => cells.length > 1)!, line)) break;
      part.push(line);
      end = part.length;
      continue;
    }
    if (down > WRAP_GAP * em || !continuesCell(part, line)) break;
    part.push(line);
    if (line.x > part[0]!.cells[1]!.x - em) end = part.length;
  }
  return part.slice(0, end);
}

/** Whether a line of one piece goes on with a cell of the row above it. */
function continuesCell(part: Line[], line: Line): boolean {
  const row = part.findLast(({ cells }) => cells.length > 1)!;
  const em = Math.max(row.size, line.size);
  return row.cells.some(({ x }, index) => {
    const next = row.cells[index + 1];
    return Math.abs(line.x - x) < em && (next === undefined || line.right < next.x);
  });
}

function sharesColumn(a: Line, b: Line): boolean {
  const near = 1.5 * Math.max(a.size, b.size);
  return a.cells.some(
    (one, index) =>
      index > 0 &&
      b.cells.some(
        (other, place) =>
          place > 0 &&
          (Math.abs(one.x - other.x) < near ||
            Math.abs(one.right - other.right) < near ||
            (one.x < other.right && other.x < one.right)),
      ),
  );
}

/** Where columns begin: after each stretch that (nearly) every row leaves white. */
function columnsOf(rows: Line[]): number[] {
  const allowed = rows.length >= 5 ? Math.floor(rows.length * CROSSING) : 0;
  const size = rows[0]!.size;
  const edges: [at: number, change: number][] = [];
  for (const { words } of rows) {
    for (const { x, right } of merged(words, GUTTER * size * 0.5)) edges.push([x, 1], [right, -1]);
  }
  edges.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const starts: number[] = [];
  let open = 0;
  let whiteFrom = Number.NEGATIVE_INFINITY;
  for (const [at, change] of edges) {
    const wasWhite = open <= allowed;
    open += change;
    const isWhite = open <= allowed;
    if (wasWhite && !isWhite && (at - whiteFrom >= GUTTER * size || starts.length === 0)) starts.push(at);
    if (!wasWhite && isWhite) whiteFrom = at;
  }
  if (starts.length > 0) starts[0] = Number.NEGATIVE_INFINITY;
  return starts;
}

/** Words closer than a gap as one. */
function merged(words: readonly Span[], gap: number): Span[] {
  const spans: Span[] = [];
  for (const word of words.toSorted((a, b) => a.x - b.x)) {
    const last = spans.at(-1);
    if (last !== undefined && word.x - last.right < gap) last.right = Math.max(last.right, word.right);
    else spans.push({ ...word });
  }
  return spans;
}

function rowsOf(part: Line[], columns: number[]): string[][] {
  const rows: string[][] = [];
  let before: Line | undefined;
  for (const line of part) {
    const cells = columns.map(() => "");
    for (const word of line.words) {
      const middle = (word.x + word.right) / 2;
      const column = columns.findLastIndex(
        (start) => start <= Math.max(word.x + 0.5, Math.min(middle, word.x + line.size)),
      );
      const at = Math.max(0, column);
      cells[at] = cells[at] === "" ? word.text : `${cells[at]} ${word.text}`;
    }
    const row = rows.at(-1);
    const wraps =
      row !== undefined &&
      before !== undefined &&
      line.y - before.y <= WRAP_GAP * line.size &&
      (line.cells.length === 1 || cells[0] === "") &&
      cells.every((cell, column) => cell === "" || row[column] !== "") &&
      // A row of a table may well leave its first cell empty; a wrapped one fills few.
      cells.filter((cell) => cell !== "").length <= Math.max(1, columns.length / 3);
    if (wraps) {
      for (const [column, cell] of cells.entries()) if (cell !== "") row[column] += ` ${cell}`;
    } else {
      rows.push(cells);
    }
    before = line;
  }
  return rows;
}

function isTable(rows: string[][], width: number): boolean {
  if (rows.length < 2) return false;
  const filled = rows.map((row) => row.filter((cell) => cell !== "").length);
  if (filled.reduce((sum, count) => sum + count, 0) < rows.length * width * 0.5) return false;
  const cells = rows.flat().filter((cell) => cell !== "");
  const lengths = cells.map(({ length }) => length).sort((a, b) => a - b);
  // Running text in two columns that a program drew line by line.
  if (width === 2 && rows.every(([left = "", right = ""]) => left.length > 30 && right.length > 30))
    return false;
  // Letters strewn over a page, as in formulas and charts.
  return (lengths[lengths.length >> 1] ?? 0) > 1;
}

/** As Markdown, its first row as the header. */
export function toMarkdown(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(({ length }) => length));
  const lineOf = (row: readonly string[]) =>
    `| ${Array.from({ length: width }, (_, column) => (row[column] ?? "").replaceAll("|", "\\|")).join(" | ")} |`;
  const [head, ...rest] = rows.map(lineOf);
  return [head, `|${" --- |".repeat(width)}`, ...rest].join("\n");
}
