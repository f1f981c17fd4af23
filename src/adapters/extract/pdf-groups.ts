/** From a page's lines to groups that belong together: the lines of a paragraph, the rows of a table. Pure. */
import type { Block } from "../../chunk.ts";
import { columnsApart } from "./pdf-columns.ts";
import { codeOf, isCode, type Line, textOfLines } from "./pdf-lines.ts";
import { inReadingOrder } from "./pdf-order.ts";
import { tableAt, toMarkdown } from "./pdf-tables.ts";

export interface Group {
  /** What tags say that it is; `text` is for its looks to tell. */
  kind: "text" | Block["kind"];
  level: number | null;
  lines: Line[];
  page: number;
  /** Instead of its lines' text. */
  text?: string;
}

/** What is usual in the document. */
export interface Usual {
  /** Font size of most characters, in points. */
  size: number;
  /** From one baseline to the next, in ems. */
  leading: number;
  /** The share of the text that each font sets, from 0 to 1. */
  fonts: Map<string, number>;
  /** Whether most of it is bold. */
  bold: boolean;
  /** The way most lines run. What runs otherwise (a stamp in the margin) is no heading. */
  turn: number;
}

/** A heading is so much larger than the text around it. */
export const HEADING_SIZE = 1.15;

/** Fonts of symbols put their bullets among the private characters. */
export const symbol = /^[\uf0a7\uf0b7\uf0d8\uf0fc]\s*/;
export const bullet =
  /^(?:[•‣◦▪●■○□∙➢\uf0a7\uf0b7\uf0d8\uf0fc]\s*|[·*–-]\s+|[–-](?=\p{Lu})|o\s+(?=\p{Lu}))(?=\S)/u;
// A capital and a full stop are somebody's initial.
export const numbered = /^(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]|\(?[A-Z]\)|\[\d{1,3}\])\s+\S/;
const chapter = /^(?:\d{1,3}(?:\.\d{1,3})*\.?|\p{Lu}\p{L}+ \d{1,3}[.:]?)\s+\p{Lu}/u;
const sentenceEnd = /[.!?:…]["'”’)\]]*$/;

/** What has been counted, from which `usualIn` tells what is usual. */
export interface Counts {
  letters: number;
  bold: number;
  turns: number[];
  sizes: Map<number, number>;
  fonts: Map<string, number>;
  leadings: number[];
}

export function noCounts(): Counts {
  return { letters: 0, bold: 0, turns: [0, 0, 0, 0], sizes: new Map(), fonts: new Map(), leadings: [] };
}

/** Adds a page's lines. */
export function count(counts: Counts, lines: readonly Line[]): void {
  const { sizes, fonts, leadings, turns } = counts;
  for (const [index, line] of lines.entries()) {
    const { length } = line.text;
    counts.letters += length;
    if (line.bold) counts.bold += length;
    turns[line.turn]! += length;
    sizes.set(line.size, (sizes.get(line.size) ?? 0) + length);
    fonts.set(line.font, (fonts.get(line.font) ?? 0) + length);
    const before = lines[index - 1];
    if (before === undefined || before.size !== line.size) continue;
    const leading = (line.y - before.y) / line.size;
    if (leading > 0.8 && leading < 2.5) leadings.push(leading);
  }
}

export function usualIn({ letters, bold, turns, sizes, fonts, leadings }: Counts): Usual {
  const sorted = leadings.toSorted((a, b) => a - b);
  return {
    size: [...sizes].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [10, 0])[0],
    // Lines within paragraphs are the closer ones; a third of the way is safely among them.
    leading: sorted[Math.floor(sorted.length / 3)] ?? 1.2,
    fonts: new Map([...fonts].map(([font, count]) => [font, count / letters])),
    bold: bold > letters / 2,
    turn: turns.indexOf(Math.max(...turns)),
  };
}

/** The groups of a page without tags, in reading order. */
export function groupsOf(drawn: readonly Line[], page: number, usual: Usual): Group[] {
  const lines = columnsApart(drawn);
  const groups: Group[] = [];
  const rights = rightEdges(lines);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const table = isCode(line) ? undefined : tableAt(lines, at);
    if (table !== undefined) {
      const part = lines.slice(at, at + table.lines);
      groups.push({ kind: "table", level: null, lines: part, page, text: toMarkdown(table.rows) });
      at += table.lines - 1;
      continue;
    }
    const code = codeAt(lines, at);
    if (code > 0) {
      const part = lines.slice(at, at + code);
      groups.push({ kind: "code", level: null, lines: part, page, text: codeOf(part) });
      at += code - 1;
      continue;
    }
    const open = groups.at(-1);
    if (open?.kind === "text" && belongs(open, line, rights, usual)) open.lines.push(line);
    else groups.push({ kind: "text", level: null, lines: [line], page });
  }
  const text = withoutTicks(groups);
  const level = text.filter(({ lines }) => lines[0]!.turn === usual.turn);
  const others = text.filter(({ lines }) => lines[0]!.turn !== usual.turn);
  const ordered = inReadingOrder(level.map((group) => ({ ...boxOf(group), group }))).map(
    ({ group }) => group,
  );
  return [...joinColumns(footnotesLast(ordered, usual), rights, usual), ...others];
}

const tick = /^[\d.,%+–−-]{1,6}$/;

/** Without the numbers along the axes of charts: three and more in a row, with nothing else in their groups. */
function withoutTicks(groups: readonly Group[]): Group[] {
  const isTick = (group: Group | undefined) =>
    group?.kind === "text" && group.lines.length === 1 && tick.test(group.lines[0]!.text);
  return groups.filter((group, index) => {
    if (!isTick(group)) return true;
    const around = [-2, -1, 0, 1, 2].map((step) => isTick(groups[index + step]));
    return !around.join().includes("true,true,true");
  });
}

/** How many lines from here on are code; one alone may be a word in a sentence. */
function codeAt(lines: readonly Line[], from: number): number {
  let count = 0;
  for (let at = from; at < lines.length && isCode(lines[at]!); at++) {
    const before = lines[at - 1];
    const down = count === 0 ? 0 : lines[at]!.y - before!.y;
    if (count > 0 && (down <= 0 || down > 3 * before!.size)) break;
    count++;
  }
  return count > 1 ? count : 0;
}

function boxOf({ lines }: Group) {
  return {
    x: Math.min(...lines.map(({ x }) => x)),
    right: Math.max(...lines.map(({ right }) => right)),
    top: Math.min(...lines.map(({ y, size }) => y - size * 0.8)),
    bottom: Math.max(...lines.map(({ y, size }) => y + size * 0.2)),
  };
}

/** The right end of the column that a line stands in, told by the lines that begin where it does. */
function rightEdges(lines: readonly Line[]): (line: Line) => number {
  const edges = new Map<number, number>();
  const keyOf = (line: Line) => Math.round(line.x / 6);
  for (const line of lines) edges.set(keyOf(line), Math.max(edges.get(keyOf(line)) ?? 0, line.right));
  return (line) => edges.get(keyOf(line)) ?? line.right;
}

function isFull(line: Line, rights: (line: Line) => number): boolean {
  return line.right > rights(line) - 0.25 * (rights(line) - line.x);
}

/** Whether the line goes on with the paragraph above it. */
function belongs(group: Group, line: Line, rights: (line: Line) => number, usual: Usual): boolean {
  const last = group.lines.at(-1)!;
  const first = group.lines[0]!;
  const em = last.size;
  if (line.turn !== last.turn || Math.abs(line.size - last.size) > 0.08 * em) return false;
  const isList = isListItem(first.text);
  // A number may begin a line by chance, but not after a full line of running text.
  if (bullet.test(line.text)) return false;
  if (numbered.test(line.text) && (isList || sentenceEnd.test(last.text))) return false;
  if (line.raised && line.size < usual.size * 0.95 && /^[\d*†‡]/.test(line.text)) return false;

  const down = line.y - last.y;
  if (down <= 0.3 * em) return false;
  const isHeading = em >= usual.size * HEADING_SIZE;
  if (down > (isHeading ? 1.6 : usual.leading * 1.28) * em) return false;
  // Beside each other, not below.
  if (line.x > last.right || line.right < last.x) return false;
  // A title and the chapter below it are two, though they look the same.
  if (isHeading) return !(down > 1.35 * em && chapter.test(line.text));
  // A short line in one font, then another font: a heading of the text's own size.
  if (
    group.lines.length === 1 &&
    last.font !== line.font &&
    !isFull(last, rights) &&
    em > usual.size * 0.95
  ) {
    return false;
  }
  if (group.lines.length < 3 && group.lines.every(({ bold }) => bold) && !line.bold) return false;

  const indent = line.x - last.x;
  if (indent > 0.7 * em) return isList && group.lines.length === 1;
  if (indent < -0.7 * em) return group.lines.length === 1 && !isList;
  return isFull(last, rights) || !sentenceEnd.test(last.text);
}

/** A sentence that the end of a column cut goes on in the next. */
function joinColumns(groups: Group[], rights: (line: Line) => number, usual: Usual): Group[] {
  const joined: Group[] = [];
  for (const group of groups) {
    const before = joined.at(-1);
    const last = before?.lines.at(-1);
    const first = group.lines[0]!;
    const goesOn =
      before?.kind === "text" &&
      group.kind === "text" &&
      last !== undefined &&
      first.y <= last.y &&
      first.x >= last.right - last.size &&
      Math.abs(first.size - last.size) <= 0.08 * last.size &&
      last.size < usual.size * HEADING_SIZE &&
      isFull(last, rights) &&
      !sentenceEnd.test(last.text) &&
      /^[\p{Ll}\d(]/u.test(first.text) &&
      !isListItem(first.text);
    if (goesOn) before.lines.push(...group.lines);
    else joined.push(group);
  }
  return joined;
}

/** Footnotes stand at the end of their page, so that a sentence can go on from one column into the next. */
function footnotesLast(groups: Group[], usual: Usual): Group[] {
  const notes = new Set(groups.filter((group) => isFootnote(group, groups, usual)));
  for (const note of notes) note.kind = "footnote";
  return [...groups.filter((group) => !notes.has(group)), ...notes];
}

function isFootnote(group: Group, groups: readonly Group[], usual: Usual): boolean {
  const first = group.lines[0]!;
  if (group.kind !== "text" || first.size > usual.size * 0.92) return false;
  if (!first.raised || !/^(?:\d{1,3}|[*∗†‡§])\s?[\p{L}"“(]/u.test(first.text)) return false;
  const box = boxOf(group);
  // Nothing of the text's own size stands below it in its column.
  return !groups.some((other) => {
    const place = boxOf(other);
    return (
      other.lines[0]!.size > usual.size * 0.95 &&
      place.top > box.bottom &&
      place.x < box.right &&
      box.x < place.right
    );
  });
}

function isListItem(text: string): boolean {
  return bullet.test(text) || numbered.test(text);
}

export function textOf({ text, lines }: Group): string {
  return text ?? textOfLines(lines);
}
