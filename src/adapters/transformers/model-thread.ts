/** A model on a thread of its own, started with the first question and again after it died. */
import { Worker } from "node:worker_threads";
import { type ErrorCode, SluiceError } from "../../errors.ts";
import type { Dtype, HubModel } from "./model.ts";

export interface ThreadData {
  /** Main file of the package. */
  library: string;
  source: { folder: string } | HubModel;
  dtype: Dtype;
  /** Of the runtime. */
  threads: number;
  use: { kind: "vectors"; pooling: "mean" | "cls" | "last" } | { kind: "scores" };
  max_tokens: number;
}

export interface ModelTask {
  id: number;
  /** Each alone, or with the text that it is compared with. */
  texts: [text: string, pair?: string][];
  /** Goes before what is not. */
  urgent: boolean;
}

export type ModelReply =
  | { id: number; results: Float32Array[] }
  | { id: number; failure: string }
  /** The model could not be loaded; the thread ends. */
  | { unusable: string };

export interface ModelThread {
  /** What the model makes of each text, in order. Rejects with the signal's reason as soon as it fires. */
  ask(
    texts: ModelTask["texts"],
    options?: { urgent?: boolean; signal?: AbortSignal | undefined },
  ): Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** @param codes of a thread that died, and of a text that the model could not take */
export function createModelThread(
  name: string,
  data: ThreadData,
  codes: { died: ErrorCode; refused: ErrorCode },
): ModelThread {
  const waiting = new Map<
    number,
    { resolve: (results: Float32Array[]) => void; reject: (error: unknown) => void }
  >();
  let thread: Worker | undefined;
  let lastId = 0;
  let closed = false;

  function start(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const started = new Worker(new URL(`./thread.${extension}`, import.meta.url), { workerData: data });
    /** Nothing more comes from this thread. */
    const drop = (error: unknown) => {
      if (thread !== started) return;
      thread = undefined;
      for (const waiter of waiting.values()) waiter.reject(error);
      waiting.clear();
    };
    started.on("message", (reply: ModelReply) => {
      if ("unusable" in reply) {
        drop(new SluiceError("model_missing", `The model ${name} can't be loaded: ${reply.unusable}`));
        return;
      }
      const waiter = waiting.get(reply.id);
      waiting.delete(reply.id);
      if (waiting.size === 0) started.unref();
      if ("results" in reply) waiter?.resolve(reply.results);
      else waiter?.reject(new SluiceError(codes.refused, `The model ${name}: ${reply.failure}`));
    });
    const died = (cause?: unknown) => {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      drop(new SluiceError(codes.died, `The thread of the model ${name} ended${why}`, { cause }));
    };
    started.on("error", died);
    started.on("exit", () => died());
    started.unref();
    thread = started;
    return started;
  }

  const closedError = () => new SluiceError("shutting_down", `The model ${name} is closed.`);

  return {
    ask(texts, { urgent = false, signal } = {}) {
      if (closed) return Promise.reject(closedError());
      if (signal?.aborted) return Promise.reject(signal.reason);
      const asked = thread ?? start();
      const id = ++lastId;
      return new Promise<Float32Array[]>((resolve, reject) => {
        const stop = () => {
          waiting.delete(id);
          if (waiting.size === 0) asked.unref();
          asked.postMessage({ cancel: id });
          reject(signal?.reason);
        };
        const settle =
          <T>(then: (value: T) => void) =>
          (value: T) => {
            signal?.removeEventListener("abort", stop);
            then(value);
          };
        signal?.addEventListener("abort", stop, { once: true });
        waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
        // An answer is owed: the process stays up until it has come.
        asked.ref();
        asked.postMessage({ id, texts, urgent } satisfies ModelTask);
      });
    },
    async close() {
      closed = true;
      const ending = thread;
      if (!ending) return;
      thread = undefined;
      for (const waiter of waiting.values()) waiter.reject(closedError());
      waiting.clear();
      const ended = new Promise<void>((resolve) => ending.once("exit", () => resolve()));
      ending.ref();
      // Asked, not terminated: ONNX Runtime aborts the whole process when its thread is taken from under it.
      ending.postMessage("close");
      await ended;
    },
  };
}
