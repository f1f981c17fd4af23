/** NDJSON: a value on each line. Like records become a table; others are paragraphs, each under its line's number. */
import { decodePieces, surveyText } from "../charset.ts";
import { countedPieces } from "../input.ts";
import { readPlainText } from "../plain.ts";
import { createSheetWriter } from "../sheets/sheet-blocks.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import { checkDepth, columnsOf, isObject, type Json, type JsonObject, linesOf, parse } from "./json-value.ts";

/** Characters looked at before it is settled what the file is; those after them pass straight through. */
const LOOK_AHEAD = 1024 * 1024;

interface Line {
  number: number;
  value: Json;
}

export async function readNdjson(input: ReaderInput) {
  const { filename, progress, size_bytes } = input;
  const { charset } = await surveyText(input.pieces);
  const builder = createTextBuilder(input);
  let ahead: Line[] | undefined = [];
  let columns: readonly string[] | undefined;
  let table: RecordTable | undefined;
  /** Why it is no NDJSON after all. */
  let broken = false;

  function pass({ number, value }: Line): void {
    checkDepth(value, filename);
    if (columns !== undefined && isObject(value)) {
      table ??= createRecordTable(builder, columns, input);
      table.add(value);
    } else beside(linesOf(value, "").join("\n"), number);
  }
  /** What is no record stands between two tables: their lines are held back until they end. */
  function beside(text: string, row: number): void {
    table?.end();
    table = undefined;
    builder.add("paragraph", text, { row });
  }
  function settle(lines: Line[]): void {
    ahead = undefined;
    columns = columnsOf(lines.map(({ value }) => value));
    for (const each of lines) pass(each);
  }
  let number = 0;
  let seen = 0;
  function line(text: string, isLast: boolean): void {
    number += 1;
    seen += text.length + 1;
    if (text.trim() === "") return;
    let value: Json;
    try {
      value = parse(text);
    } catch {
      // A last line that is cut off is no reason to lose the others; a file of such lines is no NDJSON.
      if (ahead !== undefined && (!isLast || number === 1)) broken = true;
      else {
        if (ahead !== undefined) settle(ahead);
        beside(text, number);
      }
      return;
    }
    if (ahead === undefined) pass({ number, value });
    else ahead.push({ number, value });
    if (ahead !== undefined && seen > LOOK_AHEAD) settle(ahead);
  }

  let open = "";
  let done = 0;
  const counted = countedPieces(input, (bytes) => {
    done = bytes;
  });
  for await (const piece of decodePieces(counted, charset)) {
    // Only what is new is looked through: a line may be as long as the file.
    const lines = piece.split(/\r?\n/);
    lines[0] = open + lines[0];
    open = lines.pop()!;
    for (const each of lines) line(each, false);
    if (broken) return readPlainText(input);
    progress(done, size_bytes);
    await builder.handOver();
  }
  line(open, true);
  if (broken) return readPlainText(input);
  if (ahead !== undefined) settle(ahead);
  table?.end();
  progress(size_bytes, size_bytes);
  return builder.finish(filename);
}

export interface RecordTable {
  add(record: JsonObject): void;
  end(): void;
}

/** The header is none of the records, so lines of the table are not told as rows of the file. */
export function createRecordTable(
  builder: TextBuilder,
  columns: readonly string[],
  input: Pick<ReaderInput, "filename" | "size_bytes">,
): RecordTable {
  const plain: TextBuilder = {
    ...builder,
    add: (kind, text, { joint } = {}) => builder.add(kind, text, joint === undefined ? {} : { joint }),
  };
  const writer = createSheetWriter(plain, input);
  writer.row(1, columns);
  let number = 1;
  return {
    add(record) {
      number += 1;
      // An empty cell would be taken for an empty row where all are.
      writer.row(
        number,
        columns.map((column) => shown(record[column])),
      );
    },
    end: writer.end,
  };
}

const shown = (value: Json | undefined) =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "–");
