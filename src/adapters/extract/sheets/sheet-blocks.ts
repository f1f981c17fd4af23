/**
 * Rows of a sheet or a file of records as blocks: a run of rows without an empty one between them is a table, and
 * each line of it is a row of the file, so that a citation can name the row.
 */
import { limitExceeded, textAllowance } from "../limits.ts";
import { tableRow, tableRule } from "../table.ts";
import type { BlockPlace, ReaderInput, TextBuilder } from "../text-builder.ts";

/** A gap after no more rows than this parts a table's head from its body, not two tables. */
const HEAD_ROWS = 3;
/** Rows looked at before a table's columns are settled; after them, rows pass straight through. */
const LOOK_AHEAD = 500;
/** A table that is longer is cut between two rows, and goes on in the next block. */
const LONGEST = 32 * 1024;

export interface SheetWriter {
  /** The next row; its number is higher than the last one's. Missing cells are empty. */
  row(number: number, cells: readonly (string | undefined)[]): void;
  /** Ends the last table. */
  end(): void;
}

interface Row {
  number: number;
  cells: readonly (string | undefined)[];
}

export function createSheetWriter(
  builder: TextBuilder,
  { filename, size_bytes }: Pick<ReaderInput, "filename" | "size_bytes">,
  place: Pick<BlockPlace, "page" | "sheet"> = {},
): SheetWriter {
  let ahead: Row[] = [];
  /** Rows of several cells among them: what may be a table's head. */
  let heads = 0;
  let last = 0;
  /** The columns of the table that is being written; undefined while rows are only gathered. */
  let columns: number[] | undefined;
  let known = new Set<number>();
  let lines: string[] = [];
  /** Characters in them. */
  let held = 0;
  /** The row of the first of them. */
  let first = 0;
  /** Whether the table has begun in a block before. */
  let begun = false;
  let length = 0;
  const allowed = textAllowance(size_bytes);

  // One long text that a million cells show is short in the file.
  const spend = (cells: Row["cells"]) => {
    for (const cell of cells) length += cell?.length ?? 0;
    if (length > allowed) {
      throw limitExceeded(filename, `has cells with more than ${allowed} characters in all`);
    }
  };
  const release = () => {
    if (lines.length === 0) return;
    const kind = columns!.length > 1 ? "table" : "paragraph";
    builder.add(kind, lines.join("\n"), { ...place, row: first, ...(begun ? { joint: "\n" } : {}) });
    [lines, held, begun] = [[], 0, true];
  };
  const write = ({ number, cells }: Row) => {
    const line = columns!.map((column) => cells[column] ?? "");
    // A column that shows up late goes to the end of its row: better there than nowhere.
    for (const [column, cell] of cells.entries()) if (cell && !known.has(column)) line.push(cell);
    const written = columns!.length === 1 && line.length === 1 ? oneLine(line[0]!) : tableRow(line);
    if (held > 0 && held + written.length > LONGEST) release();
    if (lines.length === 0) first = number;
    lines.push(written);
    held += written.length + 1;
  };
  const settle = () => {
    const used = new Set<number>();
    for (const { cells } of ahead) for (const [column, cell] of cells.entries()) if (cell) used.add(column);
    known = used;
    columns = [...used].sort((a, b) => a - b);
    while (columns.length > 1 && ahead.length > 2 && isTitle(ahead[0]!, columns)) {
      const { number, cells } = ahead.shift()!;
      builder.add("paragraph", oneLine(cells.find((cell) => cell) ?? ""), { ...place, row: number });
      while (isBlank(ahead[0]!)) ahead.shift();
    }
    for (const [index, row] of ahead.entries()) {
      write(row);
      if (index === 0 && columns.length > 1) lines.push(tableRule(columns.length));
    }
    ahead = [];
  };
  const flush = () => {
    if (ahead.length === 1) {
      const { number, cells } = ahead[0]!;
      const words = cells.filter((cell) => cell).map((cell) => oneLine(cell!));
      builder.add("paragraph", words.join("\t"), { ...place, row: number });
    } else {
      if (ahead.length > 1) settle();
      release();
    }
    ahead = [];
    heads = 0;
    begun = false;
    columns = undefined;
  };

  return {
    row(number, cells) {
      if (!cells.some((cell) => cell)) return;
      spend(cells);
      if (number === last + 2 && columns === undefined && ahead.length > 0 && heads <= HEAD_ROWS) {
        ahead.push({ number: last + 1, cells: [] });
      } else if (number !== last + 1) flush();
      last = number;
      if (columns !== undefined) return write({ number, cells });
      ahead.push({ number, cells });
      if (cells.filter((cell) => cell).length > 1) heads++;
      if (ahead.length >= LOOK_AHEAD) settle();
    },
    end: flush,
  };
}

const isBlank = ({ cells }: Row) => cells.length === 0;

function isTitle({ cells }: Row, columns: number[]): boolean {
  return Boolean(cells[columns[0]!]) && cells.filter((cell) => cell).length === 1;
}

function oneLine(text: string): string {
  return /[\s]/.test(text) ? text.replace(/\s+/g, " ").trim() : text;
}

/** A builder that puts a heading before the first block, if there is one. */
export function underHeading(
  builder: TextBuilder,
  heading: string,
  place: { page: number; sheet: string },
): TextBuilder {
  let begun = false;
  return {
    add(kind, text, at) {
      if (!begun && text.trim() !== "") {
        begun = true;
        builder.add("heading", heading, { ...place, level: 1 });
      }
      builder.add(kind, text, { ...place, ...at });
    },
    handOver: builder.handOver,
    finish: builder.finish,
  };
}
