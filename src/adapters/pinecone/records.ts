/** Chunks as Pinecone's records: ids, metadata and batches within its limits. Pure. */
import type { Metadata } from "../../document.ts";
import type { Filterable } from "../../filter.ts";
import { chunkId } from "../../ids.ts";
import type { IndexEntry } from "../../ports/vector-index.ts";
import { dayOf, isDated, isPlain, UNHELD } from "./filter.ts";

/** Pinecone takes 1,000 records and 2 MB in one upsert; both are kept well below. */
const BATCH_RECORDS = 500;
const BATCH_BYTES = 1_700_000;
/** Pinecone keeps 40 KB of metadata with a record; the rest of it is ids, names and what counting differs by. */
const FIELDS_BYTES = 24_000;

/**
 * `<document_id>#<version>#<ordinal>`, so that one version's records are found by their beginning. Vectors that a reindex
 * adds lie beside those that are searched: their ids end in `#<embedder_id>`.
 */
export function recordId(document_id: string, version: number, ordinal: number, beside?: string): string {
  return `${prefixOf(document_id, version)}${ordinal}${beside === undefined ? "" : `#${beside}`}`;
}

export function prefixOf(document_id: string, version: number): string {
  return `${document_id}#${version}#`;
}

export interface Place {
  document_id: string;
  version: number;
  ordinal: number;
  chunk_id: string;
}

/** What an id names; undefined for a record that something else wrote into the namespace. */
export function placeOf(record_id: string): Place | undefined {
  const parts = /^([^#]+)#([1-9]\d*)#(\d+)(?:#.*)?$/.exec(record_id);
  if (parts === null) return undefined;
  const document_id = parts[1] as string;
  const version = Number(parts[2]);
  const ordinal = Number(parts[3]);
  return { document_id, version, ordinal, chunk_id: chunkId(document_id, version, ordinal) };
}

/** One record, as JSON. */
export function toRecord(id: string, entry: IndexEntry, embedder_id: string, fields: Metadata): string {
  const { document_id, version } = entry.chunk;
  return JSON.stringify({
    id,
    values: toNumbers(entry.vector),
    metadata: { ...fields, document_id, version, collection: entry.collection, embedder_id },
  });
}

/** Nine digits tell every 32-bit number from the next; the other eight that JavaScript would write are noise. */
export function toNumbers(vector: Float32Array): number[] {
  return Array.from(vector, (value) => Number(value.toPrecision(9)));
}

/**
 * A document's metadata, and what it says of itself where these have no such field, as `m.<field>`, as far as Pinecone can hold them: strings, numbers, booleans and lists of
 * strings. Fields of another form, and those for which there is no room, are named in a list instead, so that a filter
 * on them lets the record through. Null and empty lists fit no filter and are left out. Dates are held as days besides.
 */
export function toFields({ metadata, about }: Filterable): Metadata {
  const language = about.language === null ? null : rangesOf(about.language);
  const fields: Metadata = {};
  const unheld: string[] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries({ ...about, language, ...metadata })) {
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    const size = Buffer.byteLength(JSON.stringify([`m.${name}`, value]));
    if (!isHeld(value) || bytes + size > FIELDS_BYTES) {
      unheld.push(name);
    } else {
      fields[`m.${name}`] = value;
      bytes += size;
    }
    if (!isDated(name)) continue;
    const day = typeof value === "string" ? dayOf(value) : undefined;
    if (day !== undefined) fields[`d.${name}`] = day;
    else unheld.push(name);
  }
  return unheld.length === 0 ? fields : { ...fields, [UNHELD]: unheld };
}

/** Every language range that a tag is within, in small letters: `en-gb`, `en`. */
function rangesOf(tag: string): string[] {
  const parts = tag.toLowerCase().split("-");
  return parts.map((_, place) => parts.slice(0, place + 1).join("-"));
}

function isHeld(value: Metadata[string]): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item === "string" && isPlain(item));
  return typeof value === "string" ? isPlain(value) : true;
}

/** Splits records so that each request stays below Pinecone's limits. */
export function toBatches(records: readonly string[]): string[][] {
  const batches: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const size = Buffer.byteLength(record) + 1;
    const last = batches.at(-1);
    if (last === undefined || last.length >= BATCH_RECORDS || bytes + size > BATCH_BYTES) {
      batches.push([record]);
      bytes = size;
    } else {
      last.push(record);
      bytes += size;
    }
  }
  return batches;
}
