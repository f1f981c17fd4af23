/** The thread that a model runs on: the runtime computes in the middle of a call, and would hold up everything else. */
import { basename, dirname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { loadLibrary, type Model, type Tokenizer, type Tokens } from "./library.ts";
import type { ModelReply, ModelTask, ThreadData } from "./model-thread.ts";

const port = parentPort as MessagePort;
const { library, source, dtype, threads, use, max_tokens } = workerData as ThreadData;

interface Loaded {
  tokenizer: Tokenizer;
  model: Model;
  max_length: number;
}

interface Running extends ModelTask {
  done: Float32Array[];
}

const waiting: Running[] = [];
let working = false;
let loaded: Promise<Loaded> | undefined;

port.on("message", (message: ModelTask | { cancel: number } | "close") => {
  if (message === "close") {
    waiting.length = 0;
    port.close();
  } else if ("cancel" in message) {
    const place = waiting.findIndex(({ id }) => id === message.cancel);
    if (place >= 0) waiting.splice(place, 1);
  } else {
    waiting.push({ ...message, done: [] });
    if (!working) void work();
  }
});

/** One text after another, so that a cancelled task ends with the text at hand, and a query waits for one text only. */
async function work(): Promise<void> {
  working = true;
  for (let task = choose(); task; task = choose()) {
    try {
      loaded ??= load();
      const { tokenizer, model, max_length } = await loaded;
      const [text, text_pair] = task.texts[task.done.length] ?? [];
      // A task without texts only asks for the model to be there.
      if (text !== undefined) {
        const tokens = tokenizer(text, text_pair === undefined ? {} : { text_pair });
        const output = await model(cut(tokens, max_length));
        task.done.push(use.kind === "vectors" ? pool(output, use.pooling) : scoreOf(output));
      }
      if (task.done.length === task.texts.length) end(task, { results: task.done });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // What could not be loaded is tried again by a new thread.
      if ((await loaded?.catch(() => undefined)) === undefined) {
        reply({ unusable: message });
        port.close();
        return;
      }
      end(task, { failure: message });
    }
    await nextTurn();
  }
  working = false;
}

function choose(): Running | undefined {
  return waiting.find(({ urgent }) => urgent) ?? waiting[0];
}

function end({ id }: Running, outcome: { results: Float32Array[] } | { failure: string }): void {
  const place = waiting.findIndex((task) => task.id === id);
  // Cancelled meanwhile.
  if (place < 0) return;
  waiting.splice(place, 1);
  reply({ id, ...outcome });
}

function reply(message: ModelReply): void {
  port.postMessage(message);
}

async function load(): Promise<Loaded> {
  const { env, LogLevel, AutoTokenizer, AutoModel, AutoModelForSequenceClassification } =
    loadLibrary(library);
  env.logLevel = LogLevel.ERROR;
  const remote = "id" in source;
  env.allowLocalModels = !remote;
  env.allowRemoteModels = remote;
  env.useFSCache = remote;
  if (remote) {
    env.remoteHost = source.hub_url;
    env.cacheDir = source.cache_folder;
  } else {
    env.localModelPath = dirname(source.folder);
  }
  const name = remote ? source.id : basename(source.folder);
  const revision = remote ? { revision: source.revision } : {};
  const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
  const kind = use.kind === "scores" ? AutoModelForSequenceClassification : AutoModel;
  const tokenizer = await AutoTokenizer.from_pretrained(name, revision);
  const model = await kind.from_pretrained(name, { ...revision, dtype, device: "cpu", session_options });
  // Some tokenizers say a number beyond all bounds; models without positions say none.
  const { model_max_length = max_tokens } = tokenizer;
  const { max_position_embeddings = max_tokens } = model.config;
  const max_length = Math.min(max_tokens, model_max_length, max_position_embeddings);
  return { tokenizer, model, max_length };
}

/**
 * The first tokens and the last, at most so many: the last one is the mark that ends a text, which models are used to. The
 * tokenizer's own way of cutting would take it away.
 */
function cut(tokens: Tokens, most: number): Tokens {
  const { Tensor } = loadLibrary(library);
  return Object.fromEntries(
    Object.entries(tokens).map(([name, tensor]) => {
      if (tensor.data.length <= most) return [name, tensor];
      const data = tensor.data.slice(0, most);
      data[most - 1] = tensor.data.at(-1) as bigint;
      return [name, new Tensor(tensor.type, data, [1, most])];
    }),
  );
}

/** One vector of length 1 out of those of a text's tokens. There is no padding to leave out: texts run one by one. */
function pool(
  { last_hidden_state }: Awaited<ReturnType<Model>>,
  pooling: "mean" | "cls" | "last",
): Float32Array {
  if (!last_hidden_state) throw new Error("the model gives no last_hidden_state, so no vectors");
  const { data, dims } = last_hidden_state;
  const [tokens, size] = [dims[1] as number, dims[2] as number];
  const from = pooling === "last" ? tokens - 1 : 0;
  const to = pooling === "cls" ? 1 : tokens;
  const sum = new Float64Array(size);
  for (let token = from; token < to; token += 1) {
    for (let place = 0; place < size; place += 1) sum[place]! += data[token * size + place]!;
  }
  let square = 0;
  for (const value of sum) square += value * value;
  const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
  return Float32Array.from(sum, (value) => value * scale);
}

function scoreOf({ logits }: Awaited<ReturnType<Model>>): Float32Array {
  if (logits?.data.length !== 1) {
    throw new Error(`the model gives ${logits?.data.length ?? 0} logits for a passage; a reranker gives one`);
  }
  return Float32Array.of(logits.data[0] as number);
}
