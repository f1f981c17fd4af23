/**
 * JSON as text to be read and searched: `path.to.key: value`, lists of like objects as tables, and a heading
 * for each part that is large enough to stand alone.
 */
import { decodeBytes } from "../charset.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import {
  checkDepth,
  columnsOf,
  isObject,
  isScalar,
  type Json,
  type JsonObject,
  join,
  linesOf,
  parse,
} from "./json-value.ts";
import { createRecordTable, readNdjson } from "./ndjson.ts";
import { addNotebook, isNotebook } from "./notebook.ts";

/** A part with no more text than this is one paragraph. */
const SMALL = 1_200;

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
  else addValue(builder, value, "", input);
  progress(bytes.byteLength, bytes.byteLength);
  if (title === null && isObject(value)) {
    const stated = value.title ?? value.name;
    if (typeof stated === "string") title = stated;
  }
  return builder.finish(filename, { title });
}

function addValue(builder: TextBuilder, value: Json, path: string, input: ReaderInput): void {
  if (Array.isArray(value)) {
    const columns = columnsOf(value);
    if (columns !== undefined) {
      addTable(builder, value, columns, input);
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
    addValue(builder, inner, name, input);
  }
  flush();
}

const length = (lines: readonly string[]) => lines.reduce((sum, line) => sum + line.length + 1, 0);

function addTable(
  builder: TextBuilder,
  values: readonly Json[],
  columns: string[],
  input: ReaderInput,
): void {
  const table = createRecordTable(builder, columns, input);
  for (const value of values) table.add(value as JsonObject);
  table.end();
}
