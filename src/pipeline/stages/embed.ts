/** embed: chunks → vectors, batch by batch. Each batch is stored before the next is asked for: it is the checkpoint. */
import type { Stage } from "../stage.ts";
import type { Chunked } from "./chunk.ts";

export const embed: Stage<Chunked, Chunked> = {
  name: "embedding",

  async run({ chunks_created }, context) {
    const { source, documents, embedder, signal } = context;
    const { tenant_id, document_id, version } = source;
    const { embedder_id } = embedder;
    let embedded = 0;
    let next = await documents.firstUnembedded(tenant_id, document_id, version, embedder_id);
    while (next !== null && next < chunks_created) {
      signal.throwIfAborted();
      context.progress(next, chunks_created);
      const size = Math.min(embedder.batch_size, chunks_created - next);
      const batch = await documents.listChunks(tenant_id, document_id, version, next, size);
      const last = batch.at(-1);
      if (!last) throw new Error(`${document_id} version ${version} lost its chunks from ${next} on`);
      const vectors = await embedder.embed(
        batch.map(({ text }) => text),
        "passage",
        signal,
      );
      await context.commit({
        embeddings: {
          document_id,
          version,
          embedder_id,
          vectors: batch.map(({ ordinal }, place) => ({ ordinal, vector: vectors[place] as Float32Array })),
        },
      });
      embedded += batch.length;
      next = last.ordinal + 1;
    }
    return { output: { chunks_created }, checkpoint: { chunks_created, embedder_id }, counts: { embedded } };
  },

  async restore(checkpoint, context) {
    const chunked = { chunks_created: checkpoint.chunks_created as number };
    // The configuration changed between two attempts: vectors of another embedder are none.
    if (checkpoint.embedder_id !== context.embedder.embedder_id) await embed.run(chunked, context);
    return chunked;
  },
};
