/** CSV and TSV: records as rows of a table, whatever parts their fields. */
import { decodePieces, surveyText } from "../charset.ts";
import { countedPieces } from "../input.ts";
import { limitExceeded, limits } from "../limits.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import { csvRecords, RecordError } from "./csv-records.ts";
import { createSheetWriter } from "./sheet-blocks.ts";

/** Enough lines to tell what parts the fields. */
const SAMPLE = 64 * 1024;
/** Rows between two looks at whether anything can be handed over. */
const ROWS_TOGETHER = 100;

const statedDelimiter = /^sep=(.)\n/;

export async function readCsv(input: ReaderInput) {
  const { filename, progress, size_bytes } = input;
  const { charset } = await surveyText(input.pieces);
  const text = async function* (bytes: AsyncIterable<Uint8Array>) {
    let isFirst = true;
    for await (const piece of decodePieces(bytes, charset)) {
      const lines = piece.replace(/\r\n?/g, "\n");
      yield isFirst ? lines.replace(statedDelimiter, "") : lines;
      isFirst = false;
    }
  };
  const head = await headOf(decodePieces(input.pieces(), charset));
  const stated = statedDelimiter.exec(head);
  const delimiter = stated?.[1] ?? delimiterOf(head.slice(0, SAMPLE));
  const quotes = await closesQuotes(text(input.pieces()), delimiter);

  const builder = createTextBuilder(input);
  const writer = createSheetWriter(builder, input);
  let number = stated === null ? 1 : 2;
  try {
    const lines = text(countedPieces(input, (done) => progress(done, size_bytes)));
    for await (const records of csvRecords(lines, { delimiter, quotes, longest: limits.recordLength })) {
      for (const cells of records) {
        if (cells.length > limits.columns) {
          throw limitExceeded(filename, `has more than ${limits.columns} columns in row ${number}`);
        }
        writer.row(number++, cells);
        if (number % ROWS_TOGETHER === 0) await builder.handOver();
      }
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw limitExceeded(
      filename,
      `has a record of more than ${limits.recordLength} characters in row ${number}`,
    );
  }
  writer.end();
  progress(size_bytes, size_bytes);
  return builder.finish(filename);
}

async function headOf(pieces: AsyncIterable<string>): Promise<string> {
  let head = "";
  for await (const piece of pieces) {
    head += piece;
    if (head.length >= SAMPLE) break;
  }
  return head.replace(/\r\n?/g, "\n");
}

/**
 * Whether every quote that opens also closes. One that never does is a sign for inches, or a slip: then quotes are
 * letters like others. So are they where a field in quotes exceeds all limits, which is what a slip looks like in a long
 * file. It takes a reading of its own, since rows that were handed over can't be taken back.
 */
async function closesQuotes(text: AsyncIterable<string>, delimiter: string): Promise<boolean> {
  try {
    for await (const _ of csvRecords(text, { delimiter, quotes: true, longest: limits.recordLength }));
    return true;
  } catch (error) {
    if (error instanceof RecordError) return false;
    throw error;
  }
}

/** The sign that parts most lines into the same number of fields. */
function delimiterOf(sample: string): string {
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
