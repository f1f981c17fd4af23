/** XLS and XLSB, by SheetJS: each sheet under its name, its rows as tables. */
import { read, type WorkBook } from "@e965/xlsx";
import type { DocumentFacts } from "../../../chunk.ts";
import { isCompound, openCompound } from "../cfb.ts";
import { encrypted, limitExceeded, limits, malformed } from "../limits.ts";
import { kindOfFormat, type NumberKind, numberText } from "../sheets/cell-values.ts";
import { createSheetWriter, underHeading } from "../sheets/sheet-blocks.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";

interface Cell {
  t: string;
  v?: unknown;
  w?: string;
  z?: string | number;
  c?: { t?: string }[];
}

export async function readXls(input: ReaderInput) {
  const { bytes, filename, progress } = input;
  progress(0, null);
  if (isCompound(bytes)) openCompound(bytes, filename).verify();
  let workbook: WorkBook;
  try {
    workbook = read(bytes, {
      type: "buffer",
      dense: true,
      cellNF: true,
      cellHTML: false,
      cellFormula: false,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (/password|encrypt/i.test(reason)) throw encrypted(filename);
    throw malformed(filename, `its cells can't be read (${reason})`, error);
  }
  const builder = createTextBuilder(input);
  const from1904 = workbook.Workbook?.WBProps?.date1904 === true;
  const kinds = new Map<string, NumberKind>();
  const kindOf = (format: string | number | undefined) => {
    const code = String(format ?? "");
    const kind = kinds.get(code) ?? kindOfFormat(code);
    kinds.set(code, kind);
    return kind;
  };
  const { SheetNames: names } = workbook;
  for (const [index, name] of names.entries()) {
    progress(index, names.length);
    const place = { page: index + 1, sheet: name };
    const under = underHeading(builder, name, place);
    const writer = createSheetWriter(under, input, place);
    const comments: string[] = [];
    const rows = (workbook.Sheets[name]?.["!data"] ?? []) as unknown as (Cell | undefined)[][];
    for (const [number, row] of rows.entries()) {
      if (row === undefined) continue;
      if (row.length > limits.columns) {
        throw limitExceeded(filename, `has more than ${limits.columns} columns in one row`);
      }
      writer.row(
        number + 1,
        Array.from(row, (cell, column) => {
          for (const { t } of cell?.c ?? [])
            if (t) comments.push(`Row ${number + 1}, column ${column + 1}: ${t}`);
          return cell === undefined ? "" : shownText(cell, kindOf(cell.z), from1904);
        }),
      );
    }
    writer.end();
    await builder.handOver();
    for (const comment of comments) under.add("footnote", comment);
    const objects = (workbook.Sheets[name]?.["!objects"] ?? []) as ({ TxO?: { t?: string } } | null)[];
    for (const box of objects) under.add("paragraph", box?.TxO?.t ?? "");
  }
  progress(names.length, names.length);
  const { Title: title, Author: author, CreatedDate: created, ModifiedDate: modified } = workbook.Props ?? {};
  const facts: DocumentFacts = {};
  if (author) facts.author = author;
  if (isTime(created)) facts.authored_at = created.toISOString();
  if (isTime(modified)) facts.modified_at = modified.toISOString();
  return builder.finish(filename, { title: title || null, facts, page_count: names.length });
}

function isTime(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime()) && value.getUTCFullYear() > 1904;
}

function shownText({ t, v, w }: Cell, kind: NumberKind, from1904: boolean): string {
  if (t === "n" && typeof v === "number") return numberText(v, kind, from1904);
  if (t === "b") return v ? "TRUE" : "FALSE";
  if (t === "e") return w ?? "";
  return v === undefined || v === null ? "" : String(v);
}
