/** Stops one attempt at a chosen place of the pipeline, until the test lets it go on. */
import type { VectorIndex } from "../../src/ports/vector-index.ts";
import type { WorkerDependencies } from "../../src/worker/worker.ts";
import { unlessAborted } from "./embedder.ts";
import { gate, type Rig } from "./rig.ts";

export const places = ["extracting", "chunking", "embedding", "indexing", "publishing"] as const;
export type Place = (typeof places)[number];

export interface Held {
  /** For a worker: its first attempt that comes to the place waits there. */
  parts: Partial<WorkerDependencies>;
  reached: Promise<void>;
  go(): void;
}

/**
 * @param place before the extractor reads, before chunks are stored, before the second batch is embedded, before
 *   entries are staged, before the publishing transaction
 * @param options.deaf the worker never hears that a lease is lost: as one that hung while others went on
 */
export function holdAt(rig: Rig, place: Place, options: { deaf?: boolean } = {}): Held {
  const reached = gate();
  const released = gate();
  let batches = 0;
  let held = false;

  async function passing(at: Place, signal?: AbortSignal): Promise<void> {
    if (at !== place || held) return;
    held = true;
    reached.open();
    await unlessAborted(released.opened, signal);
  }

  const holding = (index: VectorIndex): VectorIndex => ({
    ...index,
    under: async (embedder) => holding(await index.under(embedder)),
    async stage(...given) {
      await passing("indexing");
      return index.stage(...given);
    },
  });
  const parts: Partial<WorkerDependencies> = {
    extractor: {
      ...rig.extractor,
      async extract(source, progress, signal) {
        await passing("extracting", signal);
        return rig.extractor.extract(source, progress, signal);
      },
    },
    embedder: {
      ...rig.embedder,
      async embed(texts, kind, signal) {
        if (kind === "passage" && ++batches === 2) await passing("embedding", signal);
        return rig.embedder.embed(texts, kind, signal);
      },
    },
    documents: {
      ...rig.documents,
      async commit(commits) {
        if (commits.some((commit) => commit.chunks)) await passing("chunking");
        if (commits.some((commit) => commit.settle?.state === "succeeded")) await passing("publishing");
        return rig.documents.commit(commits);
      },
    },
    index: holding(rig.index),
  };
  if (options.deaf) {
    parts.queue = {
      ...rig.queue,
      lost: async () => [],
      async heartbeat(worker) {
        await rig.queue.heartbeat(worker, [], 0);
        return [];
      },
      // Others look after the dead.
      expired: async () => [],
    };
  }
  return { parts, reached: reached.opened, go: () => released.open() };
}
