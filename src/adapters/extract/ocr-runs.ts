/** Words that were read out of a picture, as if they stood on a page: see pdf-runs.ts. Pure. */
import type { OcrLine, OcrResult } from "./ocr-thread.ts";
import type { Run } from "./pdf-runs.ts";

export interface ReadPage {
  runs: Run[];
  /** In points. */
  width: number;
  height: number;
}

/** Lines that were read with less certainty than this are mostly what a photograph looks like. */
const CERTAIN_LINE = 45;
const CERTAIN_WORD = 15;
const CERTAIN_SIGN = 70;
/** Heights of rows are measured: so little more or less is the same size. */
const SAME_SIZE = 0.3;
/** From the height of a row, from its lowest to its highest letters, to the size of its font. */
const SIZE = 1.1;

/** @param resolution pixels an inch */
export function runsOfPicture({ lines, width, height }: OcrResult, resolution: number): ReadPage {
  const points = 72 / resolution;
  const kept = lines.map(legible).filter((line) => line !== undefined);
  const usual = usualHeight(kept);
  const runs = kept.flatMap((line): Run[] => {
    const isUsual = Math.abs(line.height / usual - 1) <= SAME_SIZE;
    const size = Math.max(1, Math.round((isUsual ? usual : line.height) * points * SIZE * 2) / 2);
    return line.words.map(({ text, x, right }) => ({
      text,
      spaced: true,
      x: x * points,
      right: right * points,
      y: line.y * points,
      size,
      font: "",
      bold: false,
      turn: 0,
      mark: -1,
    }));
  });
  return { runs, width: width * points, height: height * points };
}

/** The line without what is no letter; undefined where nothing is left. */
function legible(line: OcrLine): OcrLine | undefined {
  const letters = line.words.reduce((sum, { text }) => sum + text.length, 0);
  const certainty =
    line.words.reduce((sum, { text, confidence }) => sum + confidence * text.length, 0) / letters;
  if (line.tall || !(certainty >= CERTAIN_LINE)) return undefined;
  // Rules, edges and spots come out as bars, dashes and signs.
  const words = line.words.filter(
    ({ text, confidence }) =>
      confidence >= (/[\p{L}\p{N}]/u.test(text) ? CERTAIN_WORD : CERTAIN_SIGN) && !/^[|_\-—–~=]+$/.test(text),
  );
  return words.some(({ text }) => /[\p{L}\p{N}]/u.test(text)) ? { ...line, words } : undefined;
}

/** The height of the row in the middle, counted by letters. */
function usualHeight(lines: readonly OcrLine[]): number {
  const counted = lines
    .map(({ height, words }) => ({ height, letters: words.reduce((sum, { text }) => sum + text.length, 0) }))
    .sort((a, b) => a.height - b.height);
  const half = counted.reduce((sum, { letters }) => sum + letters, 0) / 2;
  let passed = 0;
  return (
    counted.find(({ letters }) => {
      passed += letters;
      return passed >= half;
    })?.height ?? 1
  );
}
