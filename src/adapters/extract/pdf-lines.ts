/** From the words that a PDF page draws to lines as a reader sees them. Pure. */
import type { Run } from "./pdf-runs.ts";

/** A piece of a line, and where it begins and ends. */
export interface Span {
  text: string;
  x: number;
  right: number;
}

export interface Line {
  text: string;
  words: Span[];
  /** The parts between gaps too wide for spaces: cells of a table, mostly. */
  cells: Span[];
  /** Left and right end, and baseline from the top, in points of the page turned so that the line is level. */
  x: number;
  right: number;
  y: number;
  /** Font size of most of its characters, in points. */
  size: number;
  /** Font of most of its characters. */
  font: string;
  bold: boolean;
  /** Which way it runs, in quarter turns. Lines of one block run the same way. */
  turn: number;
  /** Whether it begins with a small raised number or sign. */
  raised: boolean;
}

interface Open {
  runs: Run[];
  x: number;
  right: number;
  y: number;
  size: number;
  turn: number;
}

/** A gap of so many ems is a space even where the page has none; of so many, the border of a cell. */
const SPACE_GAP = 0.25;
const CELL_GAP = 1.2;

/** Lines in the order in which the page draws them, which for most programs is reading order, columns included. */
export function linesOfRuns(runs: Iterable<Run>): Line[] {
  const lines: Open[] = [];
  let line: Open | undefined;
  for (const run of runs) {
    // Drawn over its letter, where there is no place for it among the others.
    if (accent.test(run.text)) continue;
    if (line !== undefined && continues(line, run)) {
      append(line, run);
      continue;
    }
    line = { runs: [run], x: run.x, right: run.right, y: run.y, size: run.size, turn: run.turn };
    lines.push(line);
  }
  return downwards(lines.map(close).filter(({ text }) => text !== ""));
}

/** PDFium takes turned pages from their end. */
function downwards(lines: Line[]): Line[] {
  const steps = lines.slice(1).map((line, index) => line.y - lines[index]!.y);
  const isBackwards = lines.length > 1 && steps.filter((step) => step < 0).length > 0.7 * steps.length;
  return isBackwards && lines[0]!.turn !== 0 ? lines.toReversed() : lines;
}

const accent = /^(?:[\u02c6-\u02dd\u00a8\u00b4\u00b8`]|\p{M})$/u;

function continues(line: Open, run: Run): boolean {
  if (run.turn !== line.turn) return false;
  const em = Math.max(line.size, run.size);
  // Super- and subscripts sit within half an em of the baseline, one below the other.
  if (Math.abs(run.y - line.y) > 0.55 * em) return false;
  const isScript = run.size < line.size * 0.85 || line.runs.at(-1)!.size < line.size * 0.85;
  if (run.x >= line.right - (isScript ? 2 : 0.6) * em) return true;
  return isLeftwards(run) && run.right <= line.x + 0.6 * em;
}

function isLeftwards(run: Run): boolean {
  return /\p{Script=Hebrew}|\p{Script=Arabic}/u.test(run.text);
}

function append(line: Open, run: Run): void {
  if (run.size > line.size * 1.05) {
    // The line began with something small, as a footnote's number.
    line.size = run.size;
    line.y = run.y;
  }
  line.runs.push(run);
  line.x = Math.min(line.x, run.x);
  line.right = Math.max(line.right, run.right);
}

/** Dots that lead the eye to a page number. */
const leader = /(?:\.\s?){5,}/g;

function close({ runs, x, right, y, turn, size }: Open): Line {
  const words: Span[] = [];
  const cells: Span[] = [];
  const sizes = new Map<number, number>();
  const fonts = new Map<string, number>();
  let bold = 0;
  let letters = 0;
  let last: Run | undefined;
  for (const run of runs) {
    const em = Math.max(size, run.size);
    const gap =
      last === undefined ? 0 : run.x < last.x && isLeftwards(run) ? last.x - run.right : run.x - last.right;
    const isWord = last === undefined || run.spaced || gap > SPACE_GAP * em;
    // A space that a program drew as wide as it needed: what counts is where ink is.
    const isCell = last === undefined || gap > CELL_GAP * em;
    extend(words, run, isWord, "");
    extend(cells, run, isCell, isWord ? " " : "");
    sizes.set(run.size, (sizes.get(run.size) ?? 0) + run.text.length);
    fonts.set(run.font, (fonts.get(run.font) ?? 0) + run.text.length);
    letters += run.text.length;
    if (run.bold) bold += run.text.length;
    last = run;
  }
  for (const cell of cells) cell.text = cell.text.replace(leader, " … ").replace(/ +/g, " ").trim();
  const filled = cells.filter(({ text }) => text !== "");
  const first = runs[0]!;
  return {
    text: filled.length === 1 ? filled[0]!.text : filled.map(({ text }) => text).join(" "),
    // A line of one piece is in no table's columns, and a long document has many of them.
    words: filled.length === 1 ? filled : words,
    cells: filled,
    x,
    right,
    y,
    size: mostly(sizes) ?? size,
    font: mostly(fonts) ?? "",
    bold: bold > letters * 0.6,
    turn,
    raised: runs.length > 1 && first.size < size * 0.85 && first.y < y - 0.1 * size,
  };
}

function extend(spans: Span[], run: Run, isNew: boolean, glue: string): void {
  const span = spans.at(-1);
  if (isNew || span === undefined) {
    spans.push({ text: run.text, x: run.x, right: run.right });
    return;
  }
  span.text += glue + run.text;
  span.x = Math.min(span.x, run.x);
  span.right = Math.max(span.right, run.right);
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

const fixed = /courier|mono|consol|menlo|typewriter|cmtt|fixed|inconsolata|andale/i;

/** Whether a font of fixed width sets it, as that of program listings. */
export function isCode({ font }: Line): boolean {
  return fixed.test(font);
}

/** Lines of code with their indentation. */
export function codeOf(lines: readonly Line[]): string {
  const left = Math.min(...lines.map(({ x }) => x));
  return lines
    .map(({ x, size, text }) => " ".repeat(Math.round((x - left) / (0.6 * size))) + text)
    .join("\n");
}

/** Lines as one text. */
export function textOfLines(lines: readonly Line[]): string {
  return lines.length === 0 ? "" : lines.map(({ text }) => text).reduce(joinLines);
}

/** Joins a word that the line's end has cut. A hyphen before a capital or a digit is the word's own. */
function joinLines(before: string, line: string): string {
  if (before.endsWith("\u00ad")) return before.slice(0, -1) + line;
  if (/\p{L}[-\u2010]$/u.test(before) && /^\p{Ll}/u.test(line)) return before.slice(0, -1) + line;
  // Neither do scripts without spaces get one at a line's end.
  if (
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]$/u.test(before) &&
    /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(line)
  ) {
    return before + line;
  }
  return `${before} ${line}`;
}
