/**
 * The vectors of an embedder: `vectors_<embedder_row>` holds each by its chunk, `codes_<embedder_row>` their codes
 * again in blocks of one tenant's collection, so that a search reads some hundred of them as one row.
 */
import type { Sql } from "./schema.ts";
import { codeWords, toCode, toHalves } from "./vector-code.ts";

/** Entries of a block at most: what a small document rewrites to be added, and what a search reads at once. */
export const BLOCK_ENTRIES = 512;

export interface VectorTables {
  vectors: string;
  codes: string;
  dimensions: number;
}

export interface VectorEntry {
  chunk_row: number;
  tenant_id: string;
  collection: string;
  /** Not all zero: such a one has no direction, and so no place among neighbours. */
  vector: Float32Array;
}

/** Undefined while the embedder has none. */
export function vectorTables(sql: Sql, embedder_id: string): VectorTables | undefined {
  const row = sql("SELECT embedder_row, dimensions FROM embedders WHERE embedder_id = ?").get(embedder_id);
  return row && named(row.embedder_row as number, row.dimensions as number);
}

export function allVectorTables(sql: Sql): VectorTables[] {
  return sql("SELECT embedder_row, dimensions FROM embedders")
    .all()
    .map((row) => named(row.embedder_row as number, row.dimensions as number));
}

function named(embedder_row: number, dimensions: number): VectorTables {
  return { vectors: `vectors_${embedder_row}`, codes: `codes_${embedder_row}`, dimensions };
}

export function ensureVectorTables(sql: Sql, embedder_id: string, dimensions: number): VectorTables {
  const known = vectorTables(sql, embedder_id);
  if (known) return known;
  const { lastInsertRowid } = sql("INSERT INTO embedders (embedder_id, dimensions) VALUES (?, ?)").run(
    embedder_id,
    dimensions,
  );
  const tables = named(Number(lastInsertRowid), dimensions);
  createVectorTables(sql, tables);
  return tables;
}

export function createVectorTables(sql: Sql, { vectors, codes }: VectorTables): void {
  sql(`CREATE TABLE ${vectors} (
    chunk_row INTEGER PRIMARY KEY,
    block INTEGER NOT NULL,
    vector BLOB NOT NULL
  )`).run();
  // rows: the chunk_rows as 64-bit floats; codes: theirs, in the same order.
  sql(`CREATE TABLE ${codes} (
    block INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    collection TEXT NOT NULL,
    entries INTEGER NOT NULL,
    rows BLOB NOT NULL,
    codes BLOB NOT NULL
  )`).run();
  sql(`CREATE INDEX ${codes}_scope ON ${codes} (tenant_id, collection, entries)`).run();
}

export interface Block {
  rows: Float64Array;
  codes: Uint8Array;
}

export function toBlock(row: Record<string, unknown>): Block {
  const bytes = aligned(row.rows as Uint8Array);
  return {
    rows: new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8),
    codes: aligned(row.codes as Uint8Array),
  };
}

/** SQLite's bytes come in a buffer of their own, which begins where numbers may; nothing promises it. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

/** Adds vectors of chunks that have none in these tables. */
export function putVectors(sql: Sql, tables: VectorTables, entries: VectorEntry[]): void {
  const places = Map.groupBy(entries, (entry) => JSON.stringify([entry.tenant_id, entry.collection]));
  for (const group of places.values()) {
    for (let added = 0; added < group.length; ) added += fillBlock(sql, tables, group.slice(added));
  }
}

/** Puts as many of these entries, all of one collection, into a block as it takes. */
function fillBlock(sql: Sql, { vectors, codes, dimensions }: VectorTables, entries: VectorEntry[]): number {
  const { tenant_id, collection } = entries[0] as VectorEntry;
  // The emptiest: so those are filled again whose entries were removed, and as few are written as can be.
  const roomy = sql(
    `SELECT block, rows, codes FROM ${codes}
     WHERE tenant_id = ? AND collection = ? AND entries < ${BLOCK_ENTRIES} ORDER BY entries LIMIT 1`,
  ).get(tenant_id, collection);
  const known: Block = roomy ? toBlock(roomy) : { rows: new Float64Array(), codes: new Uint8Array() };
  const size = codeWords(dimensions) * 4;
  const count = Math.min(entries.length, BLOCK_ENTRIES - known.rows.length);
  const block: Block = {
    rows: new Float64Array(known.rows.length + count),
    codes: new Uint8Array(known.codes.length + count * size),
  };
  block.rows.set(known.rows);
  block.codes.set(known.codes);
  for (const [place, entry] of entries.slice(0, count).entries()) {
    block.rows[known.rows.length + place] = entry.chunk_row;
    block.codes.set(toCode(entry.vector), known.codes.length + place * size);
  }
  const number = writeBlock(sql, codes, roomy?.block as number | undefined, { tenant_id, collection }, block);
  const put = sql(`INSERT INTO ${vectors} (chunk_row, block, vector) VALUES (?, ?, ?)`);
  for (const { chunk_row, vector } of entries.slice(0, count)) put.run(chunk_row, number, toHalves(vector));
  return count;
}

function writeBlock(
  sql: Sql,
  codes: string,
  number: number | undefined,
  scope: { tenant_id: string; collection: string },
  block: Block,
): number {
  const values = [block.rows.length, new Uint8Array(block.rows.buffer), block.codes] as const;
  if (number === undefined) {
    const { lastInsertRowid } = sql(
      `INSERT INTO ${codes} (tenant_id, collection, entries, rows, codes) VALUES (?, ?, ?, ?, ?)`,
    ).run(scope.tenant_id, scope.collection, ...values);
    return Number(lastInsertRowid);
  }
  sql(`UPDATE ${codes} SET entries = ?, rows = ?, codes = ? WHERE block = ?`).run(...values, number);
  return number;
}

/** Takes chunks out of these tables. @returns how many were there */
export function dropVectors(sql: Sql, { vectors, codes, dimensions }: VectorTables, rows: number[]): number {
  const remove = sql(`DELETE FROM ${vectors} WHERE chunk_row = ? RETURNING block`);
  const gone = new Set<number>();
  const blocks = new Set<number>();
  for (const chunk_row of rows) {
    const removed = remove.get(chunk_row);
    if (!removed) continue;
    gone.add(chunk_row);
    blocks.add(removed.block as number);
  }
  const size = codeWords(dimensions) * 4;
  for (const number of blocks) {
    const row = sql(`SELECT tenant_id, collection, rows, codes FROM ${codes} WHERE block = ?`).get(number);
    // The block of a damaged index may be gone before its vectors.
    if (!row) continue;
    const known = toBlock(row);
    const left = [...known.rows.keys()].filter((place) => !gone.has(known.rows[place] as number));
    if (left.length === 0) {
      sql(`DELETE FROM ${codes} WHERE block = ?`).run(number);
      continue;
    }
    const block: Block = {
      rows: Float64Array.from(left, (place) => known.rows[place] as number),
      codes: new Uint8Array(left.length * size),
    };
    for (const [to, from] of left.entries()) {
      block.codes.set(known.codes.subarray(from * size, (from + 1) * size), to * size);
    }
    const { tenant_id, collection } = row as { tenant_id: string; collection: string };
    writeBlock(sql, codes, number, { tenant_id, collection }, block);
  }
  return gone.size;
}
