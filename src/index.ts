/** The public API of the package, name by name. */

export type { About } from "./about.ts";
export { createHashingEmbedder } from "./adapters/hashing/embedder.ts";
export { createOpenAiEmbedder } from "./adapters/openai/embedder.ts";
export { createStaticEmbedder } from "./adapters/static/embedder.ts";
export { createTransformersEmbedder } from "./adapters/transformers/embedder.ts";
export { createTransformersReranker } from "./adapters/transformers/reranker.ts";
export {
  type Block,
  type Chunk,
  type ChunkStrategy,
  chunkStrategies,
  type ExtractedPart,
  type ExtractedText,
} from "./chunk.ts";
export type {
  CollectionInput,
  CollectionSettings,
  CollectionView,
} from "./collection.ts";
export type { Adapters } from "./compose.ts";
export { ConfigError } from "./config/config.ts";
export type { Document, DocumentRecord, DocumentStatus, DocumentVersion, Metadata } from "./document.ts";
export { type ErrorCode, type ErrorInfo, SluiceError } from "./errors.ts";
export type { EventData, EventType, NewEvent, SluiceEvent, Stage } from "./events.ts";
export type { SearchFilter } from "./filter.ts";
export type { Accepted } from "./intake/upload.ts";
export type { ClaimedJob, Job, JobState, Lease, NewJob } from "./job.ts";
export type { ApiKey, ApiKeyStore } from "./ports/api-key-store.ts";
export type { BlobInfo, BlobStore, StoredBlob } from "./ports/blob-store.ts";
export type { CollectionStore, ListedCollection, StoredCollection } from "./ports/collection-store.ts";
export {
  type Checkpoint,
  type Commit,
  ConflictError,
  type ConflictReason,
  type DocumentQuery,
  type DocumentStore,
  type EventQuery,
  type IdempotentAnswer,
  type LocatedChunk,
  type Settlement,
  type StoredChunk,
} from "./ports/document-store.ts";
export type { Embedder } from "./ports/embedder.ts";
export type { EventPublisher } from "./ports/event-publisher.ts";
export type {
  ExtractedFile,
  ExtractionSinks,
  ExtractionSource,
  Extractor,
  PageCache,
} from "./ports/extractor.ts";
export type {
  DeadCount,
  JobQuery,
  JobQueue,
  QueueStats,
  TenantLoad,
  WorkerInfo,
  WorkerPresence,
} from "./ports/job-queue.ts";
export type { Log } from "./ports/log.ts";
export type { Reranker } from "./ports/reranker.ts";
export type { System } from "./ports/system.ts";
export type { IndexEntry, IndexHit, IndexScope, VectorIndex } from "./ports/vector-index.ts";
export type { FollowFilter } from "./progress/follow.ts";
export type { SearchAnswer, SearchHit, SearchRequest } from "./search/search.ts";
export { createSluice, type Sluice, type SluiceOptions, type UploadInput } from "./sluice.ts";
