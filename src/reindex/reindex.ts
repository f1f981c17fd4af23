/** What an operator does with a reindex: begin it, look at it, give it up. The work itself is done by workers. */
import { z } from "zod";
import { SluiceError } from "../errors.ts";
import { REEMBED_DOCUMENT } from "../job.ts";
import { ConflictError, type DocumentStore } from "../ports/document-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";
import type { VectorIndex } from "../ports/vector-index.ts";

export const reindexStatusSchema = z.object({
  state: z
    .enum(["current", "due", "running"])
    .describe(
      "`current`: the index is of the configured embedder; `due`: it isn't, or misses documents; `running`: a reindex is under way",
    ),
  configured: z.string().describe("embedder that the settings name"),
  serving: z
    .string()
    .nullable()
    .describe("embedder whose vectors are searched; null while nothing was indexed"),
  target: z.string().nullable().describe("embedder that serves when the reindex is complete"),
  began_at: z.iso.datetime().nullable(),
  documents: z.int().describe("documents that searches find"),
  done: z.int().describe("how many of them have vectors of the target, or else of the configured embedder"),
  failed: z.int().describe("dead jobs of this reindex, at most 1,000: it waits for them"),
});
export type ReindexStatus = z.infer<typeof reindexStatusSchema>;

export interface Reindex {
  status(): Promise<ReindexStatus>;
  /**
   * Begins a reindex under the configured embedder, or joins the one under way: then documents that still wait get
   * new jobs. Nothing begins when the index is of that embedder, whole.
   * @throws SluiceError reindex_under_way when it is one under another embedder; embedder_mismatch where the index can't
   *   hold its vectors; what the embedder's check throws
   */
  begin(): Promise<ReindexStatus>;
  /** Gives it up: what serves goes on serving. Without effect when there is none. */
  cancel(): Promise<ReindexStatus>;
}

const DEAD_LOOKED_AT = 1_000;

export function createReindex(parts: {
  documents: Pick<DocumentStore, "embedders">;
  queue: Pick<JobQueue, "list">;
  index: Pick<VectorIndex, "under">;
  embedder: Embedder;
  system: System;
}): Reindex {
  const { embedder, index, queue, system } = parts;
  const { embedders } = parts.documents;

  async function status(): Promise<ReindexStatus> {
    const { serving, target, began_at } = await embedders.read();
    const configured = embedder.embedder_id;
    const { documents, lacking } = await embedders.count(target ?? configured);
    const current = lacking === 0 && (serving === null || serving === configured);
    return {
      state: target !== null ? "running" : current ? "current" : "due",
      configured,
      serving,
      target,
      began_at,
      documents,
      done: documents - lacking,
      failed: target === null ? 0 : await countDead(target),
    };
  }

  async function countDead(target: string): Promise<number> {
    const dead = await queue.list({ state: "dead", limit: DEAD_LOOKED_AT });
    return dead.filter(
      ({ job_type, payload }) => job_type === REEMBED_DOCUMENT && payload.embedder_id === target,
    ).length;
  }

  return {
    status,
    async begin() {
      const before = await status();
      if (before.state === "current") return before;
      await embedder.check();
      // Refused where the index can't hold its vectors.
      await index.under(embedder);
      try {
        await embedders.begin(embedder.embedder_id, new Date(system.now()).toISOString());
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        throw new SluiceError(
          "reindex_under_way",
          `A reindex under ${before.target} is under way; the settings here name ${embedder.embedder_id}.`,
        );
      }
      return status();
    },
    async cancel() {
      const { target } = await embedders.read();
      if (target !== null) await embedders.cancel(target);
      return status();
    },
  };
}
