/** Records of a CSV file: fields parted by a sign, some of them in quotes. */

export interface RecordFormat {
  /** One letter. */
  delimiter: string;
  /** Whether quotes hold fields together; otherwise they are letters like others. */
  quotes: boolean;
  /** UTF-16 code units of a record, and of a field in quotes. */
  longest: number;
}

/** A record that exceeds `longest`, or a quote that opens a field and never closes. */
export class RecordError extends Error {
  readonly reason: "too_long" | "open_quote";
  /** The record, counted from 1. */
  readonly record: number;

  constructor(reason: "too_long" | "open_quote", record: number) {
    super(`record ${record}: ${reason}`);
    this.reason = reason;
    this.record = record;
  }
}

const LINE_FEED = 10;
const QUOTE = '"';

/**
 * Records in the order of the file, some at a time. A quote holds a field together where it opens it and where a
 * delimiter or a line end follows the one that closes it; elsewhere it is a letter. Written here since a library makes an error
 * with a stack for every record that is longer or shorter than the first, and such files took minutes.
 *
 * @param pieces text with "\n" as its line end, cut anywhere
 * @throws RecordError
 */
export async function* csvRecords(
  pieces: AsyncIterable<string>,
  format: RecordFormat,
): AsyncGenerator<string[][]> {
  let open = "";
  let count = 0;

  /** Takes the whole records from the text, and leaves the rest of it open. */
  function take(text: string, isLast: boolean): string[][] {
    const records: string[][] = [];
    let at = 0;
    while (at < text.length) {
      const cells: string[] = [];
      const end = readRecord(text, at, isLast, format, cells);
      const isOpen = end === undefined || end === OPEN_QUOTE;
      if ((isOpen ? text.length : end) - at > format.longest) throw new RecordError("too_long", count + 1);
      if (end === OPEN_QUOTE && isLast) throw new RecordError("open_quote", count + 1);
      if (isOpen) break;
      records.push(cells);
      count++;
      at = end;
    }
    open = text.slice(at);
    return records;
  }

  for await (const piece of pieces) yield take(open + piece, false);
  yield take(open, true);
}

const OPEN_QUOTE = -1;

/** @returns where the next record begins; undefined, or OPEN_QUOTE inside a quoted field, where this one may go on */
function readRecord(
  text: string,
  from: number,
  isLast: boolean,
  { delimiter, quotes }: RecordFormat,
  cells: string[],
): number | undefined {
  const sign = delimiter.charCodeAt(0);
  let at = from;
  for (;;) {
    let end = at;
    let quoted: string | undefined;
    if (quotes && text[at] === QUOTE) {
      const close = closingQuote(text, at + 1);
      if (close === -1) return OPEN_QUOTE;
      end = close + 1;
      if (end === text.length && !isLast) return undefined;
      const next = text.charCodeAt(end);
      if (end === text.length || next === sign || next === LINE_FEED) {
        quoted = text.slice(at + 1, close).replaceAll('""', QUOTE);
      }
    }
    if (quoted === undefined) {
      for (; end < text.length; end++) {
        const code = text.charCodeAt(end);
        if (code === sign || code === LINE_FEED) break;
      }
    }
    if (end === text.length && !isLast) return undefined;
    cells.push(quoted ?? text.slice(at, end));
    if (end === text.length) return end;
    at = end + 1;
    if (text.charCodeAt(end) === LINE_FEED) return at;
  }
}

/** Of two quotes in a row, neither closes. */
function closingQuote(text: string, from: number): number {
  let close = text.indexOf(QUOTE, from);
  while (close !== -1 && text[close + 1] === QUOTE) close = text.indexOf(QUOTE, close + 2);
  return close;
}
