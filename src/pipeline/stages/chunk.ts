/** chunk: text and blocks → chunks, stored row by row. The same input makes the same chunks under the same ids. */
import type { Chunk, ChunkDraft } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { chunkId } from "../../ids.ts";
import { createChunker } from "../chunker.ts";
import type { Stage } from "../stage.ts";
import type { ExtractedDocument } from "./extract.ts";

/** Chunks written in one transaction: few enough that nobody waits for the write lock. */
const BATCH = 256;

export interface Chunked {
  chunks_created: number;
}

export const chunk: Stage<ExtractedDocument, Chunked> = {
  name: "chunking",

  async run(extracted, context) {
    const { source, signal } = context;
    const { document_id, version } = source;
    const chunker = createChunker(context.chunking);
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
    return {
      output: { chunks_created },
      checkpoint: { chunks_created },
      counts: { chunks: chunks_created, tokens },
    };
  },

  async restore(checkpoint) {
    return { chunks_created: checkpoint.chunks_created as number };
  },
};
