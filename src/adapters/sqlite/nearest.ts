/**
 * The nearest vectors. Synchronous: it runs on a reader thread, inside one read transaction.
 *
 * All codes of the scope are read from the file each time (32 bytes a chunk of 256 dimensions), which costs less than
 * keeping a copy in step with what other processes write. Three looks, each at fewer: bits that differ, then the
 * similarity estimated from the bits, then the vectors themselves.
 */
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import type { Sql } from "./schema.ts";
import { conditions, refuseOthers, toHit, VISIBLE } from "./search-queries.ts";
import { codeWords, isZero, type Query, similarity, toQuery } from "./vector-code.ts";
import { toBlock, type VectorTables, vectorTables } from "./vector-tables.ts";

/** Of the entries, one in so many is kept by the bits that differ, and at least so many for each vector read. */
const ENTRIES_PER_KEPT = 16;
const KEPT_PER_VECTOR = 2;
/** Vectors read for each neighbour wanted, one in how many entries, and how many at least. */
const VECTORS_PER_HIT = 32;
const ENTRIES_PER_VECTOR = 200;
const FEWEST_VECTORS = 1_000;
/** So many times more of both where a filter will leave out some. */
const MORE_FOR_FILTER = 2;
/** The hits must be in the best one of so many parts of the vectors read; else those that fit are looked up first. */
const FITTING = 4;
/** So many that fit a filter are compared without looking at codes. */
const COMPARED_AT_ONCE = 4_096;

interface Scored {
  chunk_row: number;
  score: number;
}

export function nearest(
  sql: Sql,
  embedder_id: string,
  scope: IndexScope,
  vector: Float32Array,
  limit: number,
): IndexHit[] {
  if (isZero(vector)) return [];
  refuseOthers(sql, embedder_id);
  const tables = vectorTables(sql, embedder_id);
  return tables ? search(sql, tables, scope, toQuery(vector), limit) : [];
}

function search(sql: Sql, tables: VectorTables, scope: IndexScope, query: Query, limit: number): IndexHit[] {
  const { entries } = sql(
    `SELECT coalesce(sum(entries), 0) AS entries FROM ${tables.codes} WHERE ${place(scope).where}`,
  ).get(...place(scope).values) as { entries: number };
  const more = scope.filter === undefined ? 1 : MORE_FOR_FILTER;
  const vectors =
    more * Math.max(limit * VECTORS_PER_HIT, Math.ceil(entries / ENTRIES_PER_VECTOR), FEWEST_VECTORS);
  const kept = Math.max(more * Math.ceil(entries / ENTRIES_PER_KEPT), KEPT_PER_VECTOR * vectors);
  const rows = estimate(sql, tables, scope, query, { kept, vectors });
  const scored = compare(sql, tables, query, rows);
  const all = rows.length === entries;
  const hits = visible(sql, scope, all ? scored : scored.slice(0, scored.length / FITTING), limit);
  if (all || hits.length === limit) return hits;
  // Too many of the nearest are not to be seen, or don't fit: their places were taken from others that are and do.
  const { where, values } = conditions(scope);
  const fitting = sql(
    `SELECT chunk_row FROM documents CROSS JOIN chunks ON chunks.document_id = documents.document_id
       AND chunks.version = documents.searchable_version
     WHERE documents.removed = 0 AND ${where}`,
  ).all(...values);
  const named = fitting.map(({ chunk_row }) => chunk_row as number);
  const chosen =
    named.length <= COMPARED_AT_ONCE
      ? named
      : estimate(sql, tables, scope, query, { kept, vectors }, new Set(named));
  return visible(sql, scope, compare(sql, tables, query, chosen), limit);
}

/** Which blocks a scope is in. */
function place({ tenant_id, collection }: IndexScope): { where: string; values: string[] } {
  return collection === undefined
    ? { where: "tenant_id = ?", values: [tenant_id] }
    : { where: "tenant_id = ? AND collection = ?", values: [tenant_id, collection] };
}

/** The rows whose codes promise most. */
function estimate(
  sql: Sql,
  tables: VectorTables,
  scope: IndexScope,
  query: Query,
  size: { kept: number; vectors: number },
  among?: Set<number>,
): number[] {
  const words = codeWords(tables.dimensions);
  const kept = createSelection(size.kept, words);
  const { where, values } = place(scope);
  for (const row of sql(`SELECT rows, codes FROM ${tables.codes} WHERE ${where}`).iterate(...values)) {
    const { rows, codes } = toBlock(row);
    kept.offer(rows, new Int32Array(codes.buffer, codes.byteOffset, rows.length * words), query.code, among);
  }
  return best(kept.entries(), words * 4, query, size.vectors);
}

/** Keeps at least the `size` entries that differ least. */
function createSelection(size: number, words: number) {
  const rows = new Float64Array(2 * size);
  const codes = new Int32Array(2 * size * words);
  const distances = new Uint16Array(2 * size);
  let count = 0;
  let limit = words * 32;

  /** Drops all but `size` of them; from now on, only what differs less than any of those dropped is taken. */
  function compact(): void {
    const counts = new Uint32Array(words * 32 + 1);
    for (let entry = 0; entry < count; entry++) {
      const distance = distances[entry] as number;
      counts[distance] = (counts[distance] as number) + 1;
    }
    let last = 0;
    let ties = size;
    while (ties > (counts[last] as number)) ties -= counts[last++] as number;
    let to = 0;
    for (let from = 0; from < count; from++) {
      const distance = distances[from] as number;
      if (distance > last || (distance === last && ties-- <= 0)) continue;
      rows[to] = rows[from] as number;
      distances[to] = distance;
      for (let word = 0; word < words; word++)
        codes[to * words + word] = codes[from * words + word] as number;
      to++;
    }
    count = to;
    limit = last - 1;
  }

  return {
    offer(from: Float64Array, theirs: Int32Array, code: Int32Array, among: Set<number> | undefined): void {
      for (let entry = 0, start = 0; entry < from.length; entry++, start += words) {
        let distance = 0;
        for (let word = 0; word < words; word++) {
          // Counts the bits that differ, in pairs, fours, eights (Warren, Hacker's Delight, 5-1).
          let bits = (theirs[start + word] as number) ^ (code[word] as number);
          bits -= (bits >>> 1) & 0x55555555;
          bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
          bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
          distance += Math.imul(bits, 0x01010101) >>> 24;
        }
        if (distance > limit || (among && !among.has(from[entry] as number))) continue;
        rows[count] = from[entry] as number;
        distances[count] = distance;
        for (let word = 0; word < words; word++) codes[count * words + word] = theirs[start + word] as number;
        if (++count === rows.length) compact();
      }
    },
    entries: () => ({
      rows: rows.subarray(0, count),
      codes: new Uint8Array(codes.buffer, 0, count * words * 4),
    }),
  };
}

/** The `wanted` rows with the highest estimates. */
function best(
  { rows, codes }: { rows: Float64Array; codes: Uint8Array },
  size: number,
  { estimates }: Query,
  wanted: number,
): number[] {
  if (rows.length <= wanted) return [...rows];
  const scores = new Float32Array(rows.length);
  for (let entry = 0, at = 0; entry < rows.length; entry++) {
    let sum = 0;
    for (let byte = 0; byte < size; byte++) sum += estimates[(byte << 8) | (codes[at++] as number)] as number;
    scores[entry] = sum;
  }
  const last = scores.slice().sort()[rows.length - wanted] as number;
  const chosen: number[] = [];
  for (let entry = 0; entry < rows.length; entry++) {
    if ((scores[entry] as number) >= last) chosen.push(rows[entry] as number);
  }
  return chosen;
}

/** By the vectors themselves, best first; rows without one are left out. */
function compare(sql: Sql, { vectors }: VectorTables, query: Query, rows: number[]): Scored[] {
  // In the order of the table, where neighbours in it often share a page.
  const sorted = Float64Array.from(rows).sort();
  const found = sql(
    `SELECT chunk_row, vector FROM json_each(?) AS wanted CROSS JOIN ${vectors} ON chunk_row = wanted.value`,
  ).all(JSON.stringify([...sorted]));
  return found
    .map((row): Scored => {
      return {
        chunk_row: row.chunk_row as number,
        score: similarity(row.vector as Uint8Array, query.vector),
      };
    })
    .sort((a, b) => b.score - a.score || a.chunk_row - b.chunk_row);
}

/** The first `limit` of these that a search may see. */
function visible(sql: Sql, scope: IndexScope, scored: Scored[], limit: number): IndexHit[] {
  const { where, values } = conditions(scope);
  const look = sql(
    `SELECT chunk_row, chunks.document_id, chunks.version, chunks.ordinal
     FROM json_each(?) AS wanted CROSS JOIN chunks ON chunk_row = wanted.value ${VISIBLE} WHERE ${where}`,
  );
  const hits: IndexHit[] = [];
  for (let from = 0, size = limit; from < scored.length; from += size, size *= 2) {
    const some = scored.slice(from, from + size);
    const found = look.all(JSON.stringify(some.map(({ chunk_row }) => chunk_row)), ...values);
    const byRow = new Map(found.map((row) => [row.chunk_row as number, row]));
    for (const { chunk_row, score } of some) {
      const row = byRow.get(chunk_row);
      if (row && hits.push(toHit(row, score)) === limit) return hits;
    }
  }
  return hits;
}
