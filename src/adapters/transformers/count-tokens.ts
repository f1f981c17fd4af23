/** A counter of a model's tokens in this thread, for models whose tokenizer is the one that Sluice has itself. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createTokenizer } from "../wordpiece.ts";

/** Vocabularies of WordPiece take less than a megabyte; those beyond are of other kinds, and slow to read. */
const LARGEST = 4_000_000;

interface TokenizerFile {
  model?: { type?: string; vocab?: Record<string, number> };
  normalizer?: { type?: string; lowercase?: boolean } | null;
}

/** @returns undefined where the model's tokenizer is another than BERT's uncased one */
export async function openTokenCounter(folder: string): Promise<((text: string) => number) | undefined> {
  const path = join(folder, "tokenizer.json");
  if ((await stat(path)).size > LARGEST) return undefined;
  const { model, normalizer } = parse(await readFile(path, "utf8"));
  const isUncased = normalizer?.type === "BertNormalizer" && normalizer.lowercase === true;
  const { vocab } = model ?? {};
  if (model?.type !== "WordPiece" || !isUncased || vocab?.["[UNK]"] === undefined) return undefined;
  const pieces = Object.keys(vocab).sort((a, b) => (vocab[a] as number) - (vocab[b] as number));
  return createTokenizer(pieces).count;
}

/** A file that is no JSON is told of by the thread that needs it. */
function parse(text: string): TokenizerFile {
  try {
    return JSON.parse(text) as TokenizerFile;
  } catch {
    return {};
  }
}
