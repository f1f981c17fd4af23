/** What the server is built from, and the types that its files share. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { Config } from "../config/config.ts";
import type { Collections } from "../intake/collections.ts";
import type { Commands } from "../intake/commands.ts";
import type { createDirectUploads } from "../intake/direct-upload.ts";
import type { createUploads } from "../intake/upload.ts";
import type { ApiKeyStore } from "../ports/api-key-store.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Extractor } from "../ports/extractor.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";
import type { Follower } from "../progress/follow.ts";
import type { Reindex } from "../reindex/reindex.ts";
import type { Search } from "../search/search.ts";
import type { Caller } from "./auth.ts";

export interface AppDependencies {
  config: Pick<Config, "max_upload_bytes" | "publishers" | "allowed_origins" | "extract">;
  system: System;
  log: Logger;
  documents: DocumentStore;
  queue: JobQueue;
  blobs: BlobStore;
  keys: ApiKeyStore;
  extractor: Pick<Extractor, "media_types">;
  embedder: Pick<Embedder, "embedder_id">;
  beginUpload: ReturnType<typeof createUploads>;
  offerDirectUpload: ReturnType<typeof createDirectUploads>;
  commands: Commands;
  collections: Collections;
  follower: Follower;
  search: Search;
  reindex: Reindex;
  /** Folder of the built page; undefined when it was not built. */
  page_dir: string | undefined;
}

/** The Fastify instance as this server uses it: zod for types, pino for logs. */
export type App = FastifyInstance<
  Server<typeof IncomingMessage, typeof ServerResponse>,
  IncomingMessage,
  ServerResponse<IncomingMessage>,
  Logger,
  ZodTypeProvider
>;

/** Ids of what a request was about, for its log line. */
export interface RequestSubject {
  document_id?: string;
  job_id?: string;
  correlation_id?: string;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Whom the request acts for; empty on routes that need no key. */
    tenant_id: string;
    /** Who it came from; undefined on routes that need no key. */
    caller: Caller | undefined;
    subject: RequestSubject | undefined;
  }
  interface FastifyContextConfig {
    /** The handler reads the request's body itself. */
    streams_body?: boolean;
    /** The answer lasts as long as the client stays: no timing, and it is told when the server stops. */
    endless?: boolean;
    /** Asked for by machines every few seconds: logged at debug only. */
    probe?: boolean;
    /** Key and tenant may come as ?access_token= and ?tenant_id=, for browsers that can't send headers with a stream. */
    token_in_query?: boolean;
  }
}
