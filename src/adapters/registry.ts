/** Which adapters there are, by name, each loaded only when it is chosen. */
import type { BlobStore } from "../ports/blob-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Extractor } from "../ports/extractor.ts";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";
import type { SqsCheckOptions } from "./aws/messaging-check.ts";
import type { S3BlobStoreOptions } from "./aws/s3-client.ts";
import type { SnsPublisherOptions } from "./aws/sns-publisher.ts";
import type { SqsPublisherOptions } from "./aws/sqs-publisher.ts";
import type { SqsQueueOptions } from "./aws/sqs-queue.ts";
import type { KafkaCheckOptions } from "./kafka/check.ts";
import type { KafkaPublisherOptions } from "./kafka/publisher.ts";
import type { OpenAiEmbedderOptions } from "./openai/embedder.ts";
import type { PineconeCheckOptions } from "./pinecone/check.ts";
import type { PineconeIndexOptions } from "./pinecone/vector-index.ts";
import type { PostgresCheckOptions } from "./postgres/check.ts";
import type { PostgresStorageOptions } from "./postgres/storage.ts";

/** What every storage is given. */
export interface StorageParts {
  system: System;
  embedder: { embedder_id: string; dimensions: number };
  log: Log;
}

type EmbedderSettings = { kind: "hashing" } | ({ kind: "openai" } & Omit<OpenAiEmbedderOptions, "system">);

export async function openEmbedder(settings: EmbedderSettings, system: System): Promise<Embedder> {
  switch (settings.kind) {
    case "hashing": {
      const { createHashingEmbedder } = await import("./hashing/embedder.ts");
      return createHashingEmbedder();
    }
    case "openai": {
      const { createOpenAiEmbedder } = await import("./openai/embedder.ts");
      return createOpenAiEmbedder({ ...settings, system });
    }
  }
}

export async function openSqlite(folder: string, { system, embedder }: StorageParts) {
  const { openSqliteStorage } = await import("./sqlite/storage.ts");
  return openSqliteStorage({ folder, system, embedder });
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
}): Promise<Extractor> {
  const { languageData } = await import("./extract/ocr.ts");
  // Now, rather than with the first scan.
  for (const language of settings.ocr_languages) languageData(language);
  const { createProcessExtractor } = await import("./extract/process-extractor.ts");
  return createProcessExtractor(settings);
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
