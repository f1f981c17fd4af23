/** chunk: text and blocks → chunks, stored row by row. The same input makes the same chunks under the same ids. */
import type { Chunk, ChunkDraft } from "../../chunk.ts";
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
    const chunker = createChunker(optionsFor(context));
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
      while (waiting.length >= BATCH || (isEnd && waiting.length > 0)) {
        signal.throwIfAborted();
        const chunks = waiting.slice(0, BATCH);
        waiting = waiting.slice(BATCH);
        await context.commit({ chunks });
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
      ...(context.chunking.contextual_header ? { contextual: { title: extracted.title } } : {}),
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

/** Tokens are those of the embedder that will read the chunks, where it counts them. */
function optionsFor({ chunking, embedder }: StageContext): ChunkOptions {
  return embedder.count_tokens
    ? { count_tokens: (text) => embedder.count_tokens!(text), ...chunking }
    : chunking;
}
