/** embed: chunks → vectors, batch by batch. Each batch is stored before the next is asked for: it is the checkpoint. */
import { SluiceError } from "../../errors.ts";
import { embeddedText } from "../passage.ts";
import { findReusable } from "../reuse.ts";
import type { Stage, StageContext } from "../stage.ts";
import { type Chunked, restoreChunked } from "./chunk.ts";

/** How long an embedder that asked to slow down, and did not say for how long, is left alone. */
const PAUSE_MS = 5_000;

export const embed: Stage<Chunked, Chunked> = {
  name: "embedding",

  async run(chunked, context) {
    const { chunks_created, contextual } = chunked;
    const { source, documents, embedder, signal } = context;
    const { tenant_id, document_id, version } = source;
    const { embedder_id } = embedder;
    const reusable = await findReusable(documents, source, embedder_id, contextual);
    let [embedded, reused] = [0, 0];
    let next = await documents.firstUnembedded(tenant_id, document_id, version, embedder_id);
    while (next !== null && next < chunks_created) {
      signal.throwIfAborted();
      context.progress(next, chunks_created);
      const size = Math.min(embedder.batch_size, chunks_created - next);
      const batch = await documents.listChunks(tenant_id, document_id, version, next, size);
      const last = batch.at(-1);
      if (!last) throw new Error(`${document_id} version ${version} lost its chunks from ${next} on`);
      const known = await reusable(batch);
      const unknown = batch
        .filter((_, place) => known[place] === undefined)
        .map((chunk) => embeddedText(chunk, contextual));
      const made = unknown.length === 0 ? [] : await embedUnlessHeld(context, unknown);
      embedded += made.length;
      reused += batch.length - made.length;
      const vectors = batch.map(({ ordinal }, place) => ({
        ordinal,
        vector: known[place] ?? (made.shift() as Float32Array),
      }));
      await context.commit({ embeddings: { document_id, version, embedder_id, vectors } });
      next = last.ordinal + 1;
    }
    return {
      output: chunked,
      checkpoint: { ...chunked, embedder_id },
      counts: { embedded, reused },
    };
  },

  async restore(checkpoint, context) {
    const chunked = restoreChunked(checkpoint);
    // The configuration changed between two attempts: vectors of another embedder are none.
    if (checkpoint.embedder_id !== context.embedder.embedder_id) await embed.run(chunked, context);
    return chunked;
  },
};

/**
 * Embeds, unless the embedder asked anybody for a pause that is not over. Then nobody asks it again before its time:
 * whoever comes here goes back into the queue, extracted and chunked, at no cost of an attempt.
 *
 * @throws SluiceError embedder_rate_limited, and what the embedder throws
 */
async function embedUnlessHeld(context: StageContext, texts: string[]): Promise<Float32Array[]> {
  const { documents, embedder, system, signal } = context;
  const name = `embedder:${embedder.embedder_id}`;
  const wait = (await documents.heldUntil(name)) - system.now();
  if (wait > 0) {
    throw new SluiceError(
      "embedder_rate_limited",
      `The embedding service asked for a pause, which lasts ${Math.ceil(wait / 1_000)} s more.`,
      { retry_after_ms: wait },
    );
  }
  try {
    return await embedder.embed(texts, "passage", signal);
  } catch (error) {
    if (error instanceof SluiceError && error.code === "embedder_rate_limited") {
      await documents.hold(name, system.now() + (error.retry_after_ms ?? PAUSE_MS));
    }
    throw error;
  }
}
