/** Which pages of a PDF have to be read as pictures, and whether what came out is better than what was there. Pure. */
import type { PdfPage } from "./pdf-document.ts";
import type { Run } from "./pdf-runs.ts";

/** Pictures that take so much of a page may be the page. */
const SCAN_SHARE = 0.4;
/** As finely as letters of eight points need. */
const USUAL_RESOLUTION = 250;
const HIGHEST_RESOLUTION = 300;
const COARSE = 150;
/** Fewer letters on a page that a picture fills are a stamp or a caption. */
const FEW_LETTERS = 100;
/** Of a text layer that its fonts, or an earlier reading, made useless. */
const UNKNOWN_SHARE = 0.3;
const LEGIBLE_SHARE = 0.3;
const ODD_SHARE = 0.035;
/** So many drawn lines without a letter are letters drawn as lines. */
const MANY_OBJECTS = 30;

export function needsOcr({ runs, characters, unknown, pictures, objects }: PdfPage): boolean {
  const letters = lettersOf(runs);
  if (characters === 0) return pictures.share > 0.01 || objects > MANY_OBJECTS;
  const legible = count(runs, /[\p{L}\p{N}]/gu);
  // Dots lead to the page numbers of a table of contents.
  const others = characters - count(runs, /\./g);
  if (unknown > characters * UNKNOWN_SHARE || legible < others * LEGIBLE_SHARE) return true;
  return pictures.share > SCAN_SHARE && (letters < FEW_LETTERS || oddShare(runs) > ODD_SHARE);
}

/** Pixels an inch at which to draw a page: as many as its picture has, twice as many where those are few. */
export function resolutionFor({ pictures: { share, resolution } }: PdfPage): number {
  if (share < SCAN_SHARE || resolution === 0) return USUAL_RESOLUTION;
  return Math.max(72, Math.min(HIGHEST_RESOLUTION, resolution < COARSE ? 2 * resolution : resolution));
}

/** Whether what OCR read should take the place of the page's own text. */
export function isBetter(read: readonly Run[], page: PdfPage): boolean {
  const [found, there] = [lettersOf(read), lettersOf(page.runs)];
  if (page.unknown > page.characters * UNKNOWN_SHARE) return found > there * 0.2;
  // The same picture again, with less nonsense in it.
  if (there >= FEW_LETTERS) return found > there * 0.6 && oddShare(read) < oddShare(page.runs) * 0.7;
  return found > 2 * there + 20 || (there < 5 && found > there);
}

function lettersOf(runs: readonly Run[]): number {
  return count(runs, /\p{L}/gu);
}

function count(runs: readonly Run[], characters: RegExp): number {
  return runs.reduce((sum, { text }) => sum + (text.match(characters)?.length ?? 0), 0);
}

/** The share of words that look like none: letters and signs or digits mixed. */
export function oddShare(runs: readonly Run[]): number {
  const words = runs
    .map(({ text }) => text.replace(/^[\p{P}\p{S}]+|[\p{P}\p{S}]+$/gu, ""))
    .filter((text) => text.length > 1);
  const odd = words.filter(
    (word) =>
      /\p{L}/u.test(word) &&
      (/[^\p{L}\p{M}\p{N}'’\-–/.@:&_+,()]/u.test(word) ||
        /\p{Ll}\p{Lu}{2}|\p{L}\d\p{L}|\p{L}&\p{Ll}|\p{Co}/u.test(word)),
  );
  return words.length === 0 ? 0 : odd.length / words.length;
}
