/** Sluice as a library: the same parts as the service, in one's own process, with one's own adapters. */
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import type { CollectionInput, CollectionView } from "./collection.ts";
import { type Adapters, composeIntake, composeWorker, openAdapters } from "./compose.ts";
import { parseConfig } from "./config/config.ts";
import { type Document, isTerminal } from "./document.ts";
import { SluiceError } from "./errors.ts";
import type { SluiceEvent } from "./events.ts";
import type { Accepted, UploadFile, UploadOptions } from "./intake/upload.ts";
import type { Log } from "./ports/log.ts";
import type { FollowFilter } from "./progress/follow.ts";
import type { SearchAnswer, SearchRequest } from "./search/search.ts";

export interface SluiceOptions {
  /** Folder of the database and the files. Default "./data". */
  data_dir?: string;
  /** Whose documents these are. Default "default". */
  tenant_id?: string;
  /** Whether this process also works on jobs. Default true; false where `sluice worker` processes do. */
  worker?: boolean;
  /** Further settings, by the names of the environment variables (SLUICE_CHUNK_TOKENS, …). */
  settings?: Record<string, string>;
  /** Take the place of the built-in adapters; stay the caller's to close. */
  adapters?: Partial<Adapters>;
  /** Default: silent. */
  log?: Log;
}

export interface UploadInput extends Partial<UploadOptions>, Partial<UploadFile> {}

export interface Sluice {
  /**
   * Takes a document in; when it resolves, the document is durable and its ingestion queued.
   *
   * @param source path of a file, the bytes themselves, or a stream of them
   * @throws SluiceError payload_too_large, unsupported_media_type, storage_unavailable, not_found, …
   */
  upload(source: string | Uint8Array | AsyncIterable<Uint8Array>, input?: UploadInput): Promise<Accepted>;
  /** Events after `after` (default: from now on), then live, until the signal fires. */
  follow(
    filter: FollowFilter & { after?: number },
    signal: AbortSignal,
  ): AsyncGenerator<SluiceEvent, void, void>;
  /**
   * Waits for the end of an ingestion.
   *
   * @throws SluiceError with the document's own error when it failed, `already_ended` when it was cancelled,
   *   `not_found` when there is no such document (any more), `shutting_down` when this was closed meanwhile; the
   *   signal's reason when it fires
   */
  waitUntilSearchable(document_id: string, signal?: AbortSignal): Promise<Document>;
  search(request: SearchRequest, signal?: AbortSignal): Promise<SearchAnswer>;
  getDocument(document_id: string): Promise<Document | undefined>;
  reingest(document_id: string): Promise<Accepted>;
  /** @throws SluiceError not_found when it has no settings and holds no document */
  getCollection(collection: string): Promise<CollectionView>;
  /**
   * Sets all of a collection's settings anew, for the documents ingested from then on; what is null or left out is as
   * this Sluice is set, and `{}` resets everything. `reingest` applies it to a document that is there already.
   *
   * @throws SluiceError invalid_request
   */
  setCollection(collection: string, settings: CollectionInput): Promise<CollectionView>;
  remove(document_id: string): Promise<{ document_id: string; job_id: string }>;
  /** Stops work (running jobs go on from their checkpoints at the next start) and closes everything. */
  close(): Promise<void>;
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** @throws ConfigError for a wrong setting; SluiceError storage_unavailable when the folder can't be used */
export async function createSluice(options: SluiceOptions = {}): Promise<Sluice> {
  const config = parseConfig({
    ...options.settings,
    ...(options.data_dir === undefined ? {} : { SLUICE_DATA_DIR: options.data_dir }),
  });
  const tenant_id = options.tenant_id ?? "default";
  const log = options.log ?? silent;
  const adapters = await openAdapters(config, options.adapters, log);
  const { documents, system } = adapters;
  const intake = composeIntake(config, adapters, log);
  const worker =
    options.worker === false ? undefined : composeWorker(config, adapters, log, system.newId("wrk"));
  await worker?.start();

  async function* follow({ after, ...filter }: FollowFilter & { after?: number }, signal: AbortSignal) {
    const from = after ?? (await documents.lastSequence());
    for await (const events of intake.follower.follow({ ...filter, tenant_id }, from, signal)) yield* events;
  }

  async function mustGet(document_id: string): Promise<Document> {
    const document = await documents.getDocument(tenant_id, document_id);
    if (!document) throw new SluiceError("not_found", `There is no document ${document_id}.`);
    return document;
  }

  return {
    follow,

    async upload(source, { filename, declared_media_type, ...given } = {}) {
      const upload = await intake.beginUpload(tenant_id, system.newId("req"));
      try {
        const bytes = typeof source === "string" ? createReadStream(source) : source;
        await upload.add(bytes instanceof Uint8Array ? once(bytes) : bytes, {
          filename: filename ?? (typeof source === "string" ? basename(source) : "document"),
          ...(declared_media_type === undefined ? {} : { declared_media_type }),
        });
        const { accepted } = await upload.accept({ collection: "default", metadata: {}, ...given });
        return accepted[0] as Accepted;
      } finally {
        await upload.end();
      }
    },

    async waitUntilSearchable(document_id, signal) {
      const done = new AbortController();
      const either = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
      // The position first, then the look: what happens in between is replayed.
      const after = await documents.lastSequence();
      try {
        let document = await mustGet(document_id);
        const events = follow({ document_id, after }, either);
        while (!isTerminal(document.status)) {
          const next = await events.next();
          if (next.done) break;
          document = await mustGet(document_id);
        }
        signal?.throwIfAborted();
        if (!isTerminal(document.status)) {
          throw new SluiceError("shutting_down", `Sluice was closed while ${document_id} was on its way.`);
        }
        if (document.error && document.status === "failed") {
          const { code, message, retryable } = document.error;
          throw new SluiceError(code, message, { retryable });
        }
        if (document.status !== "completed") {
          throw new SluiceError(
            "already_ended",
            `The ingestion of ${document_id} ended: ${document.status}.`,
          );
        }
        return document;
      } finally {
        done.abort();
      }
    },

    search: (request, signal) => intake.search.search(tenant_id, request, signal),
    getDocument: (document_id) => documents.getDocument(tenant_id, document_id),
    reingest: (document_id) => intake.commands.reingest(tenant_id, document_id, system.newId("req")),
    getCollection: (collection) => intake.collections.get(tenant_id, collection),
    setCollection: (collection, settings) => intake.collections.put(tenant_id, collection, settings),
    remove: (document_id) => intake.commands.remove(tenant_id, document_id, system.newId("req")),

    async close() {
      await worker?.stop(config.shutdown_ms);
      await intake.close();
      await adapters.close();
    },
  };
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}
