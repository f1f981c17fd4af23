/** What the suites of the four storage ports share: the harness, and helpers that act on it. */
import { describe, expect } from "vitest";
import type { Chunk } from "../src/chunk.ts";
import type { DocumentRecord } from "../src/document.ts";
import type { ClaimedJob } from "../src/job.ts";
import type { ApiKeyStore } from "../src/ports/api-key-store.ts";
import { ConflictError, type ConflictReason, type DocumentStore } from "../src/ports/document-store.ts";
import type { JobQueue } from "../src/ports/job-queue.ts";
import type { System } from "../src/ports/system.ts";
import type { VectorIndex } from "../src/ports/vector-index.ts";
import { type Gaps, testUnlessGap } from "./gaps.ts";
import { newChunks, newDocument, unit, uploadCommit } from "./samples.ts";

/**
 * The storage ports of one technology over one database: commits of `documents` act on `queue` (enqueue, settle,
 * cancel_job, redrive_job) and on `index` (publishing, discard, remove_document, erase_document).
 * Each is opened empty, for the vectors of `contractEmbedder`, with the clock of a `manualClock()`.
 */
export interface StorageHarness {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  keys: ApiKeyStore;
  /** The one that the adapters were given. */
  system: System;
  /** Moves that system's clock, for every connection to these data. */
  advance(ms: number): void;
  /** Closes this one and opens the same data again. Capability `durable`. */
  reopen?(): Promise<StorageHarness>;
  /** Another connection to the same data, as another process would have. Capability `shared`. */
  second?(): Promise<StorageHarness>;
  /** Another connection to the same data, with another embedder configured. Capability `embedder_change`. */
  withEmbedder?(embedder: { embedder_id: string; dimensions: number }): Promise<StorageHarness>;
  /** Closes this connection. Called once for each harness that was not closed by `reopen`. */
  close(): Promise<void>;
}

export type OpenStorage = () => Promise<StorageHarness>;
/**
 * `turns`: tenants take turns. `order`: within a tenant, by priority and then by age. `next_ready`: `nextReadyAt` tells
 * when, and not just that `claim` itself waits.
 */
export type StorageCapability = "durable" | "shared" | "embedder_change" | "turns" | "order" | "next_ready";
export type StorageGaps = Gaps<StorageCapability>;

/** Further connections to what a test works on; the suite closes them. */
export interface Connections {
  reopen(): Promise<StorageHarness>;
  second(): Promise<StorageHarness>;
  withEmbedder(embedder: { embedder_id: string; dimensions: number }): Promise<StorageHarness>;
}

type StorageRun = (h: StorageHarness, more: Connections) => Promise<void>;

export interface StorageTest {
  (name: string, run: StorageRun, timeout_ms?: number): void;
  needing(capability: StorageCapability, name: string, run: StorageRun, timeout_ms?: number): void;
}

/** A `test` that opens a storage of its own for each test and closes everything afterwards. */
export function storageTest(open: OpenStorage, gaps: StorageGaps): StorageTest {
  const register = (
    needs: StorageCapability | undefined,
    name: string,
    run: StorageRun,
    timeout_ms = 20_000,
  ) =>
    testUnlessGap(
      gaps,
      needs,
      name,
      async () => {
        const first = await open();
        let opened = [first];
        const connect = async (make: (() => Promise<StorageHarness>) | undefined, capability: string) => {
          if (!make) throw new Error(`the harness can't show "${capability}", and no gap is declared for it`);
          const harness = await make();
          opened.push(harness);
          return harness;
        };
        try {
          await run(first, {
            reopen: async () => {
              const last = opened.at(-1)!;
              const again = await connect(last.reopen?.bind(last), "durable");
              opened = opened.filter((harness) => harness !== last);
              return again;
            },
            second: () => connect(first.second?.bind(first), "shared"),
            withEmbedder: (embedder) =>
              connect(first.withEmbedder && (() => first.withEmbedder!(embedder)), "embedder_change"),
          });
        } finally {
          for (const harness of opened.reverse()) await harness.close();
        }
      },
      timeout_ms,
    );
  return Object.assign(
    (name: string, run: StorageRun, timeout_ms?: number) => register(undefined, name, run, timeout_ms),
    {
      needing: (capability: StorageCapability, name: string, run: StorageRun, timeout_ms?: number) =>
        register(capability, name, run, timeout_ms),
    },
  );
}

/** Runs a group of tests under one heading. */
export function storageSuite(
  heading: string,
  open: OpenStorage,
  gaps: StorageGaps,
  ...parts: ((check: StorageTest) => void)[]
): void {
  describe(heading, () => {
    for (const part of parts) part(storageTest(open, gaps));
  });
}

/** Expects a promise to be refused with a ConflictError of this reason. */
export async function expectConflict(promise: Promise<unknown>, reason: ConflictReason): Promise<void> {
  const outcome = await promise.then(
    () => "not refused",
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(ConflictError);
  expect((outcome as ConflictError).reason).toBe(reason);
}

/** Commits an upload, a millisecond after the one before, so that ids sort by age. */
export async function upload(
  h: StorageHarness,
  overrides: Partial<DocumentRecord> = {},
): Promise<DocumentRecord> {
  h.advance(1);
  const record = newDocument(h.system, overrides);
  await h.documents.commit([uploadCommit(h.system, record)]);
  return record;
}

/** Writes a record one revision on, and returns it. */
export async function change(
  h: StorageHarness,
  record: DocumentRecord,
  changes: Partial<DocumentRecord>,
): Promise<DocumentRecord> {
  const next = { ...record, ...changes, revision: record.revision + 1 };
  await h.documents.commit([
    { tenant_id: record.tenant_id, document: { record: next, expect_revision: record.revision } },
  ]);
  return next;
}

export interface Passage {
  text: string;
  vector?: Float32Array;
}

/** Writes chunks, vectors and index entries of one version, as a pipeline does before it publishes. */
export async function stageVersion(
  h: StorageHarness,
  record: DocumentRecord,
  passages: Passage[],
  version = record.version,
): Promise<Chunk[]> {
  const { tenant_id, document_id, collection } = record;
  const chunks = newChunks(
    record,
    passages.map((passage) => passage.text),
    version,
  );
  const vectors = passages.map((passage, ordinal) => ({ ordinal, vector: passage.vector ?? unit(1) }));
  const { embedder_id } = h.index;
  await h.documents.commit([
    { tenant_id, chunks },
    { tenant_id, embeddings: { document_id, version, embedder_id, vectors } },
  ]);
  await h.index.stage(
    chunks.map((chunk, place) => ({
      chunk,
      tenant_id,
      collection,
      vector: vectors[place]!.vector,
      filename: record.filename,
      about: record.about,
    })),
  );
  return chunks;
}

/** Makes a staged version the searchable one. */
export async function flip(
  h: StorageHarness,
  record: DocumentRecord,
  version = record.version,
): Promise<DocumentRecord> {
  const { tenant_id, document_id, revision } = record;
  const changes = { status: "completed", version, searchable_version: version } as const;
  const next = { ...record, ...changes, revision: revision + 1 };
  await h.documents.commit([
    {
      tenant_id,
      document: { record: next, expect_revision: revision },
      indexed: { document_id, version, embedder_id: h.index.embedder_id },
    },
  ]);
  return next;
}

/** Uploads a document and makes it searchable. */
export async function publish(
  h: StorageHarness,
  passages: Passage[],
  overrides: Partial<DocumentRecord> = {},
): Promise<DocumentRecord> {
  const record = await upload(h, overrides);
  await stageVersion(h, record, passages);
  return flip(h, record);
}

/** Claims one job and expects it to be there. */
export async function claimOne(
  h: StorageHarness,
  worker_id = "wrk_a",
  lease_ms = 30_000,
): Promise<ClaimedJob> {
  const [claimed] = await h.queue.claim(worker_id, 1, lease_ms);
  if (!claimed) throw new Error("expected a job ready to be claimed");
  return claimed;
}

/**
 * How many milliseconds after `act` a watcher that looks only when it is called sees what it waits for; the median
 * of five rounds, so that one hiccup of a busy machine decides nothing. Infinity when it is not called at all.
 */
export async function watchLatency(
  watch: (listener: () => void) => () => void,
  round: () => Promise<{ act: () => Promise<unknown>; seen: () => Promise<boolean> }>,
): Promise<number> {
  const delays: number[] = [];
  for (let count = 0; count < 5; count += 1) {
    const { act, seen } = await round();
    let acted = Number.POSITIVE_INFINITY;
    let giveUp: NodeJS.Timeout | undefined;
    let stop = () => {};
    try {
      const found = new Promise<number>((resolve, reject) => {
        stop = watch(() => {
          seen().then((yes) => yes && resolve(performance.now()), reject);
        });
        giveUp = setTimeout(() => resolve(Number.POSITIVE_INFINITY), 2_000);
      });
      await act();
      acted = performance.now();
      delays.push(Math.max(0, (await found) - acted));
    } finally {
      clearTimeout(giveUp);
      stop();
    }
  }
  return delays.sort((a, b) => a - b)[2]!;
}
