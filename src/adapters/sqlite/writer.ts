/** The main thread's side of the writer: requests out, answers in. */
import { Worker } from "node:worker_threads";
import { type ErrorCode, SluiceError } from "../../errors.ts";
import type { Lease } from "../../job.ts";
import { type Commit, ConflictError, type ConflictReason } from "../../ports/document-store.ts";
import type { WorkerPresence } from "../../ports/job-queue.ts";
import type { IndexEntry } from "../../ports/vector-index.ts";
import type { VectorTables } from "./vector-tables.ts";
import type { Effects } from "./write-commit.ts";
import type { EmbedderChange } from "./write-embedders.ts";
import type { JobChange } from "./write-jobs.ts";
import type { WebhookWrite } from "./write-webhooks.ts";

export interface WriterData {
  path: string;
  folder: string;
}

export type WriteOperation =
  | { op: "commit"; commits: Commit[]; now: number }
  | { op: "jobs"; change: JobChange; now: number }
  | {
      op: "claim";
      worker_id: string;
      limit: number;
      lease_ms: number;
      max_running_per_tenant: number;
      now: number;
    }
  | { op: "heartbeat"; worker: WorkerPresence; leases: Lease[]; lease_ms: number; now: number }
  | { op: "remove_worker"; worker_id: string }
  | {
      op: "stage";
      embedder_id: string;
      dimensions: number;
      entries: IndexEntry[];
      lease: Lease | undefined;
    }
  | { op: "add"; embedder_id: string; dimensions: number; entries: IndexEntry[]; lease: Lease | undefined }
  | { op: "embedders"; change: EmbedderChange }
  | { op: "webhooks"; change: WebhookWrite }
  | { op: "remove_indexed"; tenant_id: string; document_id: string; version: number }
  | { op: "drop_stray_vectors"; tables: VectorTables; chunk_rows: number[] }
  | {
      op: "run";
      sql: string;
      values: (string | number | null)[] /** Where it compares times. */;
      now?: number;
    }
  | { op: "close" };
export type WriteRequest = WriteOperation & { id: number /** By `monotonicMs`. */; asked_at: number };

/** A SluiceError on its way between threads. */
export interface Failure {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  retry_after_ms: number | undefined;
}

export interface WriteAnswer {
  id: number;
  result?: unknown;
  conflict?: ConflictReason;
  failure?: Failure;
  defect?: { message: string; stack: string | undefined };
}

export interface Writer {
  /** Resolves when the transaction that holds it is on disk. @throws ConflictError, SluiceError */
  write<T>(operation: WriteOperation): Promise<T>;
  close(): Promise<void>;
}

/** What the thread says went wrong, as the error that it was there. */
function errorOf({ conflict, failure, defect }: Omit<WriteAnswer, "id">): Error | undefined {
  if (conflict) return new ConflictError(conflict);
  if (failure) {
    const { code, message, retryable, retry_after_ms } = failure;
    return new SluiceError(code, message, {
      retryable,
      ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
    });
  }
  if (!defect) return undefined;
  const error = new Error(defect.message);
  if (defect.stack) error.stack = defect.stack;
  return error;
}

/** Milliseconds of a clock that never jumps, the same on every thread of the process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/**
 * @param onCommit called after each commit of this writer, with what it may mean to others
 * @param tell hears of what makes the start take long
 */
export async function startWriter(
  data: WriterData,
  onCommit: (effects: Effects) => void,
  tell: (message: string) => void = () => {},
): Promise<Writer> {
  const thread = new Worker(sibling("writer-thread"), { workerData: data });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: unknown) => void }>();
  let lastId = 0;
  let dead: Error | undefined;

  await new Promise<void>((resolve, reject) => {
    type Opening = { notice?: string; unusable?: Omit<WriteAnswer, "id"> };
    thread.on("message", function opening({ notice, unusable }: Opening) {
      if (notice !== undefined) return tell(notice);
      thread.off("message", opening);
      if (unusable) reject(errorOf(unusable));
      else resolve();
    });
    thread.once("error", reject);
  });
  const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));

  thread.on("message", (answer: WriteAnswer & { effects?: Effects; closed?: boolean }) => {
    if (answer.closed) return;
    const waiter = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (waiting.size === 0) thread.unref();
    const error = errorOf(answer);
    if (error) waiter?.reject(error);
    else {
      waiter?.resolve(answer.result as never);
      if (answer.effects) onCommit(answer.effects);
    }
  });
  const fail = (error: Error) => {
    dead = error;
    for (const waiter of waiting.values()) waiter.reject(error);
    waiting.clear();
  };
  thread.on("error", fail);
  thread.on("exit", () => fail(new SluiceError("shutting_down", "The database of this process is closed.")));
  thread.unref();

  return {
    write<T>(operation: WriteOperation): Promise<T> {
      if (dead) return Promise.reject(dead);
      return new Promise<T>((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { resolve: resolve as (value: never) => void, reject });
        // An answer is owed: the process stays up until it has come.
        thread.ref();
        thread.postMessage({ ...operation, id, asked_at: monotonicMs() });
      });
    },
    async close() {
      if (dead) return;
      thread.ref();
      thread.postMessage({ op: "close", id: ++lastId, asked_at: monotonicMs() });
      await ended;
    },
  };
}

/** A module beside this one, under the extension that this one runs with: .ts from source, .js when built. */
export function sibling(name: string): URL {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`./${name}${extension}`, import.meta.url);
}
