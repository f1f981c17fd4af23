/** Options → a model on its thread: what the embedder and the reranker have in common. */
import { SluiceError } from "../../errors.ts";
import { findLibrary } from "./library.ts";
import { findModel, type LocalModel, type ModelOptions } from "./model.ts";
import { createModelThread, type ModelThread, type ThreadData } from "./model-thread.ts";

export interface TransformersOptions extends ModelOptions {
  /** The most tokens of a text that are read; less where the model ends before. Default 512. */
  max_tokens?: number;
  /** Cores that one model may use. Default 1: there are as many models at work as worker processes. */
  threads?: number;
  /** A folder in whose node_modules @huggingface/transformers is. Default: where Sluice is installed. */
  package_folder?: string;
}

/** @throws SluiceError model_missing when package or model are not there, or the hub doesn't give it */
export async function openModel(
  options: TransformersOptions,
  use: ThreadData["use"],
  codes: Parameters<typeof createModelThread>[2],
): Promise<{ model: LocalModel; thread: ModelThread }> {
  const { dtype = "fp32", max_tokens = 512, threads = 1 } = options;
  requireWhole("max_tokens", max_tokens, 8);
  requireWhole("threads", threads, 1);
  const library = findLibrary(options.package_folder);
  if ("missing" in library) throw new SluiceError("model_missing", library.missing);
  const data = { library: library.path, dtype, threads, use, max_tokens };
  const model = await findModel(options, async (source) => {
    const thread = createModelThread(source.id, { ...data, source }, codes);
    try {
      await thread.ask([]);
    } finally {
      await thread.close();
    }
  });
  const source = { folder: model.folder };
  return { model, thread: createModelThread(model.name, { ...data, source }, codes) };
}

export function requireWhole(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new TypeError(`${name} must be a whole number of at least ${least}, not ${value}`);
  }
}
