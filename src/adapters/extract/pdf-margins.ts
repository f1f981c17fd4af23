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

/** On how many pages something was seen, and on which last. */
interface Seen {
  pages: number;
  last: number;
}

interface HeldPage {
  letters: number;
  candidates: Candidate[];
}

/** Of lines that stood at one place on too few pages, so many are remembered: some hundred pages' edges. */
const MOST_REMEMBERED = 20_000;

/** Judges by all pages that it was given, and holds no more of them than it has to. */
export interface Margins {
  /** Pages come in their order. */
  add(page: MarginPage): void;
  /**
   * The lines that are no part of the text, on the pages that are held.
   *
   * @param usualSize of the text, in points
   */
  running(usualSize: number): Set<Line>;
  /** Lets go of so many pages from the beginning of what is held; what ran along their edges is remembered. */
  drop(pages: number): void;
}

/** @param total how many pages the document has */
export function createMargins(total: number): Margins {
  // Two pages with the same header are enough where there are no more.
  const enough = Math.min(3, Math.max(2, total));
  const places = new Map<string, Seen>();
  /** Of numbers that count with the pages: how far they are ahead. */
  const offsets = new Map<number, Seen>();
  /** Letters of the pages that are held no longer. */
  const gone = { letters: 0, running: 0 };
  let held: HeldPage[] = [];
  let added = 0;
  /** Of the held pages, when they were last looked at. */
  let found = new Set<Line>();

  function isNumber({ line, page, outermost, isolated }: Candidate): boolean {
    if (!outermost) return false;
    const value = pageNumberOf(line.text);
    if (value === undefined) return false;
    const { pages } = offsets.get(value - page)!;
    const isAlone = pageNumber.test(line.text);
    return pages >= (isAlone ? 2 : 3) || (isAlone && isolated && total < 3);
  }

  return {
    add(page) {
      const candidates = candidatesOf(page, added);
      for (const { line, outermost } of candidates) {
        for (const place of placesOf(line)) see(places, place, added);
        const value = outermost ? pageNumberOf(line.text) : undefined;
        if (value !== undefined) see(offsets, value - added, added);
      }
      held.push({ letters: lettersOf(page.lines), candidates });
      added++;
    },
    running(usualSize) {
      found = new Set();
      for (const candidate of held.flatMap(({ candidates }) => candidates)) {
        const { line } = candidate;
        const isRepeated =
          line.size < usualSize * HEADING_SIZE &&
          placesOf(line).some((place) => (places.get(place)?.pages ?? 0) >= enough);
        if (isRepeated || isNumber(candidate)) found.add(line);
      }
      // Copies of one page are no pages with headers.
      const all = gone.letters + held.reduce((sum, { letters }) => sum + letters, 0);
      return gone.running + lettersOf(found) > (all * 2) / 3 ? new Set() : found;
    },
    drop(pages) {
      for (const { letters, candidates } of held.slice(0, pages)) {
        gone.letters += letters;
        gone.running += lettersOf(candidates.map(({ line }) => line).filter((line) => found.has(line)));
      }
      held = held.slice(pages);
      const first = added - held.length;
      for (const [place, seen] of places) {
        if (places.size <= MOST_REMEMBERED) break;
        if (seen.pages < enough && seen.last < first) places.delete(place);
      }
    },
  };
}

/** To the letter: what differs in its numbers only, as bills do, says something on every page. */
function placesOf({ text, y }: Line): [string, string] {
  const wording = text.toLowerCase();
  const place = Math.floor(y / SAME_PLACE);
  return [`${place} ${wording}`, `${place + 1} ${wording}`];
}

function see<K>(map: Map<K, Seen>, key: K, page: number): void {
  const seen = map.get(key);
  if (seen === undefined) map.set(key, { pages: 1, last: page });
  else if (seen.last !== page) {
    seen.pages++;
    seen.last = page;
  }
}

function lettersOf(lines: Iterable<Line>): number {
  let letters = 0;
  for (const { text } of lines) letters += text.length;
  return letters;
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
