/** From text to vector: the sum of what its tokens stand for, brought to length 1. models/reference.py does the very same. */

import { createTokenizer } from "../wordpiece.ts";
import type { StaticModel } from "./model.ts";

/** Writes the text's vector into `into`, which is all zero: it stays so where nothing is known of the text. */
export type Encode = (text: string, into: Float32Array) => void;

export function createEncoder(model: StaticModel): Encode {
  const { dimensions, vocabulary, scales, numbers } = model;
  const tokenizer = createTokenizer(vocabulary);
  const sum = new Float64Array(dimensions);
  /** How often the text at hand has each token, and which ones it has. */
  const counts = new Uint32Array(vocabulary.length);
  const seen = new Uint32Array(vocabulary.length);
  let different = 0;
  const count = (token: number) => {
    if (counts[token] === 0) seen[different++] = token;
    counts[token] = (counts[token] as number) + 1;
  };

  function addUp(): void {
    for (let place = 0; place < different; place += 1) {
      const token = seen[place] as number;
      const weight = (scales[token] as number) * (counts[token] as number);
      counts[token] = 0;
      const start = token * dimensions;
      for (let at = 0; at < dimensions; at += 1) {
        sum[at] = (sum[at] as number) + (numbers[start + at] as number) * weight;
      }
    }
    different = 0;
  }

  return (text, into) => {
    sum.fill(0);
    tokenizer.encode(text, count);
    addUp();
    let square = 0;
    for (const value of sum) square += value * value;
    if (square === 0) return;
    const shrink = 1 / Math.sqrt(square);
    for (let at = 0; at < dimensions; at += 1) into[at] = (sum[at] as number) * shrink;
  };
}
