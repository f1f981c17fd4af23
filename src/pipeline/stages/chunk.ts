/** chunk: text and blocks → chunks, stored row by row. The same input makes the same chunks under the same ids. */
import type { Block, Chunk } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { chunkId } from "../../ids.ts";
import { chunkText } from "../chunker.ts";
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
    const texts: string[] = [];
    const blocks: Block[] = [];
    for await (const part of extracted.parts()) {
      texts.push(part.text);
      blocks.push(...part.blocks);
    }
    const drafts = chunkText(
      { text: texts.join(""), blocks, page_count: null, title: null },
      context.chunking,
    );
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
