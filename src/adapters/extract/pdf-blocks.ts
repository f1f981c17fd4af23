/** From the groups of a PDF's pages to headings, paragraphs, list items and tables. Pure. */
import type { Block } from "../../chunk.ts";
import type { OutlineEntry } from "./pdf-document.ts";
import {
  bullet,
  count,
  type Group,
  groupsOf,
  noCounts,
  numbered,
  symbol,
  textOf,
  type Usual,
  usualIn,
} from "./pdf-groups.ts";
import {
  HEADING_LETTERS,
  type Headings,
  headingsOf,
  isFontHeading,
  isLargeHeading,
  knownLevels,
  levelOf,
  levelOfSize,
  noHeadings,
  seeHeadings,
} from "./pdf-headings.ts";
import { type Line, textOfLines } from "./pdf-lines.ts";
import { createMargins } from "./pdf-margins.ts";
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

/** Documents of up to so many pages are judged as a whole. */
const AT_ONCE = 200;
/** Of longer ones, so many pages are settled at a time, */
const SETTLED = 64;
/** and so many that follow are looked at for it. */
const AHEAD = 64;
/** Distances between lines that are remembered of the pages before. */
const MOST_LEADINGS = 20_000;

export interface PageBlocks {
  /** Takes the next page; returns the blocks of the pages that are settled now, if any. */
  add(page: PageContent): PdfBlock[];
  /** The blocks of the pages that are left. */
  end(): PdfBlock[];
}

/**
 * Makes blocks of pages that come one after another. What is usual, what runs along the edges and what headings look
 * like is judged by all pages so far and some that follow; only these are held.
 *
 * @param total how many pages there are
 */
export function createPageBlocks(total: number, outline: readonly OutlineEntry[] = []): PageBlocks {
  const byPage = Map.groupBy(outline, ({ page }) => page);
  const margins = createMargins(total);
  /** Of every line so far, and of the lines on settled pages that are text. */
  const counts = { all: noCounts(), settled: noCounts() };
  let seen = noHeadings;
  let held: PageContent[] = [];
  let gone = 0;

  function settle(pages: number): PdfBlock[] {
    const running = margins.running(usualIn(counts.all).size);
    const kept = held.map(({ lines }) => lines.filter((line) => !running.has(line)));
    const counted = structuredClone(counts.settled);
    for (const lines of kept) count(counted, lines);
    const usual = usualIn(counted);
    const groups = held.map((page, index) =>
      page.parts === undefined
        ? groupsOf(kept[index]!, gone + index + 1, usual)
        : groupsOfParts(page.parts, gone + index + 1, running),
    );
    const known = knownLevels(groups.flat(), byPage);
    const headings = headingsOf(seeHeadings(seen, groups.flat(), known, usual), known);
    const blocks = groups
      .slice(0, pages)
      .flatMap((here, index) => [
        ...here.map((group, at) => blockOf(group, here[at + 1], usual, headings)),
        ...held[index]!.comments.map((text) => noteOf(text, gone + index + 1)),
      ]);
    seen = seeHeadings(seen, groups.slice(0, pages).flat(), known, usual);
    for (const lines of kept.slice(0, pages)) count(counts.settled, lines);
    for (const { leadings } of Object.values(counts)) leadings.splice(MOST_LEADINGS);
    margins.drop(pages);
    held = held.slice(pages);
    gone += pages;
    return blocks;
  }

  return {
    add(page) {
      held.push(page);
      margins.add(page);
      count(counts.all, page.lines);
      return total > AT_ONCE && held.length >= SETTLED + AHEAD ? settle(SETTLED) : [];
    },
    end: () => settle(held.length),
  };
}

/** The blocks of pages that are there already. */
export function blocksOfPages(pages: readonly PageContent[]): PdfBlock[] {
  const blocks = createPageBlocks(pages.length);
  return [...pages.flatMap((page) => blocks.add(page)), ...blocks.end()];
}

function noteOf(text: string, page: number): PdfBlock {
  return { kind: "note", text, level: null, page };
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

function blockOf(group: Group, next: Group | undefined, usual: Usual, headings: Headings): PdfBlock {
  const text = textOf(group);
  const { page, kind } = group;
  const known = headings.known(group);
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
    return heading(headings.bySize(size) ?? levelOf(text, levelOfSize(size, headings.sizes), headings));
  }
  if (!headings.tagged && isFontHeading(group, text, next, usual)) {
    return heading(levelOf(text, headings.sizes.length + 1, headings));
  }
  if (bullet.test(text)) return { kind: "list_item", text: text.replace(symbol, "• "), level: null, page };
  return { kind: numbered.test(text) ? "list_item" : "paragraph", text, level: null, page };
}
