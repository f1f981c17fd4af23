/** Where a model is, what is in its folder, and what tells it from any other. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { SluiceError } from "../../errors.ts";

/** How the weights are stored → what the file's name has for it, as transformers.js names files. */
const suffixes = {
  fp32: "",
  fp16: "_fp16",
  q8: "_quantized",
  int8: "_int8",
  uint8: "_uint8",
  q4: "_q4",
  q4f16: "_q4f16",
} as const;

export type Dtype = keyof typeof suffixes;

export interface ModelOptions {
  /**
   * A folder (config.json, tokenizer.json, tokenizer_config.json, onnx/model.onnx), or a model of the Hugging Face Hub: `owner/name`, or
   * `owner/name@revision`. From the hub it is fetched once, into `cache_folder`.
   */
  model: string;
  /** How its weights are stored: each has a file of its own. Default fp32. */
  dtype?: Dtype;
  /** Where models of the hub are kept. */
  cache_folder?: string;
  /** Default https://huggingface.co. */
  hub_url?: string;
}

/** What the hub calls a model. */
export interface HubModel {
  id: string;
  revision: string;
  cache_folder: string;
  hub_url: string;
}

export interface LocalModel {
  folder: string;
  /** For people. */
  name: string;
  /** config.json. */
  config: Record<string, unknown>;
  /** Of the files: another model, or the same one stored otherwise, has another. */
  fingerprint: string;
}

/**
 * Finds a model, after having it fetched where it is to come from the hub and isn't there yet.
 *
 * @throws SluiceError model_missing, saying which file is not where
 */
export async function findModel(
  { model, dtype = "fp32", cache_folder, hub_url = "https://huggingface.co" }: ModelOptions,
  fetchFromHub: (from: HubModel) => Promise<void>,
): Promise<LocalModel> {
  if (!Object.hasOwn(suffixes, dtype)) {
    throw new TypeError(`dtype must be one of ${Object.keys(suffixes).join(", ")}, not ${dtype}`);
  }
  if (await isFolder(model)) return readFolder(resolve(model), basename(resolve(model)), dtype);
  const [, id, revision = "main"] = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(model) ?? [];
  if (id === undefined || id.startsWith(".")) {
    throw new SluiceError(
      "model_missing",
      `${model} is neither a folder nor the name of a model on the hub.`,
    );
  }
  if (cache_folder === undefined) throw new TypeError("a model of the hub needs a cache_folder");
  const folder = join(cache_folder, id, ...(revision === "main" ? [] : [revision]));
  if ((await firstMissing(folder, dtype)) !== undefined) {
    await fetchFromHub({ id, revision, cache_folder, hub_url });
  }
  return readFolder(folder, model, dtype);
}

async function readFolder(folder: string, name: string, dtype: Dtype): Promise<LocalModel> {
  const missing = await firstMissing(folder, dtype);
  if (missing !== undefined) {
    throw new SluiceError(
      "model_missing",
      `The model ${name} has no file ${missing}, which transformers.js needs for dtype ${dtype}.`,
    );
  }
  const text = await readFile(join(folder, "config.json"), "utf8");
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new SluiceError("model_missing", `${join(folder, "config.json")} is not JSON.`, { cause });
  }
  const hash = createHash("sha256");
  for (const file of filesOf(dtype)) await addFile(hash, join(folder, file));
  // Weights of more than 2 GB lie in a file beside the graph.
  const beside = join(folder, `${weightsOf(dtype)}_data`);
  if (await isFile(beside)) await addFile(hash, beside);
  return { folder, name, config: config as Record<string, unknown>, fingerprint: hash.digest("hex") };
}

const weightsOf = (dtype: Dtype) => `onnx/model${suffixes[dtype]}.onnx`;
const filesOf = (dtype: Dtype) => [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  weightsOf(dtype),
];

/** The path of a file that a model must have and hasn't; undefined when all are there. */
async function firstMissing(folder: string, dtype: Dtype): Promise<string | undefined> {
  for (const file of filesOf(dtype)) {
    if (!(await isFile(join(folder, file)))) return join(folder, file);
  }
  return undefined;
}

async function addFile(hash: Hash, path: string): Promise<void> {
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part);
}

const isFolder = async (path: string) => (await kindOf(path))?.isDirectory() ?? false;
const isFile = async (path: string) => (await kindOf(path))?.isFile() ?? false;

async function kindOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
