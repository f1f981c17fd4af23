/** The embedder's part of the configuration. */

import { type Settings, settings } from "./settings.ts";
import { type TransformersEmbedderConfig, toTransformersEmbedder } from "./transformers.ts";

/** An OpenAI-compatible service, whichever of its models is asked for. */
export interface EmbeddingServiceConfig {
  url: string;
  request_dimensions: boolean;
  encoding: "float" | "base64";
  api_key: string | undefined;
  batch_size?: number;
  timeout_ms: number;
  query_prefix: string;
  passage_prefix: string;
}

export type EmbedderConfig =
  | { kind: "static" | "hashing" }
  | TransformersEmbedderConfig
  | ({ kind: "openai"; model: string; dimensions: number } & EmbeddingServiceConfig);

export function toEmbedder(values: Settings, data_dir: string): EmbedderConfig {
  const { SLUICE_EMBEDDER: kind } = values;
  if (kind === "transformers") return toTransformersEmbedder(values, data_dir);
  if (kind !== "openai") return { kind };
  return {
    kind,
    model: values.SLUICE_EMBEDDER_MODEL ?? "text-embedding-3-small",
    dimensions: values.SLUICE_EMBEDDER_DIMENSIONS,
    ...toService(values),
  };
}

/** An index may be of a model of that service although another embedder is configured now. */
export function toEmbeddingService(values: Settings): EmbeddingServiceConfig | undefined {
  const { SLUICE_EMBEDDER, SLUICE_EMBEDDER_API_KEY, SLUICE_EMBEDDER_URL } = values;
  const given =
    SLUICE_EMBEDDER === "openai" ||
    SLUICE_EMBEDDER_API_KEY !== undefined ||
    SLUICE_EMBEDDER_URL !== settings.SLUICE_EMBEDDER_URL.parse(undefined);
  return given ? toService(values) : undefined;
}

function toService(values: Settings): EmbeddingServiceConfig {
  return {
    url: values.SLUICE_EMBEDDER_URL,
    request_dimensions: values.SLUICE_EMBEDDER_REQUEST_DIMENSIONS,
    encoding: values.SLUICE_EMBEDDER_ENCODING,
    api_key: values.SLUICE_EMBEDDER_API_KEY,
    ...(values.SLUICE_EMBEDDER_BATCH && { batch_size: values.SLUICE_EMBEDDER_BATCH }),
    timeout_ms: values.SLUICE_EMBEDDER_TIMEOUT_SECONDS * 1_000,
    query_prefix: values.SLUICE_EMBEDDER_QUERY_PREFIX,
    passage_prefix: values.SLUICE_EMBEDDER_PASSAGE_PREFIX,
  };
}
