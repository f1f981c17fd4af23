/** The ports as a simulated process sees them: every call waits for the scheduler twice. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { readPlainText } from "../../src/adapters/extract/plain.ts";
import type { MemoryState } from "../../src/adapters/memory/state.ts";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import { SluiceError } from "../../src/errors.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import type { JobQueue } from "../../src/ports/job-queue.ts";
import type { VectorIndex } from "../../src/ports/vector-index.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import type { Process, Scheduler } from "./scheduler.ts";

export const EMBEDDER_ID = "sim@1";
export const BATCH = 2;

export interface Blob {
  bytes: Buffer;
  modified_at: number;
}

/** What outlives every process: the database, the blobs, and the services that the adapters call. */
export interface Outside {
  state: MemoryState;
  blobs: Map<string, Blob>;
  /** Whether services fail now and then. */
  faulty: boolean;
  /** Every text that the embedding service was given, in order. */
  embedded: string[];
  /** Job id → how often it was claimed. */
  claims: Map<string, number>;
  /** Unix milliseconds before which the embedding service wants not to be asked; and whether anybody did. */
  limited_until: number;
}

export interface ProcessPorts {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  blobs: BlobStore;
  embedder: Embedder;
  extractor: Extractor;
}

/** Puts something wrong between a process and its ports: see planted.ts. */
export type Plant = (
  ports: Pick<ProcessPorts, "documents" | "queue" | "index">,
  process: Process,
  scheduler: Scheduler,
) => Partial<ProcessPorts>;

export function openPorts(
  scheduler: Scheduler,
  process: Process,
  outside: Outside,
  plant?: Plant,
): ProcessPorts {
  const { system } = process;
  const storage = createMemoryStorage({ system, embedder_id: EMBEDDER_ID, state: outside.state });
  const claim: JobQueue["claim"] = async (...given) => {
    const claimed = await storage.queue.claim(...given);
    for (const { job_id } of claimed) outside.claims.set(job_id, (outside.claims.get(job_id) ?? 0) + 1);
    return claimed;
  };
  const raw = { ...storage, queue: { ...storage.queue, claim } };
  const planted = plant ? { ...raw, ...plant(raw, process, scheduler) } : raw;
  const through = <T extends object>(name: string, port: T): T => scheduled(scheduler, process, name, port);
  return {
    documents: through("documents", planted.documents),
    queue: through("queue", planted.queue),
    index: through("index", planted.index),
    blobs: through("blobs", simulatedBlobs(scheduler, outside)),
    embedder: through("embedder", simulatedEmbedder(scheduler, outside)),
    extractor: simulatedExtractor(scheduler, process, outside),
  };
}

function scheduled<T extends object>(scheduler: Scheduler, process: Process, name: string, port: T): T {
  const wrapped = Object.entries(port).map(([method, value]) => {
    if (typeof value !== "function" || method === "localPath" || method === "list") return [method, value];
    const label = `${name}.${method}`;
    if (method === "watchJobs" || method === "watchEvents") {
      // The news comes after a while, sometimes twice, and not to the dead.
      return [
        method,
        (listener: () => void) =>
          (value as (listener: () => void) => () => void)(() => {
            const times = scheduler.random.chance(0.05) ? 2 : 1;
            for (let time = 0; time < times; time++)
              void scheduler.step(process, `${label} rings`).then(listener);
          }),
      ];
    }
    return [
      method,
      async (...given: unknown[]) => {
        await scheduler.step(process, label);
        // Whether it worked or not, the answer has a way to go.
        const answer = await Promise.resolve((value as (...given: unknown[]) => unknown)(...given)).then(
          (result) => ({ result }),
          (error: unknown) => ({ error }),
        );
        await scheduler.step(
          process,
          `${label} answers${"error" in answer ? ` ${String(answer.error)}` : ""}`,
        );
        if ("error" in answer) throw answer.error;
        return answer.result;
      },
    ];
  });
  return Object.fromEntries(wrapped) as T;
}

function simulatedBlobs(scheduler: Scheduler, { blobs }: Outside): BlobStore {
  return {
    async put(key, source, options) {
      if (blobs.has(key)) throw new Error(`${key} is written twice`);
      const parts: Uint8Array[] = [];
      for await (const part of source) {
        options?.signal?.throwIfAborted();
        parts.push(part);
      }
      const bytes = Buffer.concat(parts);
      blobs.set(key, { bytes, modified_at: scheduler.now() });
      return { size_bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    },
    async get(key) {
      const blob = blobs.get(key);
      if (!blob) throw new SluiceError("blob_missing", `there is no blob ${key}`);
      return Readable.from([blob.bytes]);
    },
    async delete(key) {
      blobs.delete(key);
    },
    async *list(prefix) {
      for (const [key, { bytes, modified_at }] of [...blobs]) {
        if (key.startsWith(prefix)) yield { key, size_bytes: bytes.length, modified_at };
      }
    },
    localPath: (key) => key,
    async check() {},
  };
}

function simulatedEmbedder(scheduler: Scheduler, outside: Outside): Embedder {
  const inner = createTestEmbedder(EMBEDDER_ID, BATCH);
  const { random } = scheduler;
  return {
    embedder_id: EMBEDDER_ID,
    dimensions: inner.dimensions,
    batch_size: BATCH,
    async embed(texts, kind, signal) {
      signal?.throwIfAborted();
      if (kind === "query") return inner.embed(texts, kind);
      if (outside.faulty && random.chance(0.03)) {
        throw new SluiceError("embedder_unavailable", "the service is away for a moment");
      }
      if (outside.faulty && random.chance(0.02)) {
        throw new SluiceError("embedder_rate_limited", "slow down", {
          retry_after_ms: 1 + random.below(5_000),
        });
      }
      outside.embedded.push(...texts);
      return inner.embed(texts, kind);
    },
    async check() {},
  };
}

/** Plain text, read for real; what a text begins with says how reading it goes. */
function simulatedExtractor(scheduler: Scheduler, process: Process, { blobs }: Outside): Extractor {
  return {
    media_types: new Set(["text/plain"]),
    async extract({ path, filename }, progress, signal) {
      for (let part = 1; part <= 3; part++) {
        await scheduler.step(process, `extract ${filename} ${part}`);
        signal.throwIfAborted();
        progress(part, 3);
      }
      const bytes = blobs.get(path)?.bytes;
      if (!bytes) throw new SluiceError("blob_missing", `there is no ${path}`);
      const text = bytes.toString();
      if (text.startsWith("damaged")) throw new SluiceError("malformed_document", `${filename} is damaged.`);
      if (text.startsWith("poison"))
        throw new SluiceError("extraction_crashed", `reading ${filename} crashed.`);
      return readPlainText({ bytes, filename, progress: () => {} });
    },
    async close() {},
  };
}
