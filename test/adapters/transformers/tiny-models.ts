/** Models of a few kilobytes that the real runtime runs: they know the words that they are given. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Operation, onnxModel, type Weights } from "./onnx.ts";

const SIZE = 64;
const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/** A sentence transformer: every token has a vector, in whatever company it is. */
export function writeTinyEmbedder(folder: string): string {
  const vocabulary = [...special, ...letters, ...letters.map((letter) => `##${letter}`)];
  const states = { name: "last_hidden_state", dims: ["batch", "length", SIZE] };
  const model = onnxModel(
    ["input_ids"],
    [table(vocabulary, () => true)],
    [{ kind: "Gather", inputs: ["table", "input_ids"], output: states.name }],
    states,
  );
  return write(folder, vocabulary, model, "BertModel");
}

/** A cross-encoder: the score is how much the words of query and passage have in common. */
export function writeTinyCrossEncoder(folder: string, words: string[]): string {
  const vocabulary = [...special, ...letters, ...letters.map((letter) => `##${letter}`), ...new Set(words)];
  const known = (piece: string) => words.includes(piece);
  const operations: Operation[] = [
    { kind: "Gather", inputs: ["table", "input_ids"], output: "x" },
    { kind: "Cast", inputs: ["token_type_ids"], output: "type", attributes: { to: 1 } },
    { kind: "Unsqueeze", inputs: ["type", "last"], output: "second" },
    { kind: "Mul", inputs: ["x", "second"], output: "passage" },
    { kind: "Sub", inputs: ["x", "passage"], output: "query" },
    { kind: "ReduceSum", inputs: ["query", "middle"], output: "a", attributes: { keepdims: 0 } },
    { kind: "ReduceSum", inputs: ["passage", "middle"], output: "b", attributes: { keepdims: 0 } },
    { kind: "Mul", inputs: ["a", "b"], output: "common" },
    { kind: "ReduceSum", inputs: ["common", "middle"], output: "logits", attributes: { keepdims: 1 } },
  ];
  const places: Weights[] = [
    { name: "last", dims: [1], data: BigInt64Array.of(2n) },
    { name: "middle", dims: [1], data: BigInt64Array.of(1n) },
  ];
  const model = onnxModel(
    ["input_ids", "token_type_ids"],
    [table(vocabulary, known), ...places],
    operations,
    { name: "logits", dims: ["batch", 1] },
  );
  return write(folder, vocabulary, model, "BertForSequenceClassification");
}

/** A vector for each token, the same in every run; zeros for those that don't count. */
function table(vocabulary: string[], counts: (piece: string) => boolean): Weights {
  let state = 1;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  };
  const data = Float32Array.from(
    vocabulary.flatMap((piece) => {
      const row = Array.from({ length: SIZE }, next);
      return counts(piece) ? row : row.map(() => 0);
    }),
  );
  return { name: "table", dims: [vocabulary.length, SIZE], data };
}

function write(folder: string, vocabulary: string[], model: Uint8Array, architecture: string): string {
  mkdirSync(join(folder, "onnx"), { recursive: true });
  const json = (name: string, content: object) => writeFileSync(join(folder, name), JSON.stringify(content));
  const ids = Object.fromEntries(vocabulary.map((piece, place) => [piece, place]));
  const mark = (content: string, type_id = 0) => ({ SpecialToken: { id: content, type_id } });
  json("config.json", {
    architectures: [architecture],
    model_type: "bert",
    hidden_size: SIZE,
    vocab_size: vocabulary.length,
    max_position_embeddings: 512,
    id2label: { 0: "LABEL_0" },
  });
  json("tokenizer_config.json", { tokenizer_class: "BertTokenizer", model_max_length: 512 });
  json("tokenizer.json", {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [mark("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, mark("[SEP]")],
      pair: [
        mark("[CLS]"),
        { Sequence: { id: "A", type_id: 0 } },
        mark("[SEP]"),
        { Sequence: { id: "B", type_id: 1 } },
        mark("[SEP]", 1),
      ],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((id) => [id, { id, ids: [ids[id]], tokens: [id] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: ids,
    },
  });
  writeFileSync(join(folder, "onnx/model.onnx"), model);
  return folder;
}
