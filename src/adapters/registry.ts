/** Which adapters there are, by name, each loaded only when it is chosen. */
import { basename } from "node:path";
import { SluiceError } from "../errors.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Extractor } from "../ports/extractor.ts";
import type { Log } from "../ports/log.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { System } from "../ports/system.ts";
import type { SqsCheckOptions } from "./aws/messaging-check.ts";
import type { S3BlobStoreOptions } from "./aws/s3-client.ts";
import type { SnsPublisherOptions } from "./aws/sns-publisher.ts";
import type { SqsPublisherOptions } from "./aws/sqs-publisher.ts";
import type { SqsQueueOptions } from "./aws/sqs-queue.ts";
import type { HttpRerankerOptions } from "./http/reranker.ts";
import type { KafkaCheckOptions } from "./kafka/check.ts";
import type { KafkaPublisherOptions } from "./kafka/publisher.ts";
import type { OpenAiEmbedderOptions } from "./openai/embedder.ts";
import type { PineconeCheckOptions } from "./pinecone/check.ts";
import type { PineconeIndexOptions } from "./pinecone/vector-index.ts";
import type { PostgresCheckOptions } from "./postgres/check.ts";
import type { PostgresStorageOptions } from "./postgres/storage.ts";
import type { TransformersEmbedderOptions } from "./transformers/embedder.ts";
import type { Dtype } from "./transformers/model.ts";
import type { TransformersOptions } from "./transformers/open.ts";

/** What every storage is given. */
export interface StorageParts {
  system: System;
  embedder: { embedder_id: string; dimensions: number };
  log: Log;
}

type EmbedderSettings =
  | { kind: "static" | "hashing" }
  | ({ kind: "openai" } & Omit<OpenAiEmbedderOptions, "system">)
  | ({ kind: "transformers" } & TransformersEmbedderOptions);

type RerankerSettings = HttpRerankerOptions | ({ kind: "transformers" } & TransformersOptions);

export async function openEmbedder(settings: EmbedderSettings, system: System): Promise<Embedder> {
  switch (settings.kind) {
    case "static": {
      const { createStaticEmbedder } = await import("./static/embedder.ts");
      return createStaticEmbedder();
    }
    case "hashing": {
      const { createHashingEmbedder } = await import("./hashing/embedder.ts");
      return createHashingEmbedder();
    }
    case "openai": {
      const { createOpenAiEmbedder } = await import("./openai/embedder.ts");
      return createOpenAiEmbedder({ ...settings, system });
    }
    case "transformers": {
      const { createTransformersEmbedder } = await import("./transformers/embedder.ts");
      return createTransformersEmbedder(settings);
    }
  }
}

/** Where to ask for models other than the configured one; undefined: nowhere. */
export type EmbeddingService = Omit<OpenAiEmbedderOptions, "system" | "model" | "dimensions"> | undefined;

/** How a model in this process is run that an index is of, though another embedder is configured. */
export type LocalModel = Omit<TransformersEmbedderOptions, "model"> & { model?: string | undefined };

function unlessModelMissing(error: unknown): undefined {
  if (!(error instanceof SluiceError) || error.code !== "model_missing") throw error;
}

/**
 * An embedder by the id that an index knows it by.
 * @returns undefined where these settings don't give it
 */
export async function openEmbedderById(
  embedder_id: string,
  service: EmbeddingService,
  system: System,
  local?: LocalModel,
): Promise<Embedder | undefined> {
  const opened = await openSimilar(embedder_id, service, system, local);
  if (opened?.embedder_id === embedder_id) return opened;
  await opened?.close?.();
  return undefined;
}

async function openSimilar(
  embedder_id: string,
  service: EmbeddingService,
  system: System,
  local: LocalModel | undefined,
): Promise<Embedder | undefined> {
  if (embedder_id.startsWith("sluice-static-")) return openEmbedder({ kind: "static" }, system);
  const hashing = /^feature-hashing-v1-(\d+)$/.exec(embedder_id);
  if (hashing) {
    const { createHashingEmbedder } = await import("./hashing/embedder.ts");
    return createHashingEmbedder({ dimensions: Number(hashing[1]) });
  }
  const openai = /^openai:(.+?):(\d+)(?::[0-9a-f]{8})?$/.exec(embedder_id);
  if (openai && service) {
    const settings = { ...service, model: openai[1] as string, dimensions: Number(openai[2]) };
    return openEmbedder({ kind: "openai", ...settings }, system);
  }
  const transformers = /^transformers:(.+):(\w+):[0-9a-f]{12}$/.exec(embedder_id);
  if (transformers && local) {
    const [, name, dtype] = transformers as unknown as [string, string, Dtype];
    // Of a folder the id has the last name only: the settings say where it is.
    const model = local.model !== undefined && basename(local.model) === name ? local.model : name;
    return openEmbedder({ ...local, kind: "transformers", model, dtype }, system).catch(unlessModelMissing);
  }
  return undefined;
}

export async function openReranker(settings: RerankerSettings): Promise<Reranker> {
  if (settings.kind === "transformers") {
    const { createTransformersReranker } = await import("./transformers/reranker.ts");
    return createTransformersReranker(settings);
  }
  const { createHttpReranker } = await import("./http/reranker.ts");
  return createHttpReranker(settings);
}

export async function openSqlite(folder: string, { system, embedder, log }: StorageParts) {
  const { openSqliteStorage } = await import("./sqlite/storage.ts");
  return openSqliteStorage({ folder, system, embedder, log });
}

export async function openPostgres(options: PostgresStorageOptions) {
  const { openPostgresStorage } = await import("./postgres/storage.ts");
  return openPostgresStorage(options);
}

export async function openFolderBlobs(folder: string): Promise<BlobStore> {
  const { createFolderBlobStore } = await import("./fs/blob-store.ts");
  return createFolderBlobStore({ folder });
}

export async function openS3Blobs(options: S3BlobStoreOptions) {
  const { createS3BlobStore } = await import("./aws/s3-blob-store.ts");
  return createS3BlobStore(options);
}

/** This process tells SQS of jobs from now on, whether it works on some or not. */
export async function openSqsQueue(options: SqsQueueOptions) {
  const { createSqsQueue } = await import("./aws/sqs-queue.ts");
  const queue = createSqsQueue(options);
  queue.start();
  return queue;
}

export async function openSqsPublisher(options: SqsPublisherOptions) {
  const { createSqsPublisher } = await import("./aws/sqs-publisher.ts");
  return createSqsPublisher(options);
}

export async function openSnsPublisher(options: SnsPublisherOptions) {
  const { createSnsPublisher } = await import("./aws/sns-publisher.ts");
  return createSnsPublisher(options);
}

export async function openExtractor(settings: {
  timeout_ms: number;
  memory_mb: number;
  ocr_languages: readonly string[];
  size: number;
  soffice?: string | undefined;
}): Promise<Extractor> {
  const { languageData } = await import("./extract/ocr.ts");
  // Now, rather than with the first scan.
  for (const language of settings.ocr_languages) languageData(language);
  const { createProcessExtractor } = await import("./extract/process-extractor.ts");
  const extractor = createProcessExtractor(settings);
  const { soffice, timeout_ms, memory_mb } = settings;
  if (soffice === undefined) return extractor;
  const { withLibreOffice } = await import("./extract/libreoffice.ts");
  return withLibreOffice(extractor, { soffice, timeout_ms, memory_mb });
}

export async function openPinecone(options: PineconeIndexOptions) {
  const { createPineconeIndex } = await import("./pinecone/vector-index.ts");
  return createPineconeIndex(options);
}

export async function openKafkaPublisher(options: KafkaPublisherOptions) {
  const { createKafkaPublisher } = await import("./kafka/publisher.ts");
  return createKafkaPublisher(options);
}

export async function* checkS3(options: S3BlobStoreOptions) {
  const check = await import("./aws/s3-check.ts");
  yield* check.checkS3(options);
}

export async function* checkSqsQueue(options: SqsCheckOptions) {
  const check = await import("./aws/messaging-check.ts");
  yield* check.checkSqsQueue(options);
}

export async function* checkSqsEvents(options: SqsPublisherOptions) {
  const check = await import("./aws/messaging-check.ts");
  yield* check.checkSqsEvents(options);
}

export async function* checkSns(options: SnsPublisherOptions) {
  const check = await import("./aws/messaging-check.ts");
  yield* check.checkSns(options);
}

export async function* checkKafka(options: KafkaCheckOptions) {
  const check = await import("./kafka/check.ts");
  yield* check.checkKafka(options);
}

export async function* checkPinecone(options: PineconeCheckOptions) {
  const check = await import("./pinecone/check.ts");
  yield* check.checkPineconeIndex(options);
}

export async function* checkPostgres(options: PostgresCheckOptions) {
  const check = await import("./postgres/check.ts");
  yield* check.checkPostgres(options);
}
