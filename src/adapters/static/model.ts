/** Reads a static model: a vocabulary, and for each of its tokens a vector of 8-bit numbers (models/README.md, "Format"). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface StaticModel {
  name: string;
  dimensions: number;
  vocabulary: string[];
  /** By token: what its numbers are multiplied with. */
  scales: Float32Array;
  /** Row after row, `dimensions` each. */
  numbers: Int8Array;
}

/** @throws Error when the folder holds no such model */
export async function readStaticModel(folder: string): Promise<StaticModel> {
  const [bytes, text] = await Promise.all([
    readFile(join(folder, "model.bin")),
    readFile(join(folder, "vocab.txt"), "utf8"),
  ]);
  const start = 4 + bytes.readUInt32LE(0);
  const header = JSON.parse(bytes.toString("utf8", 4, start)) as Record<string, unknown>;
  const { format, name, tokens, dimensions } = header as { [key: string]: number } & { name: string };
  const vocabulary = text.split("\n").slice(0, -1);
  const expected = start + (tokens as number) * (4 + (dimensions as number));
  if (format !== 1 || vocabulary.length !== tokens || bytes.length !== expected) {
    throw new Error(`${folder} holds no static model of format 1`);
  }
  const scales = new Float32Array(tokens);
  for (let token = 0; token < tokens; token += 1) scales[token] = bytes.readFloatLE(start + 4 * token);
  const numbers = new Int8Array(
    bytes.buffer,
    bytes.byteOffset + start + 4 * tokens,
    tokens * (dimensions as number),
  );
  return { name, dimensions: dimensions as number, vocabulary, scales, numbers };
}
