/**
 * JSON and NDJSON as text to be read and searched: `path.to.key: value`, lists of like objects as tables, and a heading
 * for each part that is large enough to stand alone.
 */
import { decodeBytes } from "../charset.ts";
import { limitExceeded } from "../limits.ts";
import { readPlainText } from "../plain.ts";
import { createSheetWriter } from "../sheets/sheet-blocks.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import { addNotebook, isNotebook } from "./notebook.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const MOST_DEPTH = 500;
/** A part with no more text than this is one paragraph. */
const SMALL = 1_200;
const MOST_COLUMNS = 40;

export async function readJson(input: ReaderInput) {
  const { bytes, filename, progress } = input;
  progress(0, bytes.byteLength);
  const text = decodeBytes(bytes);
  let value: Json;
  try {
    value = parse(text);
  } catch {
    // Many files called JSON hold a value on each line. What is not that either is text.
    return readNdjson(input);
  }
  const builder = createTextBuilder();
  checkDepth(value, filename);
  let title: string | null = null;
  if (isNotebook(value)) title = addNotebook(builder, value);
  else addValue(builder, value, "", filename);
  progress(bytes.byteLength, bytes.byteLength);
  if (title === null && isObject(value)) {
    const stated = value.title ?? value.name;
    if (typeof stated === "string") title = stated;
  }
  return builder.finish(filename, { title });
}

export async function readNdjson(input: ReaderInput) {
  const { bytes, filename, progress } = input;
  const lines = decodeBytes(bytes).split(/\r?\n/);
  const records: { number: number; value: Json }[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    try {
      records.push({ number: index + 1, value: parse(line) });
    } catch {
      // A last line that is cut off is no reason to lose the others; a file of such lines is no NDJSON.
      if (records.length < index || index === 0) return readPlainText(input);
    }
    progress(Math.min(bytes.byteLength, index), bytes.byteLength);
  }
  const builder = createTextBuilder();
  for (const { value } of records) checkDepth(value, filename);
  const values = records.map(({ value }) => value);
  const columns = columnsOf(values);
  if (columns !== undefined) addTable(builder, values, columns, filename);
  else {
    for (const { number, value } of records) {
      const shown = linesOf(value, "").join("\n");
      builder.add("paragraph", shown, { row: number });
    }
  }
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename);
}

/** Numbers too long for a float keep their digits. */
function parse(text: string): Json {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as Json;
  const reviver = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && context?.source !== undefined && !Number.isSafeInteger(value)
      ? context.source
      : value;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as Json;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isScalar = (value: Json) => typeof value !== "object" || value === null;

function checkDepth(value: Json, filename: string): void {
  const open: { value: Json; depth: number }[] = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.depth >= MOST_DEPTH) throw limitExceeded(filename, `nests values more than ${MOST_DEPTH} deep`);
    for (const inner of Object.values(next.value)) open.push({ value: inner, depth: next.depth + 1 });
  }
}

function addValue(builder: TextBuilder, value: Json, path: string, filename: string): void {
  if (Array.isArray(value)) {
    const columns = columnsOf(value);
    if (columns !== undefined) {
      addTable(builder, value, columns, filename);
      return;
    }
  }
  const lines = linesOf(value, path);
  if (isScalar(value) || length(lines) <= SMALL) {
    builder.add("paragraph", lines.join("\n"));
    return;
  }
  const entries: [string, Json][] = Array.isArray(value)
    ? value.map((inner, index) => [`${path}[${index}]`, inner])
    : Object.entries(value).map(([key, inner]) => [join(path, key), inner]);
  let small: string[] = [];
  const flush = () => {
    builder.add("paragraph", small.join("\n"));
    small = [];
  };
  for (const [name, inner] of entries) {
    // The elements of a list need not say which list again, nor where in it they stand.
    const shown = linesOf(inner, Array.isArray(value) ? "" : name);
    const isList = Array.isArray(inner) && columnsOf(inner) !== undefined;
    if (!isList && length(shown) <= SMALL) {
      // Elements of a list stand apart; keys of an object stand together.
      if (Array.isArray(value) || length(small) + length(shown) > SMALL) flush();
      small.push(...shown);
      continue;
    }
    flush();
    if (!isScalar(inner)) {
      const level = Math.min(6, name.split(/[.[]/).filter((step) => step !== "").length);
      builder.add("heading", name, { level: Math.max(1, level) });
    }
    addValue(builder, inner, name, filename);
  }
  flush();
}

const length = (lines: readonly string[]) => lines.reduce((sum, line) => sum + line.length + 1, 0);

function join(path: string, key: string): string {
  const step = /^[\p{L}\p{N}_$@-]+$/u.test(key) ? key : `"${key}"`;
  return path === "" ? step : `${path}.${step}`;
}

/** Each scalar below on a line, under its path. */
function linesOf(value: Json, path: string): string[] {
  if (isScalar(value)) return [path === "" ? String(value) : `${path}: ${value}`];
  if (Array.isArray(value)) {
    if (value.length === 0) return [];
    if (value.every((inner) => isScalar(inner) && String(inner).length <= 80)) {
      return [path === "" ? value.join(", ") : `${path}: ${value.join(", ")}`];
    }
    return value.flatMap((inner, index) => linesOf(inner, `${path}[${index}]`));
  }
  return Object.entries(value).flatMap(([key, inner]) => linesOf(inner, join(path, key)));
}

/** The columns of a list of flat objects that have most keys in common; undefined for any other list. */
function columnsOf(values: readonly Json[]): string[] | undefined {
  if (values.length < 2) return undefined;
  const counts = new Map<string, number>();
  let cells = 0;
  for (const value of values) {
    if (!isObject(value)) return undefined;
    for (const [key, inner] of Object.entries(value)) {
      if (!isScalar(inner) || String(inner).length > 400) return undefined;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      cells++;
    }
    if (counts.size > MOST_COLUMNS) return undefined;
  }
  return counts.size > 1 && cells >= counts.size * values.length * 0.6 ? [...counts.keys()] : undefined;
}

/** The header is none of the records, so lines of the table are not told as rows of the file. */
function addTable(builder: TextBuilder, values: readonly Json[], columns: string[], filename: string): void {
  const plain: TextBuilder = { add: (kind, text) => builder.add(kind, text), finish: builder.finish };
  const writer = createSheetWriter(plain, filename);
  writer.row(1, columns);
  for (const [index, value] of values.entries()) {
    const record = value as JsonObject;
    // An empty cell would be taken for an empty row where all are.
    writer.row(
      index + 2,
      columns.map((column) => String(record[column] ?? "–")),
    );
  }
  writer.end();
}
