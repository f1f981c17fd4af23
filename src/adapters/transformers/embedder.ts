import { createHash } from "node:crypto";
import { SluiceError } from "../../errors.ts";
import type { Embedder } from "../../ports/embedder.ts";
import { openTokenCounter } from "./count-tokens.ts";
import { openModel, requireWhole, type TransformersOptions } from "./open.ts";

export interface TransformersEmbedderOptions extends TransformersOptions {
  /** What becomes of the vectors of a text's tokens: their mean, that of the first, that of the last. Default mean. */
  pooling?: "mean" | "cls" | "last";
  /** Put before texts that are searched for, where the model wants it ("query: " for E5). */
  query_prefix?: string;
  /** Put before texts of documents ("passage: " for E5). */
  passage_prefix?: string;
  /** Texts in one call, after which the pipeline keeps what it has. Default 16. */
  batch_size?: number;
}

/**
 * An embedder with a sentence transformer in this process, run by transformers.js (the package
 * @huggingface/transformers, which is not among Sluice's dependencies) on ONNX Runtime's CPU provider.
 *
 * The model is loaded on a thread of its own with the first text. Texts run one by one: padding would cost what batching
 * gains on a CPU, and a text's vector doesn't depend on those beside it. Texts without content get a vector of zeros.
 *
 * The id has the model's name, its dtype, and a hash of its files and of all options that change vectors.
 *
 * @throws SluiceError model_missing
 * @throws TypeError when the options make no sense
 */
export async function createTransformersEmbedder(
  options: TransformersEmbedderOptions,
): Promise<Embedder & { close(): Promise<void> }> {
  const { dtype = "fp32", pooling = "mean", max_tokens = 512, batch_size = 16 } = options;
  const { query_prefix = "", passage_prefix = "" } = options;
  requireWhole("batch_size", batch_size, 1);
  if (!["mean", "cls", "last"].includes(pooling)) {
    throw new TypeError(`pooling must be mean, cls or last, not ${pooling}`);
  }
  const { model, thread } = await openModel(
    options,
    { kind: "vectors", pooling },
    { died: "embedder_unavailable", refused: "embedder_rejected" },
  );
  const { config, name, fingerprint } = model;
  const dimensions = config.hidden_size ?? config.dim ?? config.d_model;
  if (typeof dimensions !== "number") {
    throw new SluiceError("model_missing", `The config.json of the model ${name} has no hidden_size.`);
  }
  const settings = JSON.stringify([fingerprint, pooling, max_tokens, query_prefix, passage_prefix]);
  const count_tokens = await openTokenCounter(model.folder);
  const hash = createHash("sha256").update(settings).digest("hex").slice(0, 12);

  async function embed(
    texts: string[],
    kind: "passage" | "query",
    signal?: AbortSignal,
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const prefix = kind === "query" ? query_prefix : passage_prefix;
    const vectors = texts.map(() => new Float32Array(dimensions as number));
    const filled = [...texts.keys()].filter((place) => texts[place]?.trim() !== "");
    if (filled.length === 0) return vectors;
    const made = await thread.ask(
      filled.map((place) => [prefix + texts[place]]),
      { urgent: kind === "query", signal },
    );
    for (const [n, place] of filled.entries()) {
      const vector = made[n] as Float32Array<ArrayBuffer>;
      if (vector.length !== dimensions) {
        throw new SluiceError(
          "embedder_rejected",
          `The model ${name} makes vectors of ${vector.length} dimensions, but its config.json says ${dimensions}.`,
        );
      }
      vectors[place] = vector;
    }
    return vectors;
  }

  return {
    embedder_id: `transformers:${name}:${dtype}:${hash}`,
    dimensions,
    batch_size,
    embed,
    ...(count_tokens ? { count_tokens } : {}),
    async check() {
      await embed(["check"], "query");
    },
    close: thread.close,
  };
}
