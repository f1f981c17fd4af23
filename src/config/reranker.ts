/** The part of the configuration that is about the reranker. */

import type { Settings } from "./settings.ts";
import { type TransformersRerankerConfig, toTransformersReranker } from "./transformers.ts";

export type RerankerConfig =
  | { kind: "none" }
  | TransformersRerankerConfig
  | {
      kind: "http" | "tei";
      url: string;
      model: string | undefined;
      api_key: string | undefined;
      batch_size: number;
    };

/** What the chosen reranker needs, and why. */
export function needsOfReranker(values: Settings): [keyof Settings, string][] {
  const why = `SLUICE_RERANKER is ${values.SLUICE_RERANKER}`;
  switch (values.SLUICE_RERANKER) {
    case "none":
      return [];
    case "http":
      return [
        ["SLUICE_RERANKER_URL", why],
        ["SLUICE_RERANKER_MODEL", why],
      ];
    case "tei":
      return [["SLUICE_RERANKER_URL", why]];
    case "transformers":
      return [["SLUICE_RERANKER_MODEL", why]];
  }
}

export function toReranker(values: Settings, data_dir: string): RerankerConfig {
  const { SLUICE_RERANKER: kind } = values;
  if (kind === "none") return { kind };
  if (kind === "transformers") return toTransformersReranker(values, data_dir);
  return {
    kind,
    // Seen to be there before.
    url: values.SLUICE_RERANKER_URL as string,
    model: values.SLUICE_RERANKER_MODEL,
    api_key: values.SLUICE_RERANKER_API_KEY,
    batch_size: values.SLUICE_RERANKER_BATCH,
  };
}
