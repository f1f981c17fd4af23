/** `sluice/client`: name by name. */

export type { CollectionInput, CollectionView } from "../collection.ts";
export type { Document, DocumentStatus, Metadata } from "../document.ts";
export type { ErrorCode, ErrorInfo } from "../errors.ts";
export type { EventData, EventType, SluiceEvent, Stage } from "../events.ts";
export type { SearchFilter } from "../filter.ts";
export type { Job, JobState } from "../job.ts";
export type { ReindexStatus } from "../reindex/reindex.ts";
export type { SearchAnswer, SearchHit, SearchMode, SearchRequest } from "../search/search.ts";
export { ApiError, type ApiErrorCode } from "./api-error.ts";
export { createClient, type SluiceClient } from "./client.ts";
export type {
  Accepted,
  DocumentFilter,
  DocumentPage,
  DocumentQuery,
  DocumentSummary,
  EventPage,
  EventQuery,
  PageQuery,
  ResumableUpload,
  Version,
} from "./documents.ts";
export type { Connection, FollowOptions } from "./follow.ts";
export type { CallOptions, ClientOptions } from "./http.ts";
export type { JobQuery, RetryDeadRequest } from "./jobs.ts";
export type { Minute, OperatedWorker, Operations } from "./operations.ts";
export type { Trouble } from "./pause.ts";
export type { Key, KeyRequest, NewKey, Session } from "./session.ts";
export type { UploadSource } from "./source.ts";
export type { UploadStore } from "./unfinished.ts";
export type { UploadInput, UploadProgress } from "./upload.ts";
export type {
  Delivery,
  DeliveryDetails,
  DeliveryState,
  ListedWebhook,
  NewWebhook,
  Webhook,
  WebhookRequest,
  WebhookTest,
} from "./webhooks.ts";
