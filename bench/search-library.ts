/** A database that holds a library: made-up documents of many topics, put in bulk straight through the adapter. */
import type { DatabaseSync } from "node:sqlite";
import { aboutNothing } from "../src/about.ts";
import { migrate, openDatabase, type Sql, statements } from "../src/adapters/sqlite/schema.ts";
import { applyCommit } from "../src/adapters/sqlite/write-commit.ts";
import { stageEntries } from "../src/adapters/sqlite/write-index.ts";
import type { Chunk } from "../src/chunk.ts";
import type { DocumentRecord } from "../src/document.ts";
import { chunkId } from "../src/ids.ts";
import { estimateTokens } from "../src/pipeline/tokens.ts";
import type { Embedder } from "../src/ports/embedder.ts";
import type { IndexEntry } from "../src/ports/vector-index.ts";
import { createTexts } from "./texts.ts";

export const TENANT = "library";
export const CHUNKS_PER_DOCUMENT = 20;
const DOCUMENTS_AT_ONCE = 100;
const TOPICS = 64;
/** Of its topic's words and of everybody's, in tokens. */
const TOKENS = [24, 40] as const;
const TIME = "2026-01-01T00:00:00.000Z";

export interface Library {
  /** Puts documents until there are so many chunks. @returns milliseconds of embedding and of writing, for those new */
  growTo(chunks: number): Promise<{ chunks: number; embed_ms: number; write_ms: number }>;
  /** Something to ask: words of a topic and words of everybody, half and half. */
  question(words: number): string;
  /** The best `limit` cosine similarities with each of these vectors, by looking at all. */
  exact(queries: Float32Array[], limit: number): { best: Float32Array[]; ms_per_query: number };
  close(): void;
}

export function openLibrary(path: string, embedder: Embedder): Library {
  const db = openDatabase(path);
  // The library is lost with the machine anyway.
  db.exec("PRAGMA synchronous = OFF");
  migrate(db);
  const sql = statements(db);
  const common = createTexts(1);
  const topics = Array.from({ length: TOPICS }, (_, topic) => createTexts(topic + 2));
  let documents = 0;
  let asked = 0;

  const passage = (topic: number) =>
    `${topics[topic % TOPICS]?.paragraph(TOKENS[0])} ${common.paragraph(TOKENS[1])}`;

  return {
    async growTo(chunks) {
      const spent = { chunks: 0, embed_ms: 0, write_ms: 0 };
      while (documents * CHUNKS_PER_DOCUMENT < chunks) {
        const left = Math.ceil(chunks / CHUNKS_PER_DOCUMENT) - documents;
        const records = Array.from({ length: Math.min(DOCUMENTS_AT_ONCE, left) }, () =>
          newRecord(documents++),
        );
        const texts = records.map((_, place) =>
          Array.from({ length: CHUNKS_PER_DOCUMENT }, () => passage(documents + place)),
        );
        const began = performance.now();
        const vectors = await embedder.embed(texts.flat(), "passage");
        const embedded = performance.now();
        writeDocuments(db, sql, embedder, records, texts, vectors);
        spent.chunks += vectors.length;
        spent.embed_ms += embedded - began;
        spent.write_ms += performance.now() - embedded;
      }
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      return spent;
    },
    question(words) {
      const topic = topics[asked++ % TOPICS]?.paragraph(words) as string;
      const own = topic.split(" ").slice(0, Math.ceil(words / 2));
      return [
        ...own,
        ...common
          .paragraph(words)
          .split(" ")
          .slice(0, Math.floor(words / 2)),
      ].join(" ");
    },
    exact: (queries, limit) => exact(sql, queries, limit),
    close: () => db.close(),
  };
}

function newRecord(number: number): DocumentRecord {
  const document_id = `doc_${number.toString(16).padStart(32, "0")}`;
  return {
    document_id,
    tenant_id: TENANT,
    collection: "default",
    filename: `${number}.txt`,
    media_type: "text/plain",
    size_bytes: 1,
    sha256: document_id,
    parent_document_id: null,
    status: "completed",
    stage: null,
    progress: { done: 1, total: 1 },
    error: null,
    version: 1,
    searchable_version: 1,
    chunks_created: CHUNKS_PER_DOCUMENT,
    metadata: { shelf: number % 100 },
    about: aboutNothing,
    created_at: TIME,
    updated_at: TIME,
    correlation_id: "cor_bench",
    job_id: "job_bench",
    revision: 1,
  };
}

/** All in one transaction: in as many as there are documents it would take hours. */
function writeDocuments(
  db: DatabaseSync,
  sql: Sql,
  { embedder_id, dimensions }: Embedder,
  records: DocumentRecord[],
  texts: string[][],
  vectors: Float32Array[],
): void {
  let next = 0;
  const entries: IndexEntry[] = [];
  db.exec("BEGIN IMMEDIATE");
  for (const [place, record] of records.entries()) {
    const { document_id, tenant_id, collection, version } = record;
    const own = (texts[place] as string[]).map((text, ordinal): IndexEntry => {
      const chunk = newChunk(record, ordinal, text);
      return { chunk, tenant_id, collection, vector: vectors[next++] as Float32Array };
    });
    const embedded = own.map(({ chunk, vector }) => ({ ordinal: chunk.ordinal, vector }));
    applyCommit(
      sql,
      {
        tenant_id,
        document: { record, expect_revision: null },
        chunks: own.map(({ chunk }) => chunk),
        embeddings: { document_id, version, embedder_id, vectors: embedded },
      },
      0,
      { events: false, jobs: false },
    );
    entries.push(...own);
  }
  stageEntries(sql, embedder_id, dimensions, entries);
  db.exec("COMMIT");
}

function newChunk({ document_id, version }: DocumentRecord, ordinal: number, text: string): Chunk {
  return {
    chunk_id: chunkId(document_id, version, ordinal),
    document_id,
    version,
    ordinal,
    text,
    page: null,
    sheet: null,
    row_start: null,
    row_end: null,
    char_start: 0,
    char_end: text.length,
    heading_path: [],
    section_start: 0,
    header: null,
    token_count: estimateTokens(text),
  };
}

function exact(sql: Sql, queries: Float32Array[], limit: number) {
  const best = queries.map(() => new Float32Array(limit).fill(-2));
  const began = performance.now();
  for (const row of sql("SELECT vector FROM embeddings").iterate()) {
    const bytes = row.vector as Uint8Array;
    const vector = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    for (const [number, query] of queries.entries()) {
      let sum = 0;
      for (let place = 0; place < vector.length; place++) {
        sum += (vector[place] as number) * (query[place] as number);
      }
      const own = best[number] as Float32Array;
      if (sum <= (own[limit - 1] as number)) continue;
      own[limit - 1] = sum;
      own.sort().reverse();
    }
  }
  return { best, ms_per_query: (performance.now() - began) / queries.length };
}
