/** Reads letters out of pictures, in threads of this process. No language data is ever fetched: it is installed. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { getHeapStatistics } from "node:v8";
import { Worker } from "node:worker_threads";
import type { OcrAnswer, OcrImage, OcrResult, OcrThreadData } from "./ocr-thread.ts";

export type { OcrImage, OcrResult } from "./ocr-thread.ts";

export interface Ocr {
  /** How many pictures are read at once: more than these wait. */
  readonly threads: number;
  /** Takes the picture's memory along. @throws Error when it can't be decoded, or the thread died over it */
  recognize(image: OcrImage): Promise<OcrResult>;
}

interface Job {
  image: OcrImage;
  resolve(result: OcrResult): void;
  reject(error: Error): void;
}

interface Thread {
  worker: Worker;
  isReady: boolean;
  job: Job | undefined;
}

/** What a thread takes of memory: the library, its data, a page of letter size at 250 dpi. */
const THREAD_BYTES = 200 * 1024 * 1024;

const pools = new Map<string, Ocr>();

/** The threads of this process for these languages. They start with the first pictures and stay. */
export function ocrFor(languages: readonly string[]): Ocr {
  const key = languages.join("+");
  const pool = pools.get(key) ?? createOcr(languages);
  pools.set(key, pool);
  return pool;
}

/** Path of a language's data. @throws Error when its package is not installed */
export function languageData(language: string): string {
  const name = `@tesseract.js-data/${language}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/4.0.0_best_int/${language}.traineddata.gz`);
  } catch (error) {
    throw new Error(
      `SLUICE_OCR_LANGUAGES names ${language}, whose data is not installed: npm install ${name}`,
      {
        cause: error,
      },
    );
  }
}

function createOcr(languages: readonly string[]): Ocr {
  const most = threadCount();
  const workerData: OcrThreadData = {
    languages: languages.map((language) => ({ language, path: languageData(language) })),
  };
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const entry = new URL(`./ocr-thread.${extension}`, import.meta.url);
  const threads = new Set<Thread>();
  const waiting: Job[] = [];

  function start(): void {
    const thread: Thread = {
      worker: new Worker(entry, {
        workerData,
        resourceLimits: { codeRangeSizeMb: 32 },
        stdout: true,
        stderr: true,
      }),
      isReady: false,
      job: undefined,
    };
    let failure = new Error("its thread ended");
    threads.add(thread);
    thread.worker.on("message", (answer: OcrAnswer) => {
      const { job } = thread;
      thread.isReady = true;
      thread.job = undefined;
      if ("result" in answer) job?.resolve(answer.result);
      else if ("unreadable" in answer) job?.reject(new Error(answer.unreadable));
      assign();
    });
    thread.worker.on("error", (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    thread.worker.on("exit", () => {
      threads.delete(thread);
      // A thread that can't start takes a picture with it, or they would wait for good.
      (thread.job ?? waiting.shift())?.reject(failure);
      assign();
    });
  }

  function assign(): void {
    for (const thread of threads) {
      if (!thread.isReady || thread.job !== undefined) continue;
      const job = waiting.shift();
      // Idle threads keep no process from ending.
      if (job === undefined) {
        thread.worker.unref();
        continue;
      }
      thread.job = job;
      thread.worker.ref();
      const { image } = job;
      thread.worker.postMessage(
        image satisfies OcrImage,
        "grey" in image ? [image.grey.buffer as ArrayBuffer] : [],
      );
    }
    const starting = [...threads].filter(({ isReady }) => !isReady).length;
    for (let more = starting; more < waiting.length && threads.size < most; more++) start();
  }

  return {
    threads: most,
    recognize: (image) =>
      new Promise((resolve, reject) => {
        waiting.push({ image, resolve, reject });
        assign();
      }),
  };
}

/** As many as there are cores, and as the memory of this process allows: it is killed at twice its heap's limit. */
function threadCount(): number {
  const allowed = Math.max(2 * getHeapStatistics().heap_size_limit, 256 * 1024 * 1024);
  return Math.max(1, Math.min(availableParallelism(), Math.floor(allowed / THREAD_BYTES) - 1));
}
