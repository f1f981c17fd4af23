/** From the groups of a PDF's pages to headings, paragraphs, list items and tables. Pure. */
import type { Block } from "../../chunk.ts";
import type { OutlineEntry } from "./pdf-document.ts";
import {
  bullet,
  type Group,
  groupsOf,
  HEADING_SIZE,
  numbered,
  symbol,
  type Usual,
  usualOf,
} from "./pdf-groups.ts";
import { type Line, textOfLines } from "./pdf-lines.ts";
import { runningLines } from "./pdf-margins.ts";
import { toMarkdown } from "./pdf-tables.ts";

export interface PdfBlock {
  kind: Block["kind"];
  text: string;
  level: number | null;
  page: number;
}

/** What a page holds: its lines, and where it is tagged, their parts. */
export interface PageContent {
  lines: Line[];
  height: number;
  /** In reading order. The same lines as above; rows of a table are lists of cells. */
  parts?: PagePart[];
  comments: string[];
}

export interface PagePart {
  kind: Block["kind"];
  level: number | null;
  lines: Line[];
  rows?: Line[][][];
  alternative?: string;
}

const HEADING_LETTERS = 200;

export function blocksOfPages(
  pages: readonly PageContent[],
  outline: readonly OutlineEntry[] = [],
): PdfBlock[] {
  const rough = usualOf(pages.map(({ lines }) => lines));
  const running = runningLines(pages, rough.size);
  const kept = pages.map(({ lines }) => lines.filter((line) => !running.has(line)));
  const usual = usualOf(kept);
  const groups = pages.flatMap((page, index) =>
    page.parts === undefined
      ? groupsOf(kept[index]!, index + 1, usual)
      : groupsOfParts(page.parts, index + 1, running),
  );
  const headings = headingsOf(groups, usual, outline);
  const blocks = groups.map((group, index) => blockOf(group, groups[index + 1], usual, headings));
  for (const [index, { comments }] of pages.entries()) {
    for (const text of comments) blocks.push({ kind: "note", text, level: null, page: index + 1 });
  }
  return blocks.toSorted((a, b) => a.page - b.page);
}

function groupsOfParts(parts: readonly PagePart[], page: number, running: ReadonlySet<Line>): Group[] {
  const groups: Group[] = [];
  for (const { kind, level, lines, rows, alternative } of parts) {
    const cells = rows?.map((row) => row.map((cell) => textOfLines(cell)));
    if (cells !== undefined) {
      const filled = cells.filter((row) => row.some((cell) => cell !== ""));
      const first = rows!.flat(2)[0];
      if (first === undefined) continue;
      // Tables that only lay a page out have one cell, or one column.
      const isTable = filled.length > 1 && filled.some((row) => row.length > 1);
      if (isTable)
        groups.push({ kind: "table", level: null, lines: [first], page, text: toMarkdown(filled) });
      else
        for (const cell of rows!.flat())
          if (cell.length > 0) groups.push({ kind: "paragraph", level: null, lines: cell, page });
      continue;
    }
    const own = lines.filter((line) => !running.has(line));
    if (own.length > 0) groups.push({ kind: kind === "paragraph" ? "text" : kind, level, lines: own, page });
    else if (alternative !== undefined && alternative !== "" && groups.length > 0) {
      groups.push({
        kind: "paragraph",
        level: null,
        lines: groups.at(-1)!.lines.slice(-1),
        page,
        text: alternative,
      });
    }
  }
  return groups;
}

/** What the document's headings look like. */
interface Headings {
  /** The sizes of headings, largest first. */
  sizes: number[];
  /** Levels that the outline, or the tags, give. */
  known: Map<Group, number>;
  /** By size, the level that most of the known ones have. */
  bySize: Map<number, number>;
  /** The level of headings numbered with a single number; those with more lie as much deeper. */
  numbered: number | undefined;
  /** Whether tags name headings: then what they do not name is none. */
  tagged: boolean;
}

function headingsOf(groups: readonly Group[], usual: Usual, outline: readonly OutlineEntry[]): Headings {
  const known = knownLevels(groups, outline);
  const bySize = new Map<number, number>();
  for (const [group, level] of known) {
    const { size } = group.lines[0]!;
    if (size >= usual.size * HEADING_SIZE) bySize.set(size, Math.min(level, bySize.get(size) ?? 9));
  }
  const large = groups.filter((group) => isLargeHeading(group, usual));
  const sorted = [...new Set(large.map(({ lines }) => lines[0]!.size))].sort((a, b) => b - a);
  // Sizes that differ by a hair mean the same.
  const sizes = sorted.filter((size, index) => index === 0 || sorted[index - 1]! / size > 1.06);
  const chapter = large.find((group) => depthOf(textOf(group)) === 0);
  return {
    sizes,
    known,
    bySize,
    numbered: chapter && (known.get(chapter) ?? levelOfSize(chapter.lines[0]!.size, sizes)),
    tagged: groups.filter(({ kind }) => kind === "heading").length > 2,
  };
}

/** The groups that the outline names, with its levels. */
function knownLevels(groups: readonly Group[], outline: readonly OutlineEntry[]): Map<Group, number> {
  const known = new Map<Group, number>();
  const byPage = Map.groupBy(groups, ({ page }) => page);
  for (const { title, level, page } of outline) {
    if (page === undefined || title.trim() === "") continue;
    const wanted = bare(title);
    const match = byPage
      .get(page)
      ?.find(
        (group) =>
          (group.kind === "text" || group.kind === "heading") && !known.has(group) && isTitle(group, wanted),
      );
    if (match !== undefined) known.set(match, level);
  }
  // An outline may hang from one entry that stands for the whole.
  const least = Math.min(...known.values());
  return new Map([...known].map(([group, level]) => [group, Math.min(6, level - least + 1)]));
}

function isTitle(group: Group, wanted: string): boolean {
  const text = bare(textOf(group));
  return text === wanted || (text.length < wanted.length + 12 && wanted.length > 3 && text.endsWith(wanted));
}

/** Without spaces, case and signs: outlines and pages differ in these. */
function bare(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
}

function isLargeHeading(group: Group, usual: Usual): boolean {
  const { size, turn } = group.lines[0]!;
  if (group.kind !== "text" || turn !== usual.turn || size < usual.size * HEADING_SIZE) return false;
  return couldBeHeading(textOf(group));
}

function couldBeHeading(text: string): boolean {
  // Dots that lead to a page number are an entry of a table of contents.
  if (text.length > HEADING_LETTERS || / …|^[•‣▪●]/.test(text)) return false;
  // Formulas are set large as well.
  if (!/\p{L}{3}|\p{Lo}{2}/u.test(text)) return false;
  return (text.match(/[\p{L}\p{M}\s]/gu)?.length ?? 0) > text.length * 0.55;
}

function blockOf(group: Group, next: Group | undefined, usual: Usual, headings: Headings): PdfBlock {
  const text = textOf(group);
  const { page, kind } = group;
  const known = headings.known.get(group);
  const heading = (level: number): PdfBlock => ({
    kind: "heading",
    text,
    level: Math.max(1, Math.min(6, level)),
    page,
  });
  if (kind === "heading") return heading(known ?? group.level ?? 1);
  if (kind !== "text")
    return { kind, text: kind === "list_item" ? text.replace(symbol, "• ") : text, level: null, page };
  if (known !== undefined && text.length <= HEADING_LETTERS) return heading(known);
  if (!headings.tagged && isLargeHeading(group, usual)) {
    const { size } = group.lines[0]!;
    return heading(headings.bySize.get(size) ?? levelOf(text, levelOfSize(size, headings.sizes), headings));
  }
  if (!headings.tagged && isFontHeading(group, text, next, usual)) {
    return heading(levelOf(text, headings.sizes.length + 1, headings));
  }
  if (bullet.test(text)) return { kind: "list_item", text: text.replace(symbol, "• "), level: null, page };
  return { kind: numbered.test(text) ? "list_item" : "paragraph", text, level: null, page };
}

function levelOfSize(size: number, sizes: readonly number[]): number {
  return sizes.findIndex((entry) => entry / size <= 1.06) + 1 || sizes.length;
}

/** Numbers tell more than sizes do: 3.2.1 lies two deeper than 3. */
function levelOf(text: string, bySize: number, { numbered: chapters }: Headings): number {
  const depth = depthOf(text);
  if (depth === undefined) return bySize;
  return chapters === undefined ? bySize + depth : chapters + depth;
}

/** How deep its number says that a heading lies; undefined for one without a number. */
function depthOf(heading: string): number | undefined {
  const number = /^(?:(\d{1,3}|[A-Z])((?:\.\d+)*))\.?\s+\p{L}/u.exec(heading);
  // A single letter may be a word.
  if (number === null || (number[2] === "" && !/\d/.test(number[1]!))) return undefined;
  return number[2]!.split(".").length - 1;
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
    // Names of authors are set off as well.
    !/[.,;:!?]$|,.*,/.test(text)
  );
}

/** Whether the first line's font looks like that of headings above text in the second's. */
function isHeadingFont(line: Line, next: Line, usual: Usual): boolean {
  const share = usual.fonts.get(line.font) ?? 0;
  if (line.bold && !next.bold && !usual.bold && share < 0.25) return true;
  return share < 0.1 && share < (usual.fonts.get(next.font) ?? 0) / 2;
}

function textOf({ text, lines }: Group): string {
  return text ?? textOfLines(lines);
}
