/** chunk: text and blocks → chunks, stored row by row. The same input makes the same chunks under the same ids. */
import type { Chunk, ExtractedText } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { chunkId } from "../../ids.ts";
import { type ChunkOptions, chunkText } from "../chunker.ts";
import type { ContextualHeader } from "../passage.ts";
import type { Stage, StageContext } from "../stage.ts";

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

export const chunk: Stage<ExtractedText, Chunked> = {
  name: "chunking",

  async run(extracted, context) {
    const { source, signal } = context;
    const { document_id, version } = source;
    const drafts = chunkText(extracted, optionsFor(context));
    if (drafts.length === 0) {
      throw new SluiceError("empty_document", `${source.filename} holds no text to search.`);
    }
    let tokens = 0;
    for (let start = 0; start < drafts.length; start += BATCH) {
      signal.throwIfAborted();
      const chunks = drafts.slice(start, start + BATCH).map((draft, place): Chunk => {
        const ordinal = start + place;
        tokens += draft.token_count;
        return { ...draft, chunk_id: chunkId(document_id, version, ordinal), document_id, version, ordinal };
      });
      await context.commit({ chunks });
      context.progress(start + chunks.length, drafts.length);
    }
    const chunks_created = drafts.length;
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
