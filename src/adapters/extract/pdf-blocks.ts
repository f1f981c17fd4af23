/** From a PDF's lines to headings, paragraphs, list items and tables, by where lines lie and how large they are. Pure. */
import type { Block } from "../../chunk.ts";
import type { Line } from "./pdf-lines.ts";

export interface PdfBlock {
  kind: Block["kind"];
  text: string;
  level: number | null;
  page: number;
}

/** What is usual in the document. */
interface Usual {
  /** Font size of most characters, in points. */
  size: number;
  /** From one baseline to the next, in ems. */
  leading: number;
  /** The share of the text that each font sets, from 0 to 1. */
  fonts: Map<string, number>;
  /** The way most lines run. What runs otherwise (a stamp in the margin) is no heading. */
  turn: number;
}

interface Group {
  kind: "text" | "table";
  lines: Line[];
  page: number;
}

/** A heading is so much larger than the text around it. */
const HEADING_SIZE = 1.15;
const HEADING_LETTERS = 200;

/** Fonts of symbols put their bullets among the private characters. */
const symbol = /^[\uf0a7\uf0b7\uf0d8\uf0fc]\s*/;
const bullet = /^(?:[•‣◦▪●■○□∙\uf0a7\uf0b7\uf0d8\uf0fc]\s*|[·*–-]\s+|[–-](?=\p{Lu})|o\s+(?=\p{Lu}))(?=\S)/u;
// A capital and a full stop are somebody's initial.
const numbered = /^(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]|\(?[A-Z]\)|\[\d{1,3}\])\s+\S/;
const sentenceEnd = /[.!?:…]["'”’)\]]*$/;

export function blocksOfPages(pages: Line[][]): PdfBlock[] {
  const usual = usualOf(pages);
  const groups = pages.flatMap((lines, index) => groupsOf(lines, index + 1, usual));
  const levels = headingSizes(groups, usual);
  return groups.map((group, index) => blockOf(group, groups[index + 1], usual, levels));
}

function usualOf(pages: Line[][]): Usual {
  const sizes = new Map<number, number>();
  const fonts = new Map<string, number>();
  const leadings: number[] = [];
  const turns = [0, 0, 0, 0];
  let letters = 0;
  for (const lines of pages) {
    for (const [index, line] of lines.entries()) {
      letters += line.text.length;
      turns[line.turn]! += line.text.length;
      sizes.set(line.size, (sizes.get(line.size) ?? 0) + line.text.length);
      fonts.set(line.font, (fonts.get(line.font) ?? 0) + line.text.length);
      const before = lines[index - 1];
      if (before === undefined || before.size !== line.size) continue;
      const leading = (line.y - before.y) / line.size;
      if (leading > 0.8 && leading < 2.5) leadings.push(leading);
    }
  }
  leadings.sort((a, b) => a - b);
  return {
    size: [...sizes].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [10, 0])[0],
    // Lines within paragraphs are the closer ones; a third of the way is safely among them.
    leading: leadings[Math.floor(leadings.length / 3)] ?? 1.2,
    fonts: new Map([...fonts].map(([font, count]) => [font, count / letters])),
    turn: turns.indexOf(Math.max(...turns)),
  };
}

function groupsOf(lines: Line[], page: number, usual: Usual): Group[] {
  const groups: Group[] = [];
  const rights = rightEdges(lines);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const rows = tableRows(lines, at);
    if (rows > 1) {
      groups.push({ kind: "table", lines: lines.slice(at, at + rows), page });
      at += rows - 1;
      continue;
    }
    const open = groups.at(-1);
    if (open?.kind === "text" && belongs(open, line, rights, usual)) open.lines.push(line);
    else groups.push({ kind: "text", lines: [line], page });
  }
  return groups;
}

/** How many lines from here on look like rows of one table; fewer than two are none. */
function tableRows(lines: Line[], from: number): number {
  let rows = 0;
  for (let at = from; at < lines.length; at++) {
    const line = lines[at]!;
    const before = lines[at - 1];
    if (line.cells.length < 2) break;
    if (rows > 0 && (before!.turn !== line.turn || line.y <= before!.y || !sharesColumn(before!, line)))
      break;
    rows++;
  }
  // Two cells to a row can be anything, an entry of a table of contents above all; three are a table.
  const part = lines.slice(from, from + rows);
  return part.some(({ cells }) => cells.length > 2) || rows > 2 ? rows : 0;
}

function sharesColumn(a: Line, b: Line): boolean {
  const near = Math.max(a.size, b.size);
  return a.cells.slice(1).some(({ x }) => b.cells.slice(1).some((cell) => Math.abs(cell.x - x) < 3 * near));
}

/** The right end of the column that a line stands in, told by the lines that begin where it does. */
function rightEdges(lines: Line[]): (line: Line) => number {
  const edges = new Map<number, number>();
  const keyOf = (line: Line) => Math.round(line.x / 6);
  for (const line of lines) edges.set(keyOf(line), Math.max(edges.get(keyOf(line)) ?? 0, line.right));
  return (line) => edges.get(keyOf(line)) ?? line.right;
}

/** Whether the line goes on with the paragraph. */
function belongs(group: Group, line: Line, rights: (line: Line) => number, usual: Usual): boolean {
  const last = group.lines.at(-1)!;
  const first = group.lines[0]!;
  const em = last.size;
  if (line.turn !== last.turn || Math.abs(line.size - last.size) > 0.08 * em) return false;
  const isList = isListItem(first.text);
  // A number may begin a line by chance, but not after a full line of running text.
  if (bullet.test(line.text)) return false;
  if (numbered.test(line.text) && (isList || sentenceEnd.test(last.text))) return false;

  const down = line.y - last.y;
  const isFull = last.right > rights(last) - 0.25 * (rights(last) - last.x);
  if (down <= 0.3 * em) {
    // Up again, in another column: the sentence goes on if it was not at its end.
    return (
      isFull &&
      !sentenceEnd.test(last.text) &&
      /^[\p{Ll}\d(]/u.test(line.text) &&
      last.size < usual.size * HEADING_SIZE
    );
  }
  const isHeading = em >= usual.size * HEADING_SIZE;
  if (down > (isHeading ? 1.6 : usual.leading * 1.28) * em) return false;
  if (isHeading) return true;
  // A short line in one font, then another font: a heading of the text's own size.
  if (group.lines.length === 1 && last.font !== line.font && !isFull) return false;

  const indent = line.x - last.x;
  if (indent > 0.7 * em) return isList && group.lines.length === 1;
  if (indent < -0.7 * em) return group.lines.length === 1 && !isList;
  return isFull || !sentenceEnd.test(last.text);
}

function isListItem(text: string): boolean {
  return bullet.test(text) || numbered.test(text);
}

/** Whether the first line's font looks like that of headings above text in the second's. */
function isHeadingFont(line: Line, next: Line, usual: Usual): boolean {
  const share = usual.fonts.get(line.font) ?? 0;
  return share < 0.1 && share < (usual.fonts.get(next.font) ?? 0) / 2;
}

/** The sizes that headings have, largest first. */
function headingSizes(groups: Group[], usual: Usual): number[] {
  const sizes = new Set<number>();
  for (const group of groups) {
    if (isLargeHeading(group, usual)) sizes.add(group.lines[0]!.size);
  }
  const sorted = [...sizes].sort((a, b) => b - a);
  // Sizes that differ by a hair mean the same.
  return sorted.filter((size, index) => index === 0 || sorted[index - 1]! / size > 1.06);
}

function isLargeHeading(group: Group, usual: Usual): boolean {
  const { size, turn } = group.lines[0]!;
  if (group.kind !== "text" || turn !== usual.turn || size < usual.size * HEADING_SIZE) return false;
  return couldBeHeading(textOf(group));
}

function couldBeHeading(text: string): boolean {
  // Dots that lead to a page number are an entry of a table of contents.
  return text.length <= HEADING_LETTERS && /\p{L}.*\p{L}/u.test(text) && !/ …|^[•‣▪●]/.test(text);
}

function blockOf(group: Group, next: Group | undefined, usual: Usual, levels: number[]): PdfBlock {
  const text = textOf(group);
  const { page } = group;
  if (group.kind === "table") return { kind: "table", text, level: null, page };
  if (isLargeHeading(group, usual)) {
    const size = group.lines[0]!.size;
    const level = levels.findIndex((entry) => entry / size <= 1.06) + 1 || levels.length;
    return { kind: "heading", text, level: Math.min(6, level + depthOf(text)), page };
  }
  if (isFontHeading(group, text, next, usual)) {
    return { kind: "heading", text, level: Math.min(6, levels.length + 1 + depthOf(text)), page };
  }
  if (bullet.test(text)) {
    return { kind: "list_item", text: text.replace(symbol, "• "), level: null, page };
  }
  return { kind: numbered.test(text) ? "list_item" : "paragraph", text, level: null, page };
}

/** How deep its number says that a heading lies: 3.2.1 is two deeper than 3, also where their sizes are the same. */
function depthOf(heading: string): number {
  return (/^(?:\d+|[A-Z])((?:\.\d+)+)/.exec(heading)?.[1]?.split(".").length ?? 1) - 1;
}

/** A short line in a font of its own above text in the usual one, as bold headings of the text's size are. */
function isFontHeading(group: Group, text: string, next: Group | undefined, usual: Usual): boolean {
  if (group.lines.length > 2 || text.length > 100 || !couldBeHeading(text)) return false;
  if (next === undefined || next.kind !== "text" || next.page !== group.page) return false;
  const line = group.lines[0]!;
  return (
    group.lines.every((each) => each.font === line.font) &&
    isHeadingFont(line, next.lines[0]!, usual) &&
    line.turn === usual.turn &&
    line.size >= usual.size * 0.95 &&
    next.lines[0]!.y > line.y &&
    /^[\p{Lu}\d\p{Lo}]/u.test(text) &&
    !/[.,;:!?]$/.test(text)
  );
}

function textOf({ kind, lines }: Group): string {
  if (kind === "table") {
    return lines
      .map(({ cells }) => `| ${cells.map(({ text }) => text.replaceAll("|", "\\|")).join(" | ")} |`)
      .join("\n");
  }
  return lines.map(({ text }) => text).reduce(joinLines);
}

/** Joins a word that the line's end has cut. A hyphen before a capital or a digit is the word's own. */
function joinLines(before: string, line: string): string {
  if (before.endsWith("\u00ad")) return before.slice(0, -1) + line;
  if (/\p{L}[-\u2010]$/u.test(before) && /^\p{Ll}/u.test(line)) return before.slice(0, -1) + line;
  return `${before} ${line}`;
}
