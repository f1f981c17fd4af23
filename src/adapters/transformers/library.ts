/** The package @huggingface/transformers, which is the user's to install: as much of it as is used here. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export const installCommand = "npm install --ignore-scripts @huggingface/transformers@^4.3.1";

export interface Tensor<Data = Float32Array> {
  type: string;
  data: Data;
  dims: number[];
}

/** Ids, mask and the like, each of one row. */
export type Tokens = Record<string, Tensor<BigInt64Array>>;

export type Tokenizer = ((text: string, options: { text_pair?: string }) => Tokens) & {
  model_max_length?: number;
};

export type Model = ((input: Tokens) => Promise<{ last_hidden_state?: Tensor; logits?: Tensor }>) & {
  config: { max_position_embeddings?: number };
};

interface Loader<T> {
  from_pretrained(name: string, options: Record<string, unknown>): Promise<T>;
}

export interface Library {
  env: {
    allowLocalModels: boolean;
    allowRemoteModels: boolean;
    localModelPath: string;
    remoteHost: string;
    useFSCache: boolean;
    cacheDir: string;
    logLevel: number;
  };
  LogLevel: { ERROR: number };
  Tensor: new <Data>(type: string, data: Data, dims: number[]) => Tensor<Data>;
  AutoTokenizer: Loader<Tokenizer>;
  AutoModel: Loader<Model>;
  AutoModelForSequenceClassification: Loader<Model>;
}

/**
 * Looks for the package where Sluice itself is installed, or in another folder's node_modules.
 *
 * @returns the path of its main file, or what to tell whoever has not installed it
 */
export function findLibrary(package_folder: string | undefined): { path: string } | { missing: string } {
  const from = package_folder === undefined ? import.meta.url : pathToFileURL(join(package_folder, "/"));
  try {
    return { path: createRequire(from).resolve("@huggingface/transformers") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "MODULE_NOT_FOUND") throw new Error(`@huggingface/transformers: ${message}`);
    const where = package_folder === undefined ? "beside Sluice" : `in ${package_folder}`;
    const prefix = package_folder === undefined ? "" : ` --prefix ${package_folder}`;
    const command = installCommand.replace("npm install", `npm install${prefix}`);
    return {
      missing: `The package @huggingface/transformers is not installed ${where}: run \`${command}\`.`,
    };
  }
}

/** @param path what `findLibrary` found */
export function loadLibrary(path: string): Library {
  return createRequire(import.meta.url)(path) as Library;
}
