/** Configuration → adapters → the parts of a running Sluice. The only file that knows every adapter. */
import { hostname } from "node:os";
import { join } from "node:path";
import { createSystem } from "./adapters/node/system.ts";
import {
  checkKafka,
  checkPinecone,
  checkPostgres,
  checkS3,
  checkSns,
  checkSqsEvents,
  checkSqsQueue,
  openEmbedder,
  openEmbedderById,
  openExtractor,
  openFolderBlobs,
  openKafkaPublisher,
  openPinecone,
  openPostgres,
  openReranker,
  openS3Blobs,
  openSnsPublisher,
  openSqlite,
  openSqsPublisher,
  openSqsQueue,
  type StorageParts,
} from "./adapters/registry.ts";
import type { Config, PublisherConfig } from "./config/config.ts";
import { SluiceError } from "./errors.ts";
import { createAdmission } from "./intake/admission.ts";
import { createCollections } from "./intake/collections.ts";
import { createCommands } from "./intake/commands.ts";
import { createDirectUploads } from "./intake/direct-upload.ts";
import { detectMediaType } from "./intake/media-type.ts";
import { relay } from "./intake/relay.ts";
import { createUploads } from "./intake/upload.ts";
import { type BackupOptions, type BackupResult, backUp } from "./maintenance/backup.ts";
import { type VerifyFinding, type VerifyOptions, verify } from "./maintenance/verify.ts";
import type { ApiKeyStore } from "./ports/api-key-store.ts";
import type { BlobStore } from "./ports/blob-store.ts";
import type { DocumentStore } from "./ports/document-store.ts";
import type { Embedder } from "./ports/embedder.ts";
import type { EventPublisher } from "./ports/event-publisher.ts";
import type { Extractor } from "./ports/extractor.ts";
import type { JobDispatch } from "./ports/job-dispatch.ts";
import type { JobQueue } from "./ports/job-queue.ts";
import type { Log } from "./ports/log.ts";
import type { Reranker } from "./ports/reranker.ts";
import type { ServiceCheck } from "./ports/service-check.ts";
import type { StorageMaintenance } from "./ports/storage-maintenance.ts";
import type { System } from "./ports/system.ts";
import type { VectorIndex } from "./ports/vector-index.ts";
import { createFollower } from "./progress/follow.ts";
import { createReindex, type Reindex } from "./reindex/reindex.ts";
import { createTender } from "./reindex/tend.ts";
import { createSearch } from "./search/search.ts";
import { createDispatcher } from "./webhooks/dispatcher.ts";
import { createSender } from "./webhooks/request.ts";
import { createWebhooks } from "./webhooks/webhooks.ts";
import { createWorker, type Worker } from "./worker/worker.ts";

/** One implementation of each port, opened and ready. */
export interface Adapters {
  system: System;
  blobs: BlobStore;
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  keys: ApiKeyStore;
  embedder: Embedder;
  /** Makes others, by their ids: an index may be of another than the configured one. */
  openEmbedder?: (embedder_id: string) => Promise<Embedder | undefined>;
  /** What puts the best hits of a search in order; may be left out. */
  reranker?: Reranker;
  extractor: Extractor;
  publishers: EventPublisher[];
  /** Where the storage is not looked after by tools of its own. */
  maintenance?: StorageMaintenance;
}

/** A section answered around a hit is as long as so many chunks, where it is that long. */
const SECTION_CHUNKS = 4;

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface OpenAdapters extends Adapters {
  close(): Promise<void>;
}

/**
 * Opens the adapters that a configuration names.
 *
 * @param given take the place of the configured ones and stay the caller's to close. Documents, queue, index and keys
 *   share transactions: give all four or none.
 * @throws SluiceError storage_unavailable
 */
export async function openAdapters(
  config: Config,
  given: Partial<Adapters> = {},
  log: Log = silent,
): Promise<OpenAdapters> {
  const shared = [given.documents, given.queue, given.index, given.keys].filter((port) => port !== undefined);
  if (shared.length !== 0 && shared.length !== 4) {
    throw new TypeError("documents, queue, index and keys share transactions: give all four or none");
  }
  const opened: { close?(): Promise<void> }[] = [];
  const open = async <T extends { close?(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const part = await opening;
    opened.push(part);
    return part;
  };
  const close = async () => {
    for (let part = opened.pop(); part; part = opened.pop()) await part.close?.();
  };
  try {
    const system = given.system ?? createSystem();
    const embedder = given.embedder ?? (await open(openEmbedder(config.embedder, system)));
    const parts = { system, embedder, log };
    const reranker =
      given.reranker ??
      (config.reranker.kind === "none" ? undefined : await open(openReranker(config.reranker)));
    const storage = given.documents ? (given as Storage) : await open(openStorage(config, parts));
    const { documents, keys, maintenance } = storage;
    await tellOfOthers(documents, embedder, log);
    const index =
      config.index.kind === "pinecone" && !given.index
        ? await open(openPinecone({ ...config.index, system, embedder, documents, words: storage.index }))
        : storage.index;
    return {
      system,
      embedder,
      openEmbedder: given.openEmbedder ?? othersBesides(config, system, opened),
      ...(reranker ? { reranker } : {}),
      documents,
      queue: given.queue ?? (await openQueue(config, storage, parts, open)),
      index,
      keys,
      blobs: given.blobs ?? (await openBlobs(config, open)),
      extractor:
        given.extractor ??
        (await open(openExtractor({ ...config.extract, size: config.worker_concurrency }))),
      publishers:
        given.publishers ??
        (await Promise.all(config.publishers.map((each) => open(openPublisher(each, config))))),
      ...(maintenance ? { maintenance } : {}),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Each is made once, and kept. @param opened what is to be closed at the end */
function othersBesides(
  config: Config,
  system: System,
  opened: { close?(): Promise<void> }[],
): (id: string) => Promise<Embedder | undefined> {
  const known = new Map<string, Promise<Embedder | undefined>>();
  const open = async (embedder_id: string) => {
    const { embedding_service, local_model } = config;
    const embedder = await openEmbedderById(embedder_id, embedding_service, system, local_model);
    if (embedder) opened.push(embedder);
    return embedder;
  };
  return (embedder_id) => {
    const other = known.get(embedder_id) ?? open(embedder_id);
    known.set(embedder_id, other);
    other.catch(() => known.delete(embedder_id));
    return other;
  };
}

async function tellOfOthers(documents: DocumentStore, { embedder_id }: Embedder, log: Log): Promise<void> {
  const { serving, target } = await documents.embedders.read();
  if (serving === null || serving === embedder_id || target !== null) return;
  log.warn(
    { serving, configured: embedder_id },
    "the index is of another embedder than the settings name; it stays in use until `sluice reindex` is done",
  );
}

/** Ports that share transactions. `dispatch`: what a queue outside of the database needs from the one in it. */
type Storage = Pick<Adapters, "documents" | "queue" | "index" | "keys" | "maintenance"> & {
  dispatch?: JobDispatch;
};

type Open = <T extends { close(): Promise<void> }>(opening: Promise<T>) => Promise<T>;

async function openBlobs({ blobs, data_dir }: Config, open: Open): Promise<BlobStore> {
  return blobs.kind === "s3" ? open(openS3Blobs(blobs)) : openFolderBlobs(join(data_dir, "blobs"));
}

async function openQueue(
  { queue }: Config,
  { queue: inner, dispatch }: Storage,
  { system, log }: StorageParts,
  open: Open,
): Promise<JobQueue> {
  if (queue.kind === "database") return inner;
  // The configuration is refused before: only PostgreSQL has this.
  if (!dispatch) throw new TypeError(`the queue ${queue.kind} needs a storage with a dispatch`);
  return open(openSqsQueue({ ...queue, inner, dispatch, system, log }));
}

function openStorage(config: Config, parts: StorageParts): Promise<Storage & { close(): Promise<void> }> {
  const { storage } = config;
  if (storage.kind === "sqlite") return openSqlite(config.data_dir, parts);
  return openPostgres({
    ...storage,
    ...parts,
    vectors: config.index.kind === "database",
    broker: config.queue.kind !== "database",
  });
}

function openPublisher(
  publisher: PublisherConfig,
  { event_source: source }: Config,
): Promise<EventPublisher> {
  switch (publisher.kind) {
    case "kafka":
      return openKafkaPublisher({ ...publisher, source });
    case "sqs":
      return openSqsPublisher({ ...publisher, source });
    case "sns":
      return openSnsPublisher({ ...publisher, source });
  }
}

/** Asks every service that a configuration names whether it is as it must be, changing nothing in it. */
export async function* checkServices(config: Config): AsyncGenerator<ServiceCheck, void, void> {
  const { storage } = config;
  if (storage.kind === "postgres") {
    yield* checkPostgres({ ...storage, vectors: config.index.kind === "database" });
  }
  if (config.index.kind === "pinecone") {
    const system = createSystem();
    // A model that is missing is told by whoever opens the adapters; nothing can be said of Pinecone then.
    const embedder = await openEmbedder(config.embedder, system).catch(unlessModelMissing);
    if (embedder) {
      const { embedder_id, dimensions } = embedder;
      await embedder.close?.();
      yield* checkPinecone({ ...config.index, system, embedder: { embedder_id, dimensions } });
    }
  }
  if (config.blobs.kind === "s3") yield* checkS3(config.blobs);
  if (config.queue.kind === "sqs")
    yield* checkSqsQueue({ ...config.queue, max_attempts: config.max_attempts });
  for (const publisher of config.publishers) {
    if (publisher.kind === "kafka") yield* checkKafka(publisher);
    if (publisher.kind === "sqs") yield* checkSqsEvents(publisher);
    if (publisher.kind === "sns") yield* checkSns(publisher);
  }
}

function unlessModelMissing(error: unknown): undefined {
  if (!(error instanceof SluiceError) || error.code !== "model_missing") throw error;
}

/** The request side: everything that the HTTP server, or the library, calls. */
export function composeIntake(config: Config, adapters: Adapters, log: Log) {
  const { documents, extractor, publishers, system } = adapters;
  const { event_source, webhooks: policy } = config;
  const follower = createFollower(documents);
  const stopping = new AbortController();
  const relays = publishers.map((publisher) =>
    relay({ ...adapters, follower, log }, publisher, stopping.signal),
  );
  const sender = createSender(system, policy);
  const dispatcher = createDispatcher({
    ...{ documents, follower, system, log, sender, event_source },
    keep_ms: policy.log_ms,
  });
  const dispatching = dispatcher.run(stopping.signal);
  const admit = createAdmission(adapters, config.admission);
  return {
    offerDirectUpload: createDirectUploads({ ...adapters, admit, max_upload_bytes: config.max_upload_bytes }),
    beginUpload: createUploads({
      ...adapters,
      admit,
      accepts: (media_type) => extractor.media_types.has(media_type),
      max_upload_bytes: config.max_upload_bytes,
      max_attempts: config.max_attempts,
    }),
    collections: createCollections({ ...adapters, chunking: config.chunk }),
    commands: createCommands({ ...adapters, max_attempts: config.max_attempts }),
    search: createSearch({
      ...adapters,
      reranking: config.reranking,
      section_tokens: SECTION_CHUNKS * config.chunk.max_tokens,
      log,
    }),
    reindex: composeReindex(adapters),
    webhooks: createWebhooks({ documents, system, sender, event_source, policy, counts: dispatcher.counts }),
    follower,
    /** Ends readers, relays and webhooks; what was not published goes out after the next start. */
    async close() {
      stopping.abort();
      follower.close();
      await Promise.all([...relays, dispatching]);
      sender.close();
    },
  };
}

export function composeReindex(adapters: Adapters): Reindex {
  return createReindex(adapters);
}

/** The working side: a worker over these adapters, not started. One of all workers tends the reindex. */
export function composeWorker(config: Config, adapters: Adapters, log: Log, worker_id: string): Worker {
  const { system, extractor } = adapters;
  const typeOf = async (head: Uint8Array, filename: string, declared?: string) => {
    const media_type = await detectMediaType(head, filename, declared);
    return extractor.media_types.has(media_type) ? media_type : undefined;
  };
  const tender = createTender({ ...adapters, log, max_attempts: config.max_attempts }, worker_id);
  const worker = createWorker(
    { ...adapters, chunking: config.chunk, typeOf, retry: config.retry, log },
    {
      worker_id,
      pid: process.pid,
      host: hostname(),
      started_at: new Date(system.now()).toISOString(),
      concurrency: config.worker_concurrency,
      lease_ms: config.lease_ms,
      max_running_per_tenant: config.max_running_per_tenant,
    },
  );
  return {
    async start() {
      await worker.start();
      tender.start();
    },
    async stop(deadline_ms) {
      await Promise.all([tender.stop(), worker.stop(deadline_ms)]);
    },
  };
}

/** What an operator does with the whole, beside everything that goes on in it. */
export interface Maintenance {
  backUp(folder: string, options?: BackupOptions): Promise<BackupResult>;
  verify(options?: VerifyOptions): AsyncGenerator<VerifyFinding, void, void>;
}

/** @returns undefined where the storage is looked after by tools of its own */
export function composeMaintenance(config: Config, adapters: Adapters): Maintenance | undefined {
  const { maintenance } = adapters;
  if (!maintenance) return undefined;
  const parts = { ...adapters, maintenance, max_attempts: config.max_attempts };
  const openFolder = (data_dir: string) => openFolderBlobs(join(data_dir, "blobs"));
  return {
    backUp: (folder, options) => backUp({ ...parts, openBlobs: openFolder }, folder, options),
    verify: (options) => verify(parts, options),
  };
}
