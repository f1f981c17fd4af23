/** A few reader threads and the tasks handed to them, the least busy first. Started with the first question. */
import { Worker } from "node:worker_threads";
import type { DocumentRecord } from "../../document.ts";
import type { DocumentCounts } from "../../document-list.ts";
import { type ErrorCode, SluiceError } from "../../errors.ts";
import type { DocumentQuery, DocumentSelection } from "../../ports/document-store.ts";
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import { sibling } from "./writer.ts";

interface Nearest {
  kind: "nearest";
  embedder_id: string;
  scope: IndexScope;
  vector: Float32Array;
  limit: number;
}
interface Matching {
  kind: "matching";
  scope: IndexScope;
  words: string;
  limit: number;
}
interface Listing {
  kind: "documents";
  query: DocumentQuery;
}
interface Counting {
  kind: "counts";
  selection: DocumentSelection;
}
export type SearchQuestion = Nearest | Matching | Listing | Counting;
export type SearchTask = SearchQuestion & { id: number };
/** What each question is answered with. */
export type AnswerTo<Q extends SearchQuestion> = Q extends Listing
  ? DocumentRecord[]
  : Q extends Counting
    ? DocumentCounts
    : IndexHit[];

export interface SearchReply {
  id: number;
  answer?: AnswerTo<SearchQuestion>;
  failure?: { code: ErrorCode; message: string };
  defect?: string;
}

interface Reader {
  thread: Worker;
  waiting: Map<number, { resolve: (answer: never) => void; reject: (error: unknown) => void }>;
  ended: Promise<void>;
}

export type ReaderThreads = ReturnType<typeof createSearchThreads>;

export function createSearchThreads(path: string, size: number) {
  const readers: Reader[] = [];
  let lastId = 0;
  let closed = false;

  function startReader(): Reader {
    const thread = new Worker(sibling("search-thread"), { workerData: { path } });
    const waiting: Reader["waiting"] = new Map();
    const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
    const reader = { thread, waiting, ended };
    thread.on("message", ({ id, answer, failure, defect }: SearchReply) => {
      const waiter = waiting.get(id);
      waiting.delete(id);
      if (waiting.size === 0) thread.unref();
      if (answer) waiter?.resolve(answer as never);
      else if (failure) waiter?.reject(new SluiceError(failure.code, failure.message));
      else waiter?.reject(new Error(`search failed: ${defect}`));
    });
    const drop = (error: unknown) => {
      const place = readers.indexOf(reader);
      if (place >= 0) readers.splice(place, 1);
      for (const waiter of waiting.values()) waiter.reject(error);
      waiting.clear();
    };
    thread.on("error", drop);
    thread.on("exit", () =>
      drop(new SluiceError("shutting_down", "The search readers of this process are closed.")),
    );
    thread.unref();
    readers.push(reader);
    return reader;
  }

  return {
    ask<Q extends SearchQuestion>(question: Q): Promise<AnswerTo<Q>> {
      if (closed) {
        return Promise.reject(
          new SluiceError("shutting_down", "The search readers of this process are closed."),
        );
      }
      const idle = readers.find((reader) => reader.waiting.size === 0);
      const reader =
        idle ??
        (readers.length < size
          ? startReader()
          : (readers.toSorted((a, b) => a.waiting.size - b.waiting.size)[0] as Reader));
      return new Promise((resolve, reject) => {
        const id = ++lastId;
        reader.waiting.set(id, { resolve, reject });
        reader.thread.ref();
        reader.thread.postMessage({ ...question, id });
      });
    },
    async close(): Promise<void> {
      closed = true;
      const ending = readers.map(({ thread, ended }) => {
        thread.ref();
        thread.postMessage("close");
        return ended;
      });
      await Promise.all(ending);
    },
  };
}
