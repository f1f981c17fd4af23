/** chunk: text and blocks → chunks, stored row by row. The same input makes the same chunks under the same ids. */
import type { Chunk, ExtractedText } from "../../chunk.ts";
import { resolveChunking } from "../../collection.ts";
import { SluiceError } from "../../errors.ts";
import { chunkId } from "../../ids.ts";
import { type ChunkOptions, chunkText } from "../chunker.ts";
import type { Stage, StageContext } from "../stage.ts";

/** Chunks written in one transaction: few enough that nobody waits for the write lock. */
const BATCH = 256;

export interface Chunked {
  chunks_created: number;
}

export const chunk: Stage<ExtractedText, Chunked> = {
  name: "chunking",

  async run(extracted, context) {
    const { source, signal } = context;
    const { document_id, version } = source;
    const chunking = await chunkingOf(context);
    const drafts = chunkText(extracted, chunking);
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
      const isLast = start + BATCH >= drafts.length;
      // An attempt before this one may have died half way under other settings, with more and shorter chunks.
      const rest = { discard_chunks: { document_id, version, from: drafts.length } };
      await context.commit({ chunks, ...(isLast ? rest : {}) });
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

/**
 * Read once: what is changed from now on holds for the next document. An attempt that finds this stage's checkpoint
 * doesn't come here, so all chunks of a version are cut alike.
 */
async function chunkingOf({ documents, source, collection, chunking }: StageContext): Promise<ChunkOptions> {
  const own = await documents.collections.read(source.tenant_id, collection);
  return resolveChunking(chunking, own?.settings.chunking ?? {});
}
