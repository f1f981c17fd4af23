/** Reads what an embedding service sends back. Pure. */
import { endianness } from "node:os";

/**
 * The vectors of a successful answer, in the order of the inputs, each of length 1 (all zero stays all zero). Items
 * say by `index` which input they belong to; where a service leaves that out, their order counts.
 *
 * @returns the vectors, or what is wrong with the answer, as the end of a sentence
 */
export function parseVectors(text: string, count: number): Float32Array[] | string {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return "sent an answer that is not JSON, or was cut off";
  }
  const items = (answer as { data?: unknown } | null)?.data;
  if (!Array.isArray(items)) return "sent an answer without a list `data`";
  if (items.length !== count) return `sent ${items.length} vectors for ${count} texts`;
  const vectors = new Array<Float32Array | undefined>(count).fill(undefined);
  for (const [position, item] of items.entries()) {
    const { index = position, embedding } = (item ?? {}) as { index?: unknown; embedding?: unknown };
    if (typeof index !== "number" || !(index in vectors) || vectors[index] !== undefined) {
      return `sent an item with the unexpected index ${JSON.stringify(index)}`;
    }
    const vector = toUnitVector(embedding);
    if (vector === undefined) return `sent something else than a list of numbers for text ${index}`;
    vectors[index] = vector;
  }
  return vectors as Float32Array[];
}

/** @param embedding numbers, or their bytes as base64: services don't always send what they were asked for */
function toUnitVector(embedding: unknown): Float32Array | undefined {
  const values = typeof embedding === "string" ? fromBase64(embedding) : embedding;
  if (!Array.isArray(values) && !(values instanceof Float32Array)) return undefined;
  let square = 0;
  for (const value of values as Iterable<unknown>) {
    if (typeof value !== "number") return undefined;
    square += value * value;
  }
  if (!Number.isFinite(square)) return undefined;
  const scale = square === 0 ? 0 : 1 / Math.sqrt(square);
  const vector = new Float32Array(values.length);
  for (let place = 0; place < vector.length; place++) vector[place] = (values[place] as number) * scale;
  return vector;
}

/** 32-bit floats, little-endian. */
function fromBase64(text: string): Float32Array | undefined {
  const bytes = Buffer.from(text, "base64");
  // What is no base64 is skipped; the length tells.
  if (bytes.length % 4 !== 0 || bytes.length !== Buffer.byteLength(text, "base64")) return undefined;
  if (endianness() === "BE") bytes.swap32();
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/**
 * What the service itself says went wrong: `error.message` (OpenAI, vLLM), `error` (Ollama, TEI), `message` or
 * `detail` (others), else the beginning of the body.
 */
export function readServiceMessage(text: string): string {
  let said: unknown;
  try {
    const body = JSON.parse(text) as { error?: unknown; message?: unknown; detail?: unknown } | null;
    said =
      (body?.error as { message?: unknown } | null)?.message ?? body?.error ?? body?.message ?? body?.detail;
  } catch {
    // Not JSON: a proxy's page, most likely. Its text is all there is to tell.
    said = text;
  }
  const message = typeof said === "string" ? said : said === undefined ? text : JSON.stringify(said);
  return message.replaceAll(/\s+/g, " ").trim().slice(0, 500);
}

/**
 * The wait that a `Retry-After` header asks for (RFC 9110, section 10.2.3), in milliseconds, never negative.
 *
 * @param now Unix milliseconds, for headers that give a date
 * @returns undefined when there is no header, or none that can be understood
 */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
