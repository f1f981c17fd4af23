/**
 * An embedder with a model and without a network: each token of the vocabulary has a vector, and a text's vector is the
 * mean of those of its tokens. Which vectors, was learnt from a sentence transformer (models/README.md). It knows words
 * that mean the same; it doesn't know their order.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Embedder } from "../../ports/embedder.ts";
import { readStaticModel, type StaticModel } from "./model.ts";
import { createTokenizer } from "./tokenizer.ts";

export interface StaticEmbedderOptions {
  /** Folder of the model. Default: the one that comes with the package. */
  folder?: string;
}

/** Milliseconds of work after which other work of the process gets its turn. */
const TURN_MS = 10;

/** @throws Error when there is no model in the folder */
export async function createStaticEmbedder({
  folder = fileURLToPath(new URL("../../../models/sluice-static-v1-256", import.meta.url)),
}: StaticEmbedderOptions = {}): Promise<Embedder> {
  const model = await readStaticModel(folder);
  const toVector = createEncoder(model);

  async function embed(
    texts: string[],
    _kind: "passage" | "query",
    signal?: AbortSignal,
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const vectors: Float32Array[] = [];
    let turnBegan = performance.now();
    for (const text of texts) {
      if (performance.now() - turnBegan > TURN_MS) {
        await nextTurn();
        signal?.throwIfAborted();
        turnBegan = performance.now();
      }
      vectors.push(toVector(text));
    }
    return vectors;
  }

  return {
    embedder_id: model.name,
    dimensions: model.dimensions,
    batch_size: 128,
    embed,
    async check() {
      await embed(["check"], "query");
    },
  };
}

/** Makes the function from text to vector: of length 1, or all zero where nothing is known of the text. */
function createEncoder({
  dimensions,
  vocabulary,
  scales,
  numbers,
}: StaticModel): (text: string) => Float32Array {
  const tokenizer = createTokenizer(vocabulary);
  const sum = new Float64Array(dimensions);
  const add = (token: number) => {
    const scale = scales[token] as number;
    const start = token * dimensions;
    for (let place = 0; place < dimensions; place += 1) {
      sum[place] = (sum[place] as number) + (numbers[start + place] as number) * scale;
    }
  };
  return (text) => {
    sum.fill(0);
    tokenizer.encode(text, add);
    let square = 0;
    for (const value of sum) square += value * value;
    const vector = new Float32Array(dimensions);
    if (square > 0) {
      const shrink = 1 / Math.sqrt(square);
      for (let place = 0; place < dimensions; place += 1) vector[place] = (sum[place] as number) * shrink;
    }
    return vector;
  };
}
