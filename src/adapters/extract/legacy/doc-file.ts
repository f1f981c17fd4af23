/** The parts of a DOC file ([MS-DOC]): its text in order, and what its paragraphs are. Numbers in hexadecimal are places in the FIB. */
import iconv from "iconv-lite";
import { findLast, sprmsIn } from "./doc-tables.ts";

export interface DocFile {
  /** All text, the body first; `lengths` tells the parts. */
  text: string;
  lengths: {
    body: number;
    footnotes: number;
    heads: number;
    comments: number;
    endnotes: number;
    boxes: number;
  };
  /** Places of notes' and comments' marks in the body, and of their texts in their part. */
  notes: Record<"footnote" | "comment" | "endnote", { marks: number[]; texts: number[] }>;
  /** What the paragraph is that ends at this place in the text. */
  paragraphAt(end: number): DocParagraph;
}

export interface DocParagraph {
  heading: number | undefined;
  /** Depth in a list, from 0; undefined outside of lists. */
  list: number | undefined;
  inTable: boolean;
  /** The mark that ends a row, not a cell. */
  endsRow: boolean;
}

interface Piece {
  start: number;
  end: number;
  /** Of its bytes in the main stream. */
  offset: number;
  wide: boolean;
}

const plain: DocParagraph = { heading: undefined, list: undefined, inTable: false, endsRow: false };

/** @throws RangeError where the tables lead out of the file */
export function parseDoc(main: Buffer, table: Buffer): DocFile {
  const number = (at: number) => main.readUInt32LE(at);
  const part = (at: number) => {
    const start = number(at);
    const end = start + number(at + 4);
    if (end > table.length) throw new RangeError("a table lies outside of the file");
    return table.subarray(start, end);
  };
  const lengths = {
    body: number(0x4c),
    footnotes: number(0x50),
    heads: number(0x54),
    comments: number(0x5c),
    endnotes: number(0x60),
    boxes: number(0x64),
  };
  const pieces = piecesIn(part(0x1a2));
  const text = pieces
    .map(({ start, end, offset, wide }) => {
      const bytes = main.subarray(offset, offset + (end - start) * (wide ? 2 : 1));
      const words = iconv.decode(bytes, wide ? "utf-16le" : "windows-1252", { stripBOM: false });
      // Places are counted in letters: what a damaged file lacks must not move the rest.
      return words.padEnd(end - start, "\0");
    })
    .join("");
  const styles = stylesIn(part(0xa2));
  const runs = paragraphRuns(main, part(0x102));
  const marks = (at: number, extra: number) => placesIn(part(at), extra);
  return {
    text,
    lengths,
    notes: {
      footnote: { marks: marks(0xaa, 2), texts: marks(0xb2, 0) },
      comment: { marks: marks(0xba, 30), texts: marks(0xc2, 0) },
      endnote: { marks: marks(0x20a, 2), texts: marks(0x212, 0) },
    },
    paragraphAt(end) {
      const piece = findLast(pieces, end, ({ start }) => start);
      if (piece === undefined || end >= piece.end) return plain;
      const place = piece.offset + (end - piece.start) * (piece.wide ? 2 : 1);
      const run = findLast(runs, place, ({ start }) => start);
      return run === undefined || place >= run.end ? plain : paragraphOf(main, run.papx, styles);
    },
  };
}

/** The pieces that the text is put together from (2.4.1): what was edited last lies at the end of the file. */
function piecesIn(clx: Buffer): Piece[] {
  let at = 0;
  // Formatting of fast saves comes first.
  while (clx[at] === 1) at += 3 + clx.readUInt16LE(at + 1);
  if (clx[at] !== 2) throw new RangeError("no piece table");
  const size = clx.readUInt32LE(at + 1);
  const plc = clx.subarray(at + 5, at + 5 + size);
  const count = Math.floor((plc.length - 4) / 12);
  const pieces: Piece[] = [];
  for (let index = 0; index < count; index++) {
    const start = plc.readUInt32LE(index * 4);
    const end = plc.readUInt32LE(index * 4 + 4);
    const place = plc.readUInt32LE((count + 1) * 4 + index * 8 + 2);
    const wide = (place & 0x40000000) === 0;
    const offset = wide ? place & 0x3fffffff : (place & 0x3fffffff) >>> 1;
    if (end < start || end - start > 0x8000000) throw new RangeError("a piece ends before it begins");
    pieces.push({ start, end, offset, wide });
  }
  return pieces;
}

/** Heading levels of the styles, by their number (2.9.271): built-in ones are known by theirs, others by what they are based on. */
function stylesIn(sheet: Buffer): (number | undefined)[] {
  if (sheet.length < 4) return [];
  const styles: { kind: number; base: number }[] = [];
  for (let at = 2 + sheet.readUInt16LE(0); at + 2 <= sheet.length; ) {
    const size = sheet.readUInt16LE(at);
    if (size >= 4 && at + 6 <= sheet.length) {
      styles.push({ kind: sheet.readUInt16LE(at + 2) & 0xfff, base: sheet.readUInt16LE(at + 4) >> 4 });
    } else styles.push({ kind: 0xfff, base: 0xfff });
    at += 2 + size + (size % 2);
  }
  const TITLE = 62;
  return styles.map((style) => {
    let next: { kind: number; base: number } | undefined = style;
    for (let step = 0; next !== undefined && step < 12; step++) {
      if (next.kind >= 1 && next.kind <= 9) return next.kind;
      if (next.kind === TITLE) return 1;
      next = styles[next.base];
    }
    return undefined;
  });
}

interface Run {
  start: number;
  end: number;
  /** Where its properties lie in the main stream; 0 for none. */
  papx: number;
}

/** Paragraphs by where their text lies in the file: pages of 512 bytes, each with the paragraphs of one stretch (2.9.174). */
function paragraphRuns(main: Buffer, plc: Buffer): Run[] {
  const count = Math.floor((plc.length - 4) / 8);
  const runs: Run[] = [];
  for (let index = 0; index < count; index++) {
    const page = (plc.readUInt32LE((count + 1) * 4 + index * 4) & 0x3fffff) * 512;
    const entries = main.readUInt8(page + 511);
    for (let entry = 0; entry < entries; entry++) {
      const start = main.readUInt32LE(page + entry * 4);
      const end = main.readUInt32LE(page + entry * 4 + 4);
      const word = main.readUInt8(page + (entries + 1) * 4 + entry * 13);
      runs.push({ start, end, papx: word === 0 ? 0 : page + word * 2 });
    }
  }
  return runs.sort((a, b) => a.start - b.start);
}

function paragraphOf(main: Buffer, papx: number, styles: readonly (number | undefined)[]): DocParagraph {
  if (papx === 0 || papx + 4 > main.length) return plain;
  const short = main[papx]!;
  const from = short === 0 ? papx + 2 : papx + 1;
  const size = short === 0 ? main[papx + 1]! * 2 : short * 2 - 1;
  const properties = main.subarray(from, from + size);
  if (properties.length < 2) return plain;
  const paragraph: DocParagraph = { ...plain, heading: styles[properties.readUInt16LE(0)] };
  let level = 0;
  let list = 0;
  for (const { code, value } of sprmsIn(properties.subarray(2))) {
    if (code === 0x2416 || code === 0x6649) paragraph.inTable ||= value > 0;
    else if (code === 0x2417) paragraph.endsRow = value > 0;
    else if (code === 0x2640) paragraph.heading = value < 9 ? value + 1 : paragraph.heading;
    else if (code === 0x260a) level = value;
    else if (code === 0x460b) list = value;
  }
  if (list > 0 && list < 0x7fff) paragraph.list = Math.min(8, level);
  return paragraph;
}

/** Places in the text at the head of a table of entries of so many bytes. */
function placesIn(plc: Buffer, entry: number): number[] {
  if (plc.length < 4) return [];
  const count = Math.floor((plc.length - 4) / (4 + entry)) + 1;
  return Array.from({ length: Math.min(count, plc.length >> 2) }, (_, index) => plc.readUInt32LE(index * 4));
}
