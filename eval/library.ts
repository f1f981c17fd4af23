/** A Sluice on SQLite that holds a test collection, and answers its queries through the search that users have. */
import { createHash } from "node:crypto";
import { aboutOf } from "../src/about.ts";
import { createTextBuilder } from "../src/adapters/extract/text-builder.ts";
import type { Chunk, ExtractedText } from "../src/chunk.ts";
import { openAdapters } from "../src/compose.ts";
import { parseConfig } from "../src/config/config.ts";
import type { DocumentRecord } from "../src/document.ts";
import { chunkId } from "../src/ids.ts";
import { type ChunkOptions, chunkText } from "../src/pipeline/chunker.ts";
import { embeddedText } from "../src/pipeline/passage.ts";
import type { Commit } from "../src/ports/document-store.ts";
import type { Embedder } from "../src/ports/embedder.ts";
import type { Reranker } from "../src/ports/reranker.ts";
import { createSearch, type SearchMode } from "../src/search/search.ts";
import type { Collection, TestDocument } from "./collection.ts";

const tenant_id = "eval";
/** Documents written in one transaction. */
const BATCH = 200;

export interface Library extends AsyncDisposable {
  chunks: number;
  /** Ids of documents, best first, each at the place of its best chunk. */
  ask(query: string, mode: SearchMode, top_k: number): Promise<string[]>;
}

/**
 * Publishes a collection's documents as the pipeline does, without its files, jobs and events: cut by the chunker,
 * embedded, staged, then made searchable.
 *
 * @param data_dir an empty folder
 * @param options.chunking what of it is given takes the place of the defaults
 */
export async function openLibrary(
  collection: Collection,
  embedder: Embedder,
  data_dir: string,
  { reranker, chunking }: { reranker?: Reranker | undefined; chunking?: ChunkOptions } = {},
): Promise<Library> {
  const config = parseConfig({ SLUICE_DATA_DIR: data_dir });
  const options: ChunkOptions = {
    ...config.chunk,
    ...(embedder.count_tokens ? { count_tokens: (text) => embedder.count_tokens!(text) } : {}),
    ...chunking,
  };
  const adapters = await openAdapters(config, { embedder });
  const { documents, index, system } = adapters;
  let chunks = 0;
  try {
    for (let start = 0; start < collection.documents.length; start += BATCH) {
      await publish(collection.documents.slice(start, start + BATCH));
    }
  } catch (error) {
    await adapters.close();
    throw error;
  }

  async function publish(some: TestDocument[]): Promise<void> {
    const made = some.flatMap((document) => {
      const extracted = extractedOf(document);
      if (extracted === undefined) return [];
      const record = newRecord(document.id, extracted);
      const contextual = options.contextual_header ? { title: document.title } : undefined;
      return [{ record, chunks: chunksOf(record, extracted), contextual }];
    });
    const all = made.flatMap((one) => one.chunks);
    const wanted = made.flatMap((one) => one.chunks.map((chunk) => embeddedText(chunk, one.contextual)));
    const vectors: Float32Array[] = [];
    for (let start = 0; start < all.length; start += embedder.batch_size) {
      const texts = wanted.slice(start, start + embedder.batch_size);
      vectors.push(...(await embedder.embed(texts, "passage")));
    }
    const vectorOf = new Map(all.map(({ chunk_id }, place) => [chunk_id, vectors[place] as Float32Array]));
    const { embedder_id } = embedder;
    await documents.commit(
      made.flatMap(({ record, chunks: own }): Commit[] => [
        { tenant_id, document: { record, expect_revision: null }, chunks: own },
        {
          tenant_id,
          embeddings: {
            document_id: record.document_id,
            version: 1,
            embedder_id,
            vectors: own.map(({ chunk_id, ordinal }) => ({ ordinal, vector: vectorOf.get(chunk_id)! })),
          },
        },
      ]),
    );
    await index.stage(
      made.flatMap(({ record: { about }, chunks: own }) =>
        own.map((chunk) => ({
          chunk,
          tenant_id,
          collection: collection.name,
          vector: vectorOf.get(chunk.chunk_id)!,
          about,
        })),
      ),
    );
    await documents.commit(
      made.map(({ record }) => ({
        tenant_id,
        document: {
          record: { ...record, status: "completed", searchable_version: 1, revision: 2 },
          expect_revision: 1,
        },
      })),
    );
    chunks += all.length;
  }

  function newRecord(id: string, extracted: ExtractedText): DocumentRecord {
    const time = new Date(system.now()).toISOString();
    const document_id = system.newId("doc");
    return {
      document_id,
      tenant_id,
      collection: collection.name,
      // The same of all: a collection's documents have no file names that say anything.
      filename: "document.txt",
      media_type: "text/plain",
      size_bytes: Buffer.byteLength(extracted.text),
      sha256: createHash("sha256").update(document_id).digest("hex"),
      parent_document_id: null,
      status: "processing",
      stage: "indexing",
      progress: { done: 0, total: null },
      error: null,
      version: 1,
      searchable_version: null,
      chunks_created: 0,
      metadata: { id },
      about: aboutOf(extracted),
      created_at: time,
      updated_at: time,
      correlation_id: system.newId("cor"),
      job_id: system.newId("job"),
      revision: 1,
    };
  }

  function chunksOf({ document_id, version }: DocumentRecord, extracted: ExtractedText): Chunk[] {
    return chunkText(extracted, options).map((draft, ordinal) => ({
      ...draft,
      chunk_id: chunkId(document_id, version, ordinal),
      document_id,
      version,
      ordinal,
    }));
  }

  const search = createSearch({
    documents,
    index,
    embedder,
    ...(reranker ? { reranker, reranking: { candidates: 50, timeout_ms: 60_000 } } : {}),
  });
  return {
    chunks,
    async ask(query, mode, top_k) {
      const { hits } = await search.search(tenant_id, { query, mode, top_k });
      return [...new Set(hits.map(({ metadata }) => metadata.id as string))];
    },
    [Symbol.asyncDispose]: () => adapters.close(),
  };
}

/** A title is a heading, as a reader of files would have it. Nothing where there is no text at all. */
function extractedOf({ title, paragraphs }: TestDocument): ExtractedText | undefined {
  const builder = createTextBuilder();
  builder.add("heading", title);
  for (const paragraph of paragraphs) builder.add("paragraph", paragraph);
  const isEmpty = [title, ...paragraphs].every((text) => !/[\p{L}\p{N}]/u.test(text));
  return isEmpty ? undefined : builder.finish("document.txt", { title });
}
