/**
 * index: vectors and words → the index, in small transactions. Nothing of it is visible yet; the publishing
 * transaction that follows makes all of it the searchable version at once.
 */
import type { Stage } from "../stage.ts";
import type { Chunked } from "./chunk.ts";

/** Entries written in one transaction: a few milliseconds of the write lock. */
const BATCH = 128;

export const indexChunks: Stage<Chunked, Chunked> = {
  name: "indexing",

  async run(chunked, context) {
    const { chunks_created } = chunked;
    const { source, documents, index, signal, collection, about } = context;
    const { tenant_id, document_id, version, filename } = source;
    let next = 0;
    while (next < chunks_created) {
      signal.throwIfAborted();
      // Never beyond: a chunk stage of an earlier release may have left rows there.
      const size = Math.min(BATCH, chunks_created - next);
      const batch = await documents.listChunks(tenant_id, document_id, version, next, size);
      const last = batch.at(-1);
      if (!last) throw new Error(`${document_id} version ${version} lost its chunks from ${next} on`);
      await index.stage(
        batch.map(({ vector, embedder_id, ...chunk }) => {
          if (!vector || embedder_id !== index.embedder_id) {
            throw new Error(`${chunk.chunk_id} has no vector of ${index.embedder_id}`);
          }
          return { chunk, tenant_id, collection, vector, filename, about };
        }),
        context.lease,
      );
      next = last.ordinal + 1;
      context.progress(next, chunks_created);
    }
    return { output: chunked, checkpoint: {}, counts: { indexed: chunks_created } };
  },

  async restore() {
    throw new Error("the index stage ends in publishing: it has no checkpoint of its own");
  },
};
