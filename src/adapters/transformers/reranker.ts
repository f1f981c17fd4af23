import type { Reranker } from "../../ports/reranker.ts";
import { openModel, type TransformersOptions } from "./open.ts";

/**
 * A reranker with a cross-encoder in this process: a model that reads query and passage together and gives one number
 * (`BertForSequenceClassification` with one label, and the like). Run as the embedder of this folder is: on a thread of
 * its own, one passage after another. A passage is cut where query and passage together are `max_tokens` long.
 *
 * @throws SluiceError model_missing
 * @throws TypeError when the options make no sense
 */
export async function createTransformersReranker(options: TransformersOptions): Promise<Reranker> {
  const { model, thread } = await openModel(
    options,
    { kind: "scores" },
    { died: "reranker_unavailable", refused: "reranker_rejected" },
  );

  async function rerank(query: string, passages: string[], signal?: AbortSignal): Promise<number[]> {
    signal?.throwIfAborted();
    if (passages.length === 0) return [];
    const scores = await thread.ask(
      passages.map((passage) => [query, passage]),
      { signal },
    );
    return scores.map((score) => score[0] as number);
  }

  return {
    reranker_id: `transformers:${model.name}:${options.dtype ?? "fp32"}:${model.fingerprint.slice(0, 12)}`,
    rerank,
    async check() {
      await rerank("check", ["check"]);
    },
    close: thread.close,
  };
}
