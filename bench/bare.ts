/**
 * Sluice's own stages, one after another in one process, with no queue, checkpoint, log or event between them: what
 * the article's handler does, and what any pipeline is measured against.
 */
import { aboutNothing } from "../src/about.ts";
import { createInProcessExtractor } from "../src/adapters/extract/in-process.ts";
import { headOf } from "../src/adapters/extract/input.ts";

import { createSystem } from "../src/adapters/node/system.ts";
import { openSqliteStorage } from "../src/adapters/sqlite/storage.ts";
import { createStaticEmbedder } from "../src/adapters/static/embedder.ts";
import { passageOf } from "../src/chunk.ts";
import type { DocumentRecord } from "../src/document.ts";
import type { Stage } from "../src/events.ts";
import { chunkId } from "../src/ids.ts";
import { detectMediaType } from "../src/intake/media-type.ts";
import { chunkText } from "../src/pipeline/chunker.ts";
import type { IndexEntry } from "../src/ports/vector-index.ts";

export interface BareFile {
  path: string;
  filename: string;
}

export interface BareResult {
  chunks: number;
  stage_ms: Record<Stage, number>;
}

/** Entries that the pipeline's index stage writes in one transaction; the same here. */
const INDEX_BATCH = 128;
const HEAD_BYTES = 64 * 1024;

export async function openBare(folder: string) {
  const system = createSystem();
  const embedder = await createStaticEmbedder();
  const extractor = createInProcessExtractor();
  const storage = await openSqliteStorage({ folder, system, embedder });
  const forever = new AbortController().signal;
  const tenant_id = "default";

  return {
    /** @throws SluiceError when the file can't be read */
    async ingest({ path, filename }: BareFile, collection: string): Promise<BareResult> {
      const marks = [performance.now()];
      const media_type = await detectMediaType(await headOf(path, HEAD_BYTES), filename, undefined);
      const extracted = await extractor.extract({ path, media_type, filename }, () => {}, forever);
      marks.push(performance.now());

      const document_id = system.newId("doc");
      const options = {
        max_tokens: 256,
        overlap_tokens: 32,
        ...(embedder.count_tokens ? { count_tokens: embedder.count_tokens } : {}),
      };
      const chunks = chunkText(extracted, options).map((draft, ordinal) => ({
        ...draft,
        chunk_id: chunkId(document_id, 1, ordinal),
        document_id,
        version: 1,
        ordinal,
      }));
      marks.push(performance.now());

      const entries: IndexEntry[] = [];
      for (let start = 0; start < chunks.length; start += embedder.batch_size) {
        const batch = chunks.slice(start, start + embedder.batch_size);
        const vectors = await embedder.embed(batch.map(passageOf), "passage");
        for (const [place, chunk] of batch.entries()) {
          entries.push({ chunk, tenant_id, collection, vector: vectors[place] as Float32Array });
        }
      }
      marks.push(performance.now());

      for (let start = 0; start < entries.length; start += INDEX_BATCH) {
        await storage.index.stage(entries.slice(start, start + INDEX_BATCH));
      }
      // The one row that makes its chunks visible to a search.
      const record = documentRow({ document_id, tenant_id, collection, filename, media_type });
      record.chunks_created = chunks.length;
      await storage.documents.commit([{ tenant_id, document: { record, expect_revision: null } }]);
      marks.push(performance.now());

      const [begun, extractedAt, chunkedAt, embeddedAt, indexedAt] = marks as [
        number,
        number,
        number,
        number,
        number,
      ];
      return {
        chunks: chunks.length,
        stage_ms: {
          extracting: extractedAt - begun,
          chunking: chunkedAt - extractedAt,
          embedding: embeddedAt - chunkedAt,
          indexing: indexedAt - embeddedAt,
        },
      };
    },
    close: () => storage.close(),
  };
}

function documentRow(
  given: Pick<DocumentRecord, "document_id" | "tenant_id" | "collection" | "filename" | "media_type">,
): DocumentRecord {
  const now = new Date().toISOString();
  return {
    ...given,
    size_bytes: 0,
    // Nobody hashed it; it only has to be another one for every document.
    sha256: given.document_id,
    parent_document_id: null,
    status: "completed",
    stage: null,
    progress: { done: 0, total: null },
    error: null,
    version: 1,
    searchable_version: 1,
    chunks_created: 0,
    metadata: {},
    about: aboutNothing,
    created_at: now,
    updated_at: now,
    correlation_id: "",
    job_id: "",
    revision: 1,
  };
}
