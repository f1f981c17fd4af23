/**
 * A package in the place of @huggingface/transformers, which is too large to install for every test. It has the same
 * functions and no model: a text's vector comes from its words. What only the real one shows is in *.services.test.ts.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs in the adapter's thread. `HERE` is the folder that tests and this package talk through. */
const source = `
const { appendFileSync, existsSync, mkdirSync, readFileSync, watch, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const HERE = __dirname;
const env = { localModelPath: "", cacheDir: "", allowLocalModels: true, allowRemoteModels: true };
const SIZE = 16;

function folderOf(name, { revision = "main" } = {}) {
  if (!env.allowRemoteModels) return join(env.localModelPath, name);
  appendFileSync(join(HERE, "fetched"), name + "@" + revision + " from " + env.remoteHost + "\\n");
  if (name.endsWith("/gone")) throw new Error("404: there is no " + name);
  const folder = join(env.cacheDir, name, revision === "main" ? "" : revision);
  mkdirSync(join(folder, "onnx"), { recursive: true });
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"]) {
    writeFileSync(join(folder, file), file === "config.json" ? '{"hidden_size":16}' : "weights of " + name);
  }
  return folder;
}

/** Resolves once the test has made the file. */
function appears(path) {
  return new Promise((resolve) => {
    const look = () => existsSync(path) && (watcher.close(), resolve());
    const watcher = watch(HERE, look);
    look();
  });
}

const rowOf = (word) => {
  const row = new Float32Array(SIZE);
  for (let place = 0; place < word.length; place++) row[(word.charCodeAt(place) * (place + 1)) % SIZE] += 1;
  return row;
};
const wordsOf = (text) => text.split(/\\s+/).filter((word) => word !== "");

class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}

/** A pair's texts are apart by "|". */
async function run({ input_ids: { data: all, dims } }) {
  if (dims[1] !== all.length) throw new Error("dims " + dims + " for " + all.length);
  const words = all.slice(all.indexOf("|") + 1);
  const against = all.slice(0, words.length === all.length ? 0 : all.indexOf("|"));
  const text = words.join(" ");
  appendFileSync(join(HERE, "ran"), text.slice(0, 40) + "\\n");
  if (text === "hold") await appears(join(HERE, "go"));
  if (text === "crash") process.nextTick(() => { throw new Error("it broke"); });
  if (text === "refuse") throw new Error("no such text");
  const data = new Float32Array(words.length * SIZE);
  words.forEach((word, place) => data.set(rowOf(word), place * SIZE));
  const shared = against.filter((word) => words.includes(word)).length;
  return {
    last_hidden_state: { data, dims: [1, words.length, SIZE] },
    logits: { data: Float32Array.of(shared / Math.sqrt(1 + words.length)), dims: [1, 1] },
  };
}

const loader = (make) => ({
  async from_pretrained(name, options) {
    const folder = folderOf(name, options);
    appendFileSync(join(HERE, "loaded"), JSON.stringify(options) + "\\n");
    if (readFileSync(join(folder, "onnx/model.onnx"), "utf8") === "broken") throw new Error("these are no weights");
    return make(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")));
  },
});
const model = loader((config) => Object.assign(run, { config }));

module.exports = {
  env,
  LogLevel: { ERROR: 40 },
  Tensor,
  AutoTokenizer: loader(() => (text, { text_pair }) => {
    const words = text_pair === undefined ? wordsOf(text) : [...wordsOf(text), "|", ...wordsOf(text_pair)];
    return { input_ids: new Tensor("words", words, [1, words.length]) };
  }),
  AutoModel: model,
  AutoModelForSequenceClassification: model,
};
`;

export interface FakeLibrary {
  /** For the option `package_folder`. */
  folder: string;
  /** Lines that the package has written: texts that ran, models loaded or fetched. */
  read(what: "ran" | "loaded" | "fetched"): string[];
  /** Lets texts go on that read "hold". */
  go(): void;
  /** Makes a folder that a model could be in. */
  model(name: string, weights?: string): string;
  remove(): void;
}

export function createFakeLibrary(): FakeLibrary {
  const folder = mkdtempSync(join(tmpdir(), "sluice-transformers-"));
  const place = join(folder, "node_modules/@huggingface/transformers");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), '{"name":"@huggingface/transformers","main":"./index.cjs"}');
  writeFileSync(join(place, "index.cjs"), source);
  return {
    folder,
    read(what) {
      const path = join(place, what);
      return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
    },
    go: () => appendFileSync(join(place, "go"), ""),
    model(name, weights = `weights of ${name}`) {
      const model = join(folder, name);
      mkdirSync(join(model, "onnx"), { recursive: true });
      writeFileSync(join(model, "config.json"), '{"hidden_size":16,"max_position_embeddings":512}');
      writeFileSync(join(model, "tokenizer.json"), "{}");
      writeFileSync(join(model, "tokenizer_config.json"), "{}");
      writeFileSync(join(model, "onnx/model.onnx"), weights);
      return model;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
