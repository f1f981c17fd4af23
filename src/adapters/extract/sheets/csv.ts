/** CSV and TSV: records as rows of a table, whatever parts their fields. */
import { Readable } from "node:stream";
import { CsvError, type Options, parse } from "csv-parse";
import { decodeBytes } from "../charset.ts";
import { limitExceeded, limits, malformed } from "../limits.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import { createSheetWriter } from "./sheet-blocks.ts";

/** Enough lines to tell what parts the fields. */
const SAMPLE = 64 * 1024;
const PIECE = 256 * 1024;

export async function readCsv(input: ReaderInput) {
  const text = decodeBytes(input.bytes).replace(/\r\n?/g, "\n");
  const stated = /^sep=(.)\n/.exec(text);
  const body = stated === null ? text : text.slice(stated[0].length);
  const delimiter = stated?.[1] ?? delimiterOf(body.slice(0, SAMPLE));
  const first = stated === null ? 1 : 2;
  try {
    return await readRecords(input, body, first, { delimiter, quote: '"' });
  } catch (error) {
    // A quote that never closes is a sign for inches, or a slip: then quotes are letters like others.
    if (error instanceof CsvError && /QUOTE/.test(error.code)) {
      return await readRecords(input, body, first, { delimiter, quote: null });
    }
    throw error;
  }
}

async function readRecords(
  { bytes, filename, progress }: ReaderInput,
  text: string,
  first: number,
  options: Options,
) {
  const builder = createTextBuilder();
  const writer = createSheetWriter(builder, filename);
  const parser = parse({
    ...options,
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: false,
    max_record_size: limits.recordLength,
  });
  let number = first;
  const pieces = function* () {
    for (let at = 0; at < text.length; at += PIECE) {
      progress(Math.min(bytes.byteLength, at), bytes.byteLength);
      yield text.slice(at, at + PIECE);
    }
  };
  try {
    for await (const record of Readable.from(pieces()).pipe(parser)) {
      const cells = record as string[];
      if (cells.length > limits.columns) {
        throw limitExceeded(filename, `has more than ${limits.columns} columns in row ${number}`);
      }
      writer.row(number++, cells);
    }
  } catch (error) {
    throw recordError(filename, error);
  }
  writer.end();
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename);
}

function recordError(filename: string, error: unknown): unknown {
  if (!(error instanceof CsvError) || /QUOTE/.test(error.code)) return error;
  if (error.code === "CSV_MAX_RECORD_SIZE") {
    return limitExceeded(filename, `has a record of more than ${limits.recordLength} characters`);
  }
  return malformed(filename, `its records can't be told apart (${error.message})`, error);
}

/** The sign that parts most lines into the same number of fields. */
export function delimiterOf(sample: string): string {
  const lines = sample.split("\n").slice(0, 200);
  if (lines.length > 1) lines.pop(); // It may be cut off.
  let best = { sign: ",", score: 0 };
  for (const sign of [",", ";", "\t", "|", "^"]) {
    const counts = lines.filter((line) => line.trim() !== "").map((line) => countOutside(line, sign));
    const tally = new Map<number, number>();
    for (const count of counts) if (count > 0) tally.set(count, (tally.get(count) ?? 0) + 1);
    const most = Math.max(0, ...tally.values());
    const fields = [...tally].find(([, times]) => times === most)?.[0] ?? 0;
    // Agreement counts most; of two that agree, the one that makes more fields.
    const score = (most / Math.max(1, counts.length)) * 100 + Math.min(fields, 50);
    if (most > 0 && score > best.score) best = { sign, score };
  }
  return best.sign;
}

function countOutside(line: string, sign: string): number {
  let count = 0;
  let quoted = false;
  for (const letter of line) {
    if (letter === '"') quoted = !quoted;
    else if (letter === sign && !quoted) count++;
  }
  return count;
}
