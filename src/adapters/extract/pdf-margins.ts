/** Finds what runs along the edges of a document's pages: headers, footers and page numbers. Pure. */
import type { Line } from "./pdf-lines.ts";

export interface MarginPage {
  lines: Line[];
  /** In points, upright. */
  height: number;
}

/** How much of a page's height may be header, and how much footer. */
const BAND = 0.18;
/** Places on different pages are the same within so many points. */
const SAME_PLACE = 4;
/** Larger letters than the text's are a heading, on however many pages it stands. */
const HEADING_SIZE = 1.15;

interface Candidate {
  line: Line;
  page: number;
  /** The furthest out on its page, or beside the one that is. */
  outermost: boolean;
  isolated: boolean;
}

const number = String.raw`(\d{1,4}|[ivxlc]{1,7})`;
const pageNumber = new RegExp(
  String.raw`^[\s\-–—|·]*(?:page|p\.|seite|pagina|página|s\.)?\s*${number}(?:\s*(?:of|\/|von|de|di|sur)\s*\d{1,4})?[\s\-–—|·.]*$`,
  "i",
);
const leading = /^(\d{1,4})[\s|·•–—-]+\S/;
const trailing = /\S[\s|·•–—-]+(\d{1,4})$/;

/** The lines that are no part of the text. */
export function runningLines(pages: readonly MarginPage[], usualSize: number): Set<Line> {
  const candidates = pages.flatMap((page, index) => candidatesOf(page, index));
  const found = new Set<Line>();
  // Two pages with the same header are enough where there are no more.
  const enough = Math.min(3, Math.max(2, pages.length));

  const places = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const { line } = candidate;
    // To the letter: what differs in its numbers only, as bills do, says something on every page.
    const wording = line.text.toLowerCase();
    for (const place of [Math.floor(line.y / SAME_PLACE), Math.floor(line.y / SAME_PLACE) + 1]) {
      push(places, `${place} ${wording}`, candidate);
    }
  }
  for (const same of places.values()) {
    if (new Set(same.map(({ page }) => page)).size < enough) continue;
    for (const { line } of same) if (line.size < usualSize * HEADING_SIZE) found.add(line);
  }

  // Numbers that count with the pages.
  const offsets = new Map<number, Candidate[]>();
  for (const candidate of candidates) {
    if (!candidate.outermost) continue;
    const value = pageNumberOf(candidate.line.text);
    if (value !== undefined) push(offsets, value - candidate.page, candidate);
  }
  for (const same of offsets.values()) {
    const counts = new Set(same.map(({ page }) => page)).size;
    for (const { line, isolated } of same) {
      const isAlone = pageNumber.test(line.text);
      if (counts >= (isAlone ? 2 : 3) || (isAlone && isolated && pages.length < 3)) found.add(line);
    }
  }
  // Copies of one page are no pages with headers.
  const all = lettersOf(pages.flatMap(({ lines }) => lines));
  return lettersOf([...found]) > (all * 2) / 3 ? new Set() : found;
}

function lettersOf(lines: readonly Line[]): number {
  return lines.reduce((sum, { text }) => sum + text.length, 0);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function candidatesOf({ lines, height }: MarginPage, page: number): Candidate[] {
  const level = lines.filter(({ turn }) => turn === 0);
  const ys = level.map(({ y }) => y);
  const [first, last] = [Math.min(...ys), Math.max(...ys)];
  const candidates: Candidate[] = [];
  for (const line of level) {
    const isTop = line.y < height * BAND;
    if (!isTop && line.y < height * (1 - BAND)) continue;
    const edge = isTop ? first : last;
    // The nearest line further in.
    const next = ys.filter((y) => (isTop ? y > line.y + 2 : y < line.y - 2));
    const distance = Math.abs(line.y - (isTop ? Math.min(...next) : Math.max(...next)));
    candidates.push({
      line,
      page,
      outermost: Math.abs(line.y - edge) < 1.5 * line.size,
      isolated: distance > 1.8 * line.size,
    });
  }
  return candidates;
}

/** The page number that a line gives. */
function pageNumberOf(text: string): number | undefined {
  const alone = pageNumber.exec(text)?.[1];
  if (alone !== undefined) return /\d/.test(alone) ? Number(alone) : romanOf(alone.toLowerCase());
  if (text.length > 90) return undefined;
  const beside = leading.exec(text)?.[1] ?? trailing.exec(text)?.[1];
  return beside === undefined ? undefined : Number(beside);
}

function romanOf(numeral: string): number | undefined {
  const values: Record<string, number> = { i: 1, v: 5, x: 10, l: 50, c: 100 };
  const digits = [...numeral].map((letter) => values[letter]!);
  const value = digits.reduce(
    (sum, digit, index) => sum + (digit < (digits[index + 1] ?? 0) ? -digit : digit),
    0,
  );
  return value > 0 ? value : undefined;
}
