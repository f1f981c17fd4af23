/**
 * Contract suites: what an adapter must do to be one. Each `describe…` registers a vitest suite for one port; call
 * it in a test file with a function that opens your adapter, empty. What your adapter can't do is declared as
 * data with a reason, and shown in the report. Needs `vitest` and `fast-check` beside `sluice`.
 */
export { describeApiKeyStore } from "./api-key-store.ts";
export { type BlobGaps, type BlobHarness, describeBlobStore } from "./blob-store.ts";
export { describeDocumentStore } from "./document-store.ts";
export { describeEmbedder, type EmbedderHarness } from "./embedder.ts";
export { describeEventPublisher, type PublisherHarness } from "./event-publisher.ts";
export { describeExtractor, type ExtractorHarness } from "./extractor.ts";
export type { Gaps } from "./gaps.ts";
export { type DispatchHarness, describeJobDispatch } from "./job-dispatch.ts";
export { describeJobQueue } from "./job-queue.ts";
export { describeJobQueueModel, type QueueModelOptions } from "./job-queue-model.ts";
export { describeReranker, type RerankerHarness } from "./reranker.ts";
export {
  contractEmbedder,
  newChunks,
  newDocument,
  newError,
  newEventFor,
  newJob,
  newVersion,
  sha256Of,
  unit,
  uploadCommit,
  uploadedEvent,
} from "./samples.ts";
export type { OpenStorage, StorageCapability, StorageGaps, StorageHarness } from "./storage.ts";
export { type ManualClock, manualClock } from "./system.ts";
export { describeVectorIndex } from "./vector-index.ts";
