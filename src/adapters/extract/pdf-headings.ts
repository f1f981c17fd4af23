/** Which of a PDF's groups are headings, and how deep they lie. Pure. */
import type { OutlineEntry } from "./pdf-document.ts";
import { type Group, HEADING_SIZE, textOf, type Usual } from "./pdf-groups.ts";
import type { Line } from "./pdf-lines.ts";

export const HEADING_LETTERS = 200;

/** What the headings so far looked like. Levels are the outline's own. */
export interface SeenHeadings {
  sizes: ReadonlySet<number>;
  /** Of the large ones that the outline names: by size, the least level. */
  bySize: ReadonlyMap<number, number>;
  /** An outline may hang from one entry that stands for the whole. Infinity while it has named none. */
  least: number;
  /** The first that is numbered with a single number. */
  chapter: { size: number; level: number | undefined } | undefined;
  /** How many tags named. */
  tagged: number;
}

export const noHeadings: SeenHeadings = {
  sizes: new Set(),
  bySize: new Map(),
  least: Number.POSITIVE_INFINITY,
  chapter: undefined,
  tagged: 0,
};

/** What the document's headings look like. */
export interface Headings {
  /** The sizes of headings, largest first. */
  sizes: number[];
  /** The level that the outline gives; undefined for a group that it doesn't name. */
  known(group: Group): number | undefined;
  /** By size, the level that most of the known ones have. */
  bySize(size: number): number | undefined;
  /** The level of headings numbered with a single number; those with more lie as much deeper. */
  numbered: number | undefined;
  /** Whether tags name headings: then what they do not name is none. */
  tagged: boolean;
}

/** What was seen, with further groups. @param known of `knownLevels` */
export function seeHeadings(
  seen: SeenHeadings,
  groups: readonly Group[],
  known: ReadonlyMap<Group, number>,
  usual: Usual,
): SeenHeadings {
  const sizes = new Set(seen.sizes);
  const bySize = new Map(seen.bySize);
  let { least, chapter, tagged } = seen;
  for (const group of groups) {
    const { size } = group.lines[0]!;
    const level = known.get(group);
    if (level !== undefined) {
      least = Math.min(least, level);
      if (size >= usual.size * HEADING_SIZE) {
        bySize.set(size, Math.min(level, bySize.get(size) ?? Number.POSITIVE_INFINITY));
      }
    }
    if (group.kind === "heading") tagged++;
    if (!isLargeHeading(group, usual)) continue;
    sizes.add(size);
    if (chapter === undefined && depthOf(textOf(group)) === 0) chapter = { size, level };
  }
  return { sizes, bySize, least, chapter, tagged };
}

export function headingsOf(seen: SeenHeadings, known: ReadonlyMap<Group, number>): Headings {
  const { least, chapter, tagged } = seen;
  const sorted = [...seen.sizes].sort((a, b) => b - a);
  // Sizes that differ by a hair mean the same.
  const sizes = sorted.filter((size, index) => index === 0 || sorted[index - 1]! / size > 1.06);
  const levelIn = (level: number | undefined) => level && Math.min(6, level - least + 1);
  return {
    sizes,
    known: (group) => levelIn(known.get(group)),
    bySize: (size) => levelIn(seen.bySize.get(size)),
    numbered: chapter && (levelIn(chapter.level) ?? levelOfSize(chapter.size, sizes)),
    tagged: tagged > 2,
  };
}

/** The groups that the outline names, with its levels. @param outline its entries, by page */
export function knownLevels(
  groups: readonly Group[],
  outline: ReadonlyMap<number | undefined, readonly OutlineEntry[]>,
): Map<Group, number> {
  const known = new Map<Group, number>();
  for (const [page, here] of Map.groupBy(groups, (group) => group.page)) {
    for (const { title, level } of outline.get(page) ?? []) {
      if (title.trim() === "") continue;
      const wanted = bare(title);
      const match = here.find(
        (group) =>
          (group.kind === "text" || group.kind === "heading") && !known.has(group) && isTitle(group, wanted),
      );
      if (match !== undefined) known.set(match, level);
    }
  }
  return known;
}

function isTitle(group: Group, wanted: string): boolean {
  const text = bare(textOf(group));
  return text === wanted || (text.length < wanted.length + 12 && wanted.length > 3 && text.endsWith(wanted));
}

/** Without spaces, case and signs: outlines and pages differ in these. */
function bare(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
}

export function isLargeHeading(group: Group, usual: Usual): boolean {
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

export function levelOfSize(size: number, sizes: readonly number[]): number {
  return sizes.findIndex((entry) => entry / size <= 1.06) + 1 || sizes.length;
}

/** Numbers tell more than sizes do: 3.2.1 lies two deeper than 3. */
export function levelOf(text: string, bySize: number, { numbered: chapters }: Headings): number {
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
export function isFontHeading(group: Group, text: string, next: Group | undefined, usual: Usual): boolean {
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
