/**
 * An embedder with a model and without a network: each token of the vocabulary has a vector, and a text's vector is the
 * mean of those of its tokens. Which vectors, was learnt from a sentence transformer and from much text (models/README.md).
 * It knows words that mean the same; it doesn't know their order.
 */
import { Worker } from "node:worker_threads";
import { SluiceError } from "../../errors.ts";
import type { Embedder } from "../../ports/embedder.ts";
import { createTokenizer, type Tokenizer } from "../wordpiece.ts";
import { readModelHeader, readVocabulary, shippedModelFolder } from "./model.ts";

export interface StaticEmbedderOptions {
  /** Folder of another model than the one that is shipped. */
  folder?: string;
}

export interface EmbedTask {
  id: number;
  texts: string[];
  /** Its one number is set to 1 when nobody waits any more. */
  stop?: Int32Array;
}

export interface EmbedReply {
  id: number;
  vectors: Float32Array;
}

interface Waiter {
  resolve(vectors: Float32Array): void;
  reject(error: unknown): void;
}

/** @throws Error when there is no model in the folder */
export async function createStaticEmbedder(options: StaticEmbedderOptions = {}): Promise<Embedder> {
  const folder = options.folder ?? shippedModelFolder();
  const { name, dimensions } = await readModelHeader(folder);
  const ask = createThread(folder);

  async function embed(
    texts: string[],
    _kind: "passage" | "query",
    signal?: AbortSignal,
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    if (texts.length === 0) return [];
    const vectors = await ask(texts, signal);
    return texts.map((_, place) => vectors.subarray(place * dimensions, (place + 1) * dimensions));
  }

  // Made by the first count: only workers count, and the vocabulary takes some tens of milliseconds.
  let tokenizer: Tokenizer | undefined;

  return {
    embedder_id: name,
    dimensions,
    batch_size: 128,
    embed,
    count_tokens(text) {
      tokenizer ??= createTokenizer(readVocabulary(folder));
      return tokenizer.count(text);
    },
    async check() {
      await embed(["check"], "query");
    },
  };
}

/** The thread is started by the first text, and keeps no process alive that waits for nothing else. */
function createThread(folder: string) {
  const waiting = new Map<number, Waiter>();
  let lastId = 0;
  let thread: Worker | undefined;

  function start(): Worker {
    const started = new Worker(new URL(besides("thread"), import.meta.url), { workerData: { folder } });
    started.on("message", ({ id, vectors }: EmbedReply) => settle(id)?.resolve(vectors));
    const drop = (why: string) => {
      // After its error comes its exit, when another may be at work already.
      if (thread !== started) return;
      thread = undefined;
      for (const id of [...waiting.keys()]) settle(id)?.reject(new SluiceError("embedder_unavailable", why));
    };
    started.on("error", (error) => drop(`The thread of the static embedder failed: ${error}`));
    started.on("exit", () => drop("The thread of the static embedder has ended."));
    started.unref();
    thread = started;
    return started;
  }

  function settle(id: number): Waiter | undefined {
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) thread?.unref();
    return waiter;
  }

  return async (texts: string[], signal?: AbortSignal): Promise<Float32Array> => {
    const id = ++lastId;
    const stop = signal && new Int32Array(new SharedArrayBuffer(4));
    const worker = thread ?? start();
    const abort = () => {
      if (stop) Atomics.store(stop, 0, 1);
      settle(id)?.reject(signal?.reason);
    };
    try {
      return await new Promise<Float32Array>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.ref();
        signal?.addEventListener("abort", abort, { once: true });
        const task: EmbedTask = stop ? { id, texts, stop } : { id, texts };
        worker.postMessage(task);
      });
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  };
}

/** Compiled and source files stand side by side under the same names. */
function besides(name: string): string {
  return `./${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`;
}
