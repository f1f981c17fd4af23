/** The part of the configuration that is about models in this process. */
import { join } from "node:path";
import type { Settings } from "./settings.ts";

interface Shared {
  kind: "transformers";
  /** A folder, or a model of the hub. */
  model: string;
  dtype: Settings["SLUICE_EMBEDDER_DTYPE"];
  max_tokens: number;
  threads: number;
  /** Models of the hub are kept there. */
  cache_folder: string;
  package_folder: string | undefined;
}

export type TransformersEmbedderConfig = Shared & {
  pooling: Settings["SLUICE_EMBEDDER_POOLING"];
  query_prefix: string;
  passage_prefix: string;
  batch_size: number | undefined;
};
export type TransformersRerankerConfig = Shared;
/** An index may be of such a model although another embedder is configured now. */
export type LocalModelConfig = Omit<TransformersEmbedderConfig, "kind" | "model"> & {
  model: string | undefined;
};

const shared = (values: Settings, data_dir: string) => ({
  kind: "transformers" as const,
  threads: values.SLUICE_TRANSFORMERS_THREADS,
  cache_folder: join(data_dir, "models"),
  package_folder: values.SLUICE_TRANSFORMERS_DIR,
});

export function toLocalModel(values: Settings, data_dir: string): LocalModelConfig {
  const { kind: _, ...config } = toTransformersEmbedder(values, data_dir);
  return { ...config, model: values.SLUICE_EMBEDDER_MODEL };
}

export function toTransformersEmbedder(values: Settings, data_dir: string): TransformersEmbedderConfig {
  return {
    ...shared(values, data_dir),
    // Seen to be there before.
    model: values.SLUICE_EMBEDDER_MODEL as string,
    dtype: values.SLUICE_EMBEDDER_DTYPE,
    max_tokens: values.SLUICE_EMBEDDER_MAX_TOKENS,
    pooling: values.SLUICE_EMBEDDER_POOLING,
    query_prefix: values.SLUICE_EMBEDDER_QUERY_PREFIX,
    passage_prefix: values.SLUICE_EMBEDDER_PASSAGE_PREFIX,
    batch_size: values.SLUICE_EMBEDDER_BATCH,
  };
}

export function toTransformersReranker(values: Settings, data_dir: string): TransformersRerankerConfig {
  return {
    ...shared(values, data_dir),
    // Seen to be there before.
    model: values.SLUICE_RERANKER_MODEL as string,
    dtype: values.SLUICE_RERANKER_DTYPE,
    max_tokens: values.SLUICE_RERANKER_MAX_TOKENS,
  };
}
