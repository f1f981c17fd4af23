/** The whole of Sluice in one process, over real adapters, with whatever a test wants in place of one of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished } from "vitest";
import { createInProcessExtractor } from "../../src/adapters/extract/in-process.ts";
import { createFolderBlobStore } from "../../src/adapters/fs/blob-store.ts";
import { createMemoryBlobStore } from "../../src/adapters/memory/blob-store.ts";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import { createSystem } from "../../src/adapters/node/system.ts";
import { openSqliteStorage } from "../../src/adapters/sqlite/storage.ts";
import { type Document, type DocumentRecord, evolve, isTerminal } from "../../src/document.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { chunkId } from "../../src/ids.ts";
import { createCommands } from "../../src/intake/commands.ts";
import { detectMediaType } from "../../src/intake/media-type.ts";
import { type Accepted, createUploads, type UploadOptions } from "../../src/intake/upload.ts";
import type { ClaimedJob, Job, RetryPolicy } from "../../src/job.ts";
import type { ChunkOptions } from "../../src/pipeline/chunker.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import type { JobQueue } from "../../src/ports/job-queue.ts";
import type { Log } from "../../src/ports/log.ts";
import type { System } from "../../src/ports/system.ts";
import type { VectorIndex } from "../../src/ports/vector-index.ts";
import { createFollower } from "../../src/progress/follow.ts";
import { createSearch } from "../../src/search/search.ts";
import { createWorker, type WorkerDependencies } from "../../src/worker/worker.ts";
import { expectLegal } from "../journey.ts";
import { createTestEmbedder } from "./embedder.ts";

export const tenant_id = "t1";

/** Tables of the database that hold content; the last is where the vectors of the first embedder are. */
const tables = [
  "documents",
  "versions",
  "checkpoints",
  "chunks",
  "embeddings",
  "chunks_fts_docsize",
  "vectors_1",
] as const;

export interface RigOptions {
  /** Default "sqlite": one file in a temporary folder. */
  storage?: "sqlite" | "memory";
  system?: System;
  embedder?: Embedder;
  extractor?: Extractor;
  /** Default: small chunks, so that a short text makes several. */
  chunking?: ChunkOptions;
  /** Default: a retry is ready at once. */
  retry?: RetryPolicy;
  max_attempts?: number;
  max_upload_bytes?: number;
}

export interface Ports {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  blobs: BlobStore;
}

export interface LogLine {
  level: "debug" | "info" | "warn" | "error";
  fields: Record<string, unknown>;
  message: string;
}

export interface UploadInput extends Partial<UploadOptions> {
  filename?: string;
  tenant_id?: string;
  idempotency_key?: string;
}

export type Rig = Awaited<ReturnType<typeof openRig>>;

/** Closed, and its folder removed, when the test ends. */
export async function openRig(options: RigOptions = {}) {
  const system = options.system ?? createSystem();
  const embedder = options.embedder ?? createTestEmbedder();
  const extractor = options.extractor ?? createInProcessExtractor();
  const inMemory = options.storage === "memory";
  const folder = inMemory ? undefined : await mkdtemp(join(tmpdir(), "sluice-rig-"));
  const endings: (() => Promise<void>)[] = [];
  onTestFinished(async () => {
    for (const end of endings.reverse()) await end();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function open() {
    if (folder === undefined) return createMemoryStorage({ system, embedder_id: embedder.embedder_id });
    const storage = await openSqliteStorage({ folder, system, embedder, search_threads: 1 });
    endings.push(storage.close);
    return storage;
  }

  const { documents, queue, index } = await open();
  const blobs: BlobStore =
    folder === undefined ? createMemoryBlobStore() : createFolderBlobStore({ folder: join(folder, "blobs") });
  const ports: Ports = { documents, queue, index, blobs };
  const log: LogLine[] = [];
  /** Called when a worker says something: that a job ended changes nothing that the ports tell of. */
  const hearers = new Set<() => void>();
  const retry = options.retry ?? { base_ms: 1, cap_ms: 1 };
  const max_attempts = options.max_attempts ?? 5;
  const chunking = options.chunking ?? { max_tokens: 24, overlap_tokens: 0 };
  const follower = createFollower(documents);
  endings.push(async () => follower.close());

  async function typeOf(head: Uint8Array, filename: string, declared?: string) {
    const media_type = await detectMediaType(head, filename, declared);
    return extractor.media_types.has(media_type) ? media_type : undefined;
  }

  /** What a worker needs, over these ports or others in their place. */
  function workerParts(replaced: Partial<WorkerDependencies> = {}): WorkerDependencies {
    return {
      system,
      embedder,
      extractor,
      chunking,
      typeOf,
      retry,
      log: logInto(log, hearers),
      ...ports,
      ...replaced,
    };
  }

  const uploadsOver = (replaced: Partial<Ports>) =>
    createUploads({
      system,
      ...ports,
      ...replaced,
      accepts: (media_type) => extractor.media_types.has(media_type),
      max_upload_bytes: options.max_upload_bytes ?? 1024 * 1024,
      max_attempts,
    });

  async function upload(text: string, input: UploadInput = {}): Promise<Accepted> {
    const { filename = "notes.txt", tenant_id: tenant = tenant_id, idempotency_key, ...given } = input;
    const attempt = await uploadsOver({})(tenant, system.newId("req"), { idempotency_key });
    try {
      await attempt.add(bytesOf(text), { filename });
      const { accepted } = await attempt.accept({ collection: "default", metadata: {}, ...given });
      return accepted[0]!;
    } finally {
      await attempt.end();
    }
  }

  function newWorker(
    replaced: Partial<WorkerDependencies> = {},
    more: { concurrency?: number; lease_ms?: number } = {},
  ) {
    const worker_id = system.newId("wrk");
    const worker = createWorker(workerParts(replaced), {
      worker_id,
      pid: process.pid,
      host: "test",
      started_at: new Date(system.now()).toISOString(),
      concurrency: 1,
      lease_ms: 30_000,
      ...more,
    });
    let stopping: Promise<void> | undefined;
    const stop = (deadline_ms = 0) => {
      stopping ??= worker.stop(deadline_ms);
      return stopping;
    };
    return {
      worker_id,
      stop,
      async start() {
        endings.push(() => stop());
        await worker.start();
      },
      /** Nobody stops it: for a worker that dies. */
      startUnstopped: () => worker.start(),
    };
  }

  /** The document when nothing more happens to it by itself. */
  const settled = (document_id: string, tenant = tenant_id) =>
    until(async () => {
      const document = await documents.getDocument(tenant, document_id);
      return document && isTerminal(document.status) && document;
    });

  async function events(document_id: string): Promise<SluiceEvent[]> {
    return documents.readEvents({ after: 0, limit: 10_000, document_id });
  }

  /** Waits for a state of the store or the queue; looks whenever something changed. */
  function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const ends: (() => void)[] = [];
      const again = () => {
        look().then((found) => {
          if (found === undefined || found === false) return;
          for (const end of ends) end();
          resolve(found);
        }, reject);
      };
      hearers.add(again);
      ends.push(documents.watchEvents(again), queue.watchJobs(again), () => hearers.delete(again));
      again();
    });
  }

  async function get(document_id: string, tenant = tenant_id): Promise<DocumentRecord> {
    const document = await documents.getDocument(tenant, document_id);
    if (!document) throw new Error(`no ${document_id}`);
    return document;
  }

  return {
    ...ports,
    ports,
    /** Where everything lies; undefined in memory. */
    folder,
    system,
    embedder,
    extractor,
    follower,
    log,
    upload,
    uploadsOver,
    workerParts,
    events,
    until,
    get,
    commands: createCommands({ system, ...ports, max_attempts }),
    commandsOver: (replaced: Partial<Ports>) =>
      createCommands({ system, ...ports, ...replaced, max_attempts }),
    search: createSearch({ documents, index, embedder }),

    /** A worker over these ports or others in their place, not started; stopped when the test ends. */
    worker: newWorker,

    /** A document whose first version is searchable. @returns its id */
    async searchable(text: string, input: UploadInput = {}): Promise<string> {
      const { document_id } = await upload(text, input);
      const worker = newWorker();
      await worker.start();
      const document = await settled(document_id, input.tenant_id);
      await worker.stop();
      expect(document.status).toBe("completed");
      return document_id;
    },

    /** Another connection to the same data, as another process has one. */
    async connect(): Promise<Ports> {
      if (inMemory) throw new Error("memory is not shared");
      return { ...(await open()), blobs };
    },

    async claim(worker_id = "wrk_test", lease_ms = 30_000): Promise<ClaimedJob> {
      const [claimed] = await queue.claim(worker_id, 1, lease_ms);
      if (!claimed) throw new Error("expected a job that is ready");
      return claimed;
    },

    async job(job_id: string): Promise<Job> {
      const job = await queue.get(job_id);
      if (!job) throw new Error(`no ${job_id}`);
      return job;
    },

    settled,

    blobKeys: async (): Promise<string[]> => {
      const keys: string[] = [];
      for await (const { key } of blobs.list("")) keys.push(key);
      return keys.sort();
    },

    /** Ids of the chunks that a search by words finds, sorted. */
    async found(words: string, tenant = tenant_id): Promise<string[]> {
      const hits = await index.matching({ tenant_id: tenant }, words, 1_000);
      return hits.map((hit) => hit.chunk_id).sort();
    },

    /** Rows that the database file holds, whoever may see them: what is gone is really gone. */
    rows(): Record<(typeof tables)[number], number> {
      if (folder === undefined) throw new Error("memory has no file");
      const db = new DatabaseSync(join(folder, "sluice.db"), { readOnly: true });
      try {
        const known = db.prepare("SELECT 1 FROM sqlite_master WHERE name = ?");
        const count = (table: string) =>
          known.get(table) ? db.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows : 0;
        return Object.fromEntries(tables.map((table) => [table, count(table)])) as Record<
          (typeof tables)[number],
          number
        >;
      } finally {
        db.close();
      }
    },

    /** The log makes the stored document again (G5), and every step of it was legal. */
    async expectReplays(document_id: string, tenant = tenant_id): Promise<SluiceEvent[]> {
      const log = await events(document_id);
      expectLegal(log);
      const stored = await get(document_id, tenant);
      const { collection, metadata } = stored;
      let replayed: DocumentRecord | undefined;
      for (const event of log) {
        replayed = evolve(replayed ?? { tenant_id: tenant, document_id, collection, metadata }, event);
      }
      expect(replayed).toEqual(stored satisfies Document);
      return log;
    },
  };
}

function logInto(lines: LogLine[], hearers: Set<() => void>): Log {
  const write = (level: LogLine["level"]) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message });
    for (const hear of [...hearers]) hear();
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

export async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** A text of so many paragraphs, each a chunk of its own, and each with `word` in it. */
export function paragraphs(count: number, word = "quartz"): string {
  const numbers = [
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliet",
  ];
  return Array.from({ length: count }, (_, place) => {
    const name = `${numbers[place % 10]} ${numbers[Math.floor(place / 10) % 10]}`;
    return `Paragraph ${place} tells of ${word} and ${name}, in rather many words, so that no other fits beside it.`;
  }).join("\n\n");
}

/** For `stop`: longer than anything that runs; no timer takes much more. */
export const PATIENCE_MS = 1e9;

export function chunkIds(document_id: string, version: number, count: number): string[] {
  return Array.from({ length: count }, (_, ordinal) => chunkId(document_id, version, ordinal)).sort();
}

/** A promise and its ends. */
export function gate<T = void>() {
  let open!: (value: T) => void;
  let fail!: (error: unknown) => void;
  const opened = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { opened, open, fail };
}
