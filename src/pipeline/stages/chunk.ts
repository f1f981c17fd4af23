/** chunk: text and blocks → chunks, stored row by row. The same input makes the same chunks under the same ids. */
import type { Chunk, ChunkDraft } from "../../chunk.ts";
import { resolveChunking } from "../../collection.ts";
import { SluiceError } from "../../errors.ts";
import { chunkId } from "../../ids.ts";
import { type ChunkOptions, createChunker } from "../chunker.ts";
import type { ContextualHeader } from "../passage.ts";
import type { Stage, StageContext } from "../stage.ts";
import type { ExtractedDocument } from "./extract.ts";

/** Chunks written in one transaction: few enough that nobody waits for the write lock. */
const BATCH = 256;

export interface Chunked {
  chunks_created: number;
  /** What the chunks are to be embedded with; absent where it is their text alone. */
  contextual?: ContextualHeader;
}

/** From the checkpoint of this stage or of the one after it. */
export function restoreChunked(checkpoint: Record<string, unknown>): Chunked {
  const { chunks_created, contextual } = checkpoint as unknown as Chunked;
  return { chunks_created, ...(contextual ? { contextual } : {}) };
}

export const chunk: Stage<ExtractedDocument, Chunked> = {
  name: "chunking",

  async run(extracted, context) {
    const { source, signal } = context;
    const { document_id, version } = source;
    const options = await optionsFor(context);
    const chunker = createChunker(options);
    let chunks_created = 0;
    let tokens = 0;
    let waiting: Chunk[] = [];

    /** Writes full batches, and in the end what is left. */
    async function write(drafts: ChunkDraft[], isEnd: boolean): Promise<void> {
      for (const draft of drafts) {
        const ordinal = chunks_created++;
        tokens += draft.token_count;
        const chunk_id = chunkId(document_id, version, ordinal);
        waiting.push({ ...draft, chunk_id, document_id, version, ordinal });
      }
      while (waiting.length > BATCH || (isEnd && waiting.length > 0)) {
        signal.throwIfAborted();
        const chunks = waiting.slice(0, BATCH);
        waiting = waiting.slice(BATCH);
        // An attempt before this one may have died half way under other settings, with more and shorter chunks.
        const rest = { discard_chunks: { document_id, version, from: chunks_created } };
        await context.commit({ chunks, ...(isEnd && waiting.length === 0 ? rest : {}) });
      }
    }

    let done = 0;
    for await (const part of extracted.parts()) {
      done += part.text.length;
      await write(chunker.push(part), false);
      context.progress(done, extracted.length);
    }
    await write(chunker.end(), true);
    if (chunks_created === 0) {
      throw new SluiceError("empty_document", `${source.filename} holds no text to search.`);
    }
    const chunked: Chunked = {
      chunks_created,
      ...(options.contextual_header ? { contextual: { title: extracted.title } } : {}),
    };
    return {
      output: chunked,
      checkpoint: { ...chunked },
      counts: { chunks: chunks_created, tokens },
    };
  },

  async restore(checkpoint) {
    return restoreChunked(checkpoint);
  },
};

/**
 * The server's settings under the collection's. Read once: what is changed from now on holds for the next document. An
 * attempt that finds this stage's checkpoint doesn't come here, so all chunks of a version are cut alike. Tokens are
 * those of the embedder that will read the chunks, where it counts them.
 */
async function optionsFor(context: StageContext): Promise<ChunkOptions> {
  const { documents, source, collection, chunking, embedder } = context;
  const own = await documents.collections.read(source.tenant_id, collection);
  const count = embedder.count_tokens && { count_tokens: (text: string) => embedder.count_tokens!(text) };
  return { ...count, ...resolveChunking(chunking, own?.settings.chunking ?? {}) };
}
