/** Reads a static model: a vocabulary, and for each of its tokens a vector of 8-bit numbers (models/README.md, "Format"). */
import { existsSync, readFileSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a model says of itself; its first bytes. */
export interface ModelHeader {
  name: string;
  tokens: number;
  dimensions: number;
}

export interface StaticModel extends ModelHeader {
  vocabulary: string[];
  /** By token: what its numbers are multiplied with. */
  scales: Float32Array;
  /** Row after row, `dimensions` each. */
  numbers: Int8Array;
}

/** Of the models in models/, the one that is shipped and used unless another is named. */
const SHIPPED = "sluice-static-v1-256";
const LONGEST_HEADER = 4096;

/** Folder of the shipped model: in the checkout, or beside the built code of the package. */
export function shippedModelFolder(): string {
  const places = ["../../../models", "../../../../models"].map((place) =>
    fileURLToPath(new URL(`${place}/${SHIPPED}`, import.meta.url)),
  );
  return places.find((place) => existsSync(join(place, "model.bin"))) ?? (places[0] as string);
}

/** @throws Error when the folder holds no such model */
export async function readModelHeader(folder: string): Promise<ModelHeader> {
  const file = await open(join(folder, "model.bin"));
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST_HEADER), 0, LONGEST_HEADER, 0);
    return parseHeader(buffer.subarray(0, bytesRead), folder).header;
  } finally {
    await file.close();
  }
}

/** The pieces that its tokenizer knows, in order. */
export function readVocabulary(folder: string): string[] {
  return readFileSync(join(folder, "vocab.txt"), "utf8").split("\n").slice(0, -1);
}

/** @throws Error when the folder holds no such model */
export async function readStaticModel(folder: string): Promise<StaticModel> {
  const bytes = await readFile(join(folder, "model.bin"));
  const { header, end } = parseHeader(bytes, folder);
  const { tokens, dimensions } = header;
  const vocabulary = readVocabulary(folder);
  if (vocabulary.length !== tokens || bytes.length !== end + tokens * (4 + dimensions)) {
    throw notAModel(folder, "its files do not belong together");
  }
  const scales = new Float32Array(tokens);
  for (let token = 0; token < tokens; token += 1) scales[token] = bytes.readFloatLE(end + 4 * token);
  const numbers = new Int8Array(bytes.buffer, bytes.byteOffset + end + 4 * tokens, tokens * dimensions);
  return { ...header, vocabulary, scales, numbers };
}

function parseHeader(bytes: Buffer, folder: string): { header: ModelHeader; end: number } {
  const end = bytes.length < 4 ? Number.NaN : 4 + bytes.readUInt32LE(0);
  if (!(end <= Math.min(bytes.length, LONGEST_HEADER))) throw notAModel(folder, "model.bin has no header");
  const said = JSON.parse(bytes.toString("utf8", 4, end)) as ModelHeader & { format: number };
  if (said.format !== 1) throw notAModel(folder, `model.bin is of format ${said.format}, not 1`);
  const { name, tokens, dimensions } = said;
  return { header: { name, tokens, dimensions }, end };
}

function notAModel(folder: string, why: string): Error {
  return new Error(`${folder} holds no static model: ${why}`);
}
