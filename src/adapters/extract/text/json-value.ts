/** Values of JSON, and how they read as text. */
import { limitExceeded } from "../limits.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

const MOST_DEPTH = 500;
const MOST_COLUMNS = 40;

/** Numbers too long for a float keep their digits. */
export function parse(text: string): Json {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as Json;
  const reviver = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && context?.source !== undefined && !Number.isSafeInteger(value)
      ? context.source
      : value;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as Json;
}

export function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const isScalar = (value: Json) => typeof value !== "object" || value === null;

export function checkDepth(value: Json, filename: string): void {
  const open: { value: Json; depth: number }[] = [{ value, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.depth >= MOST_DEPTH) throw limitExceeded(filename, `nests values more than ${MOST_DEPTH} deep`);
    for (const inner of Object.values(next.value)) open.push({ value: inner, depth: next.depth + 1 });
  }
}

export function join(path: string, key: string): string {
  const step = /^[\p{L}\p{N}_$@-]+$/u.test(key) ? key : `"${key}"`;
  return path === "" ? step : `${path}.${step}`;
}

/** Each scalar below on a line, under its path. */
export function linesOf(value: Json, path: string): string[] {
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
export function columnsOf(values: readonly Json[]): string[] | undefined {
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
