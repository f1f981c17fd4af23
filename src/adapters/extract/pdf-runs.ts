/** The text of a PDF page as PDFium finds it: words with their places, in the order in which the page draws them. */
import { type Pdfium, readBytes, withMemory } from "./pdfium.ts";

/** A word, or a part of one where its font changes. */
export interface Run {
  text: string;
  /** Whether white space lies before it. */
  spaced: boolean;
  /**
   * Left and right end, and baseline from the top, in points of the page turned so that the run is level: everything
   * after can think of it as upright.
   */
  x: number;
  right: number;
  y: number;
  /** Font size in points. */
  size: number;
  font: string;
  bold: boolean;
  /** Which way it runs on the upright page, in quarter turns. Places can be compared among runs of one turn only. */
  turn: number;
  /** Its number in the page's structure; -1 for none. */
  mark: number;
}

export interface PageText {
  runs: Run[];
  characters: number;
  /** Of these, the ones that its fonts don't say the meaning of. */
  unknown: number;
}

/** What a text object, that is a piece of one font and size, has for all of its characters. */
interface Style {
  object: number;
  size: number;
  font: string;
  bold: boolean;
  mark: number;
  turn: number;
  /** Whether its font does not say which letters it draws. */
  unknown: boolean;
}

export interface FontNames {
  get(font: number): string | undefined;
  set(font: number, name: string): void;
}

/** Size and quarter turns of a page: what it takes to turn places on it upright. */
export interface Frame {
  left: number;
  bottom: number;
  right: number;
  top: number;
  /** Quarter turns clockwise. */
  rotation: number;
}

export function frameOf(pdfium: Pdfium, page: number): Frame {
  return withMemory(pdfium, 16, (at) => {
    pdfium._FPDF_GetPageBoundingBox(page, at);
    const [left, top, right, bottom] = pdfium.HEAPF32.subarray(at >> 2, (at >> 2) + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    return { left, top, right, bottom, rotation: pdfium._FPDFPage_GetRotation(page) };
  });
}

export function sizeOf({ left, right, top, bottom, rotation }: Frame): { width: number; height: number } {
  const [width, height] = [right - left, top - bottom];
  return rotation % 2 === 0 ? { width, height } : { width: height, height: width };
}

/** A rectangle of the page's own coordinates on the upright page, from its top left. */
export function upright(frame: Frame, left: number, bottom: number, right: number, top: number) {
  switch (frame.rotation) {
    case 1:
      return {
        x: bottom - frame.bottom,
        right: top - frame.bottom,
        y: left - frame.left,
        down: right - frame.left,
      };
    case 2:
      return {
        x: frame.right - right,
        right: frame.right - left,
        y: bottom - frame.bottom,
        down: top - frame.bottom,
      };
    case 3:
      return {
        x: frame.top - top,
        right: frame.top - bottom,
        y: frame.right - right,
        down: frame.right - left,
      };
    default:
      return {
        x: left - frame.left,
        right: right - frame.left,
        y: frame.top - top,
        down: frame.top - bottom,
      };
  }
}

const HYPHEN = 2;
/** Where TeX's fonts have letters drawn as one, if the document does not say what they are (OT1 and T1 encodings). */
const ligatures = new Map(
  ["ff", "fi", "fl", "ffi", "ffl"].flatMap((letters, index): [number, string][] => [
    [0x0b + index, letters],
    [0x1b + index, letters],
  ]),
);
/** Gaps in ems: of a space, where PDFium sees one; and wider than any within a word. */
const SPACE_GAP = 0.13;
const WORD_GAP = 0.8;

export function readRuns(pdfium: Pdfium, page: number, frame: Frame, fonts: FontNames): PageText {
  const text = pdfium._FPDFText_LoadPage(page);
  if (text === 0) return { runs: [], characters: 0, unknown: 0 };
  try {
    return withMemory(pdfium, 64, (at) => collect(pdfium, text, at, frame, fonts));
  } finally {
    pdfium._FPDFText_ClosePage(text);
  }
}

function collect(pdfium: Pdfium, text: number, at: number, frame: Frame, fonts: FontNames): PageText {
  const { _FPDFText_GetUnicode: unicodeOf, _FPDFText_GetTextObject: objectOf } = pdfium;
  const { _FPDFText_GetLooseCharBox: boxOf } = pdfium;
  let floats = pdfium.HEAPF32;
  const runs: Run[] = [];
  const count = Math.max(0, pdfium._FPDFText_CountChars(text));
  let style: Style | undefined;
  let run: Run | undefined;
  let spaced = true;
  // PDFium puts spaces where it sees gaps, before raised numbers and around brackets too: the gap's width decides.
  let maybe = false;
  let before: [x: number, right: number] = [0, 0];
  let characters = 0;
  let unknown = 0;
  for (let index = 0; index < count; index++) {
    const code = unicodeOf(text, index);
    const ligature =
      code < 0x20 && pdfium._FPDFText_IsGenerated(text, index) === 0 ? ligatures.get(code) : undefined;
    if (ligature !== undefined) {
      // A letter like any other.
    } else if (code === 0x20 || code === 0xa0 || (code >= 9 && code <= 13) || code === 0x3000) {
      if (code === 0x20 && pdfium._FPDFText_IsGenerated(text, index) === 1) maybe = true;
      else spaced = true;
      continue;
    }
    const object = objectOf(text, index);
    if (style?.object !== object) {
      style = styleOf(pdfium, text, index, object, at, frame, fonts);
      run = undefined;
    }
    characters++;
    // The font draws something and does not say what.
    if (style.unknown || code === 0 || code === 0xfffd || (code >= 0xe000 && code <= 0xf8ff)) unknown++;
    // Fails for characters outside the page, whose place nobody sees.
    if (boxOf(text, index, at) === 0) continue;
    // Memory that has grown has left this view.
    if (floats.length === 0) floats = pdfium.HEAPF32;
    if (isOutside(frame, floats, at >> 2)) continue;
    const [x, right] = along(frame, style.turn, floats, at >> 2);
    const character = ligature ?? (code === HYPHEN ? "-" : String.fromCodePoint(code));
    const last = runs.at(-1);
    // Letters drawn as one share their place.
    const isSame = x === before[0] && right === before[1];
    const gap = last === undefined || isSame ? 0 : Math.abs(x - last.right);
    before = [x, right];
    if (code === 0) {
      // Nothing to read, and no gap either.
      if (last !== undefined && !spaced && gap < WORD_GAP * style.size)
        last.right = Math.max(last.right, right);
      continue;
    }
    const isSpaced = spaced || (maybe && gap > SPACE_GAP * style.size);
    // Letters of one word may be drawn far apart; cells of a table are often drawn as one piece with gaps.
    if (run === undefined || isSpaced || gap > WORD_GAP * style.size) {
      pdfium._FPDFText_GetCharOrigin(text, index, at + 16, at + 24);
      const origin = (at + 16) >> 3;
      run = {
        text: character,
        spaced: isSpaced,
        x,
        right,
        y: across(frame, style.turn, pdfium.HEAPF64[origin]!, pdfium.HEAPF64[origin + 1]!),
        size: style.size,
        font: style.font,
        bold: style.bold,
        turn: style.turn,
        mark: style.mark,
      };
      runs.push(run);
      spaced = false;
    } else {
      run.text += character;
      run.x = Math.min(run.x, x);
      run.right = Math.max(run.right, right);
    }
    maybe = false;
  }
  return { runs, characters, unknown };
}

function styleOf(
  pdfium: Pdfium,
  text: number,
  index: number,
  object: number,
  at: number,
  frame: Frame,
  fonts: FontNames,
): Style {
  pdfium._FPDFText_GetMatrix(text, index, at);
  const [a, b, c, d] = pdfium.HEAPF32.subarray(at >> 2, (at >> 2) + 4) as unknown as [
    number,
    number,
    number,
    number,
  ];
  const scale = Math.hypot(c, d) || Math.hypot(a, b) || 1;
  const quarter = Math.round(Math.atan2(-b, a) / (Math.PI / 2)) + frame.rotation;
  return {
    object,
    size: Math.round(Math.abs(pdfium._FPDFText_GetFontSize(text, index)) * scale * 2) / 2 || 1,
    font: object === 0 ? "" : fontName(pdfium, object, fonts),
    bold: pdfium._FPDFText_GetFontWeight(text, index) >= 600,
    mark: object === 0 ? -1 : pdfium._FPDFPageObj_GetMarkedContentID(object),
    turn: ((quarter % 4) + 4) % 4,
    unknown: pdfium._FPDFText_HasUnicodeMapError(text, index) === 1,
  };
}

function fontName(pdfium: Pdfium, object: number, fonts: FontNames): string {
  const font = pdfium._FPDFTextObj_GetFont(object);
  const known = fonts.get(font);
  if (known !== undefined) return known;
  const name = readBytes(pdfium, (buffer, bytes) => pdfium._FPDFFont_GetBaseFontName(font, buffer, bytes));
  fonts.set(font, name);
  return name;
}

/** What lies beyond the page's edge is not seen: halves of a spread have the other half there. */
function isOutside({ left, right, bottom, top }: Frame, floats: Float32Array, at: number): boolean {
  const x = (floats[at]! + floats[at + 2]!) / 2;
  const y = (floats[at + 1]! + floats[at + 3]!) / 2;
  return x < left || x > right || y < bottom || y > top;
}

/** Left and right end of a box (left, top, right, bottom) in the direction of the text. */
function along(frame: Frame, turn: number, floats: Float32Array, at: number): [number, number] {
  // Nearly all text there is: this runs once for each character.
  if (turn === 0 && frame.rotation === 0) return [floats[at]! - frame.left, floats[at + 2]! - frame.left];
  const box = upright(frame, floats[at]!, floats[at + 3]!, floats[at + 2]!, floats[at + 1]!);
  if (turn === 1) return [box.y, box.down];
  if (turn === 2) return [-box.right, -box.x];
  if (turn === 3) return [-box.down, -box.y];
  return [box.x, box.right];
}

/** How far down a point lies, as text of this turn sees it. */
function across(frame: Frame, turn: number, x: number, y: number): number {
  const point = upright(frame, x, y, x, y);
  if (turn === 1) return -point.x;
  if (turn === 2) return -point.y;
  if (turn === 3) return point.x;
  return point.y;
}
