/** A worker's ports in a process that dies after a given operation, and what its successor does again. */
import type { WorkerDependencies } from "../../src/worker/worker.ts";
import type { Life } from "./life.ts";
import type { Rig } from "./rig.ts";

/** Every call that changes something outside the process is an operation of its life, heartbeats aside. */
export function mortal(rig: Rig, life: Life): Partial<WorkerDependencies> {
  return {
    documents: life.wrap(rig.documents, ["commit"]),
    queue: life.wrap(rig.queue, ["claim", "complete", "retry", "fail"]),
    blobs: life.wrap(rig.blobs, ["put", "delete"]),
    index: life.wrap(rig.index, ["stage", "remove"]),
  };
}

/** Without the claims at the end, which found nothing more and come as often as somebody rings. */
export function effective(operations: string[]): string[] {
  return operations.slice(0, operations.findLastIndex((name) => name !== "claim") + 1);
}

/** Counts the work that checkpoints are to spare. */
export function counting(rig: Rig) {
  const count = { extractions: 0, chunkings: 0 };
  const parts: Pick<WorkerDependencies, "extractor" | "documents"> = {
    extractor: {
      ...rig.extractor,
      extract(source, progress, signal) {
        count.extractions += 1;
        return rig.extractor.extract(source, progress, signal);
      },
    },
    documents: {
      ...rig.documents,
      commit(commits) {
        if (commits.some(({ chunks }) => chunks)) count.chunkings += 1;
        return rig.documents.commit(commits);
      },
    },
  };
  return { count, parts };
}
