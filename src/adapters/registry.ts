/** Which adapters there are, by name, each loaded only when it is chosen. */
import type { BlobStore } from "../ports/blob-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Extractor } from "../ports/extractor.ts";
import type { System } from "../ports/system.ts";

/** The embedding service of a configuration, in the words of the adapter. */
export type EmbedderSettings =
  | { kind: "hashing" }
  | {
      kind: "openai";
      url: string;
      model: string;
      dimensions: number;
      request_dimensions: boolean;
      api_key: string | undefined;
      batch_size: number;
      timeout_ms: number;
      query_prefix: string;
      passage_prefix: string;
    };

export async function openEmbedder(settings: EmbedderSettings, system: System): Promise<Embedder> {
  switch (settings.kind) {
    case "hashing": {
      const { createHashingEmbedder } = await import("./hashing/embedder.ts");
      return createHashingEmbedder();
    }
    case "openai": {
      const { createOpenAiEmbedder } = await import("./openai/embedder.ts");
      return createOpenAiEmbedder({ ...settings, system });
    }
  }
}

export async function openSqlite(
  folder: string,
  system: System,
  embedder: { embedder_id: string; dimensions: number },
) {
  const { openSqliteStorage } = await import("./sqlite/storage.ts");
  return openSqliteStorage({ folder, system, embedder });
}

export async function openFolderBlobs(folder: string): Promise<BlobStore> {
  const { createFolderBlobStore } = await import("./fs/blob-store.ts");
  return createFolderBlobStore({ folder });
}

export async function openExtractor(settings: {
  timeout_ms: number;
  memory_mb: number;
  size: number;
}): Promise<Extractor> {
  const { createProcessExtractor } = await import("./extract/process-extractor.ts");
  return createProcessExtractor(settings);
}
