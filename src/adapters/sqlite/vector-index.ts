/** VectorIndex on tables of vectors and FTS5, in the same file as everything else. */
import type { VectorIndex } from "../../ports/vector-index.ts";
import type { ReaderThreads } from "./search-threads.ts";
import type { Writer } from "./writer.ts";

export function createSqliteIndex(
  writer: Writer,
  threads: ReaderThreads,
  embedder: { embedder_id: string; dimensions: number },
): VectorIndex {
  const { embedder_id, dimensions } = embedder;
  return {
    embedder_id,
    under: async (other) => createSqliteIndex(writer, threads, other),
    stage: (entries, lease) => writer.write({ op: "stage", embedder_id, dimensions, entries, lease }),
    add: (entries, lease) => writer.write({ op: "add", embedder_id, dimensions, entries, lease }),
    remove: (tenant_id, document_id, version) =>
      writer.write({ op: "remove_indexed", tenant_id, document_id, version }),
    nearest: (scope, vector, limit) => threads.ask({ kind: "nearest", embedder_id, scope, vector, limit }),
    matching: (scope, words, limit) => threads.ask({ kind: "matching", scope, words, limit }),
    // The threads belong to the storage, which closes them.
    close: async () => {},
  };
}
