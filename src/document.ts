/**
 * Documents and the state machine of their journey. Pure: a document is what its events made of it (`evolve`), and
 * the same table that runs the journey checks it (`legalAfter`).
 */
import { z } from "zod";
import { aboutNothing } from "./about.ts";
import type { EventData } from "./events.ts";
import {
  aboutSchema,
  type EventType,
  errorInfoSchema,
  type NewEvent,
  type Stage,
  stageSchema,
  stages,
} from "./events.ts";
import type { NewId } from "./ids.ts";

export const documentStatuses = ["pending", "processing", "completed", "failed", "cancelled"] as const;
export type DocumentStatus = (typeof documentStatuses)[number];
export const documentStatusSchema = z.enum(documentStatuses);

/** A value that a search can filter by. */
export const metadataValueSchema = z.union([
  z.string().max(1_000),
  z.number(),
  z.boolean(),
  z.null(),
  z.array(z.union([z.string().max(1_000), z.number(), z.boolean()])).max(100),
]);
export const metadataSchema = z
  .record(
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, "letters, digits, _ . - only"),
    metadataValueSchema,
  )
  .refine((value) => Object.keys(value).length <= 64, "at most 64 fields");
export type Metadata = z.infer<typeof metadataSchema>;

export const collectionSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, . _ -, at most 100, first a letter or digit");

/** The name of a tenant. It begins the keys of the tenant's blobs, which are paths. */
export const tenantSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, . _ -, at most 100, first a letter or digit");

/** A document as the API shows it. */
export const documentSchema = z.object({
  document_id: z.string(),
  tenant_id: z.string(),
  collection: z.string(),
  filename: z.string(),
  media_type: z.string(),
  size_bytes: z.int().nonnegative(),
  sha256: z.string().describe("of the original bytes, hexadecimal"),
  parent_document_id: z
    .string()
    .nullable()
    .describe("the document that it came inside: a mail, an archive; null where it was uploaded itself"),
  status: documentStatusSchema,
  stage: stageSchema.nullable().describe("what runs now; null unless processing"),
  progress: z.object({ done: z.int().nonnegative(), total: z.int().nonnegative().nullable() }),
  error: errorInfoSchema.nullable().describe("why the last attempt failed; null when none did"),
  version: z.int().positive().describe("the version ingested last, or being ingested"),
  searchable_version: z.int().positive().nullable().describe("the version that searches see"),
  chunks_created: z.int().nonnegative().describe("chunks of the searchable version"),
  metadata: metadataSchema,
  about: aboutSchema.describe(
    "what the searchable version says of itself; a new version replaces it as a whole",
  ),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  correlation_id: z.string(),
  job_id: z.string(),
});
export type Document = z.infer<typeof documentSchema>;

/** A document as stored: `revision` counts its changes and guards against lost updates. */
export interface DocumentRecord extends Document {
  revision: number;
}

/** One set of bytes that the document has had. Versions share a blob when the bytes did not change. */
export interface DocumentVersion {
  tenant_id: string;
  document_id: string;
  version: number;
  blob_key: string;
  filename: string;
  media_type: string;
  size_bytes: number;
  sha256: string;
  created_at: string;
}

/** Where a document's journey stands: a status, nothing yet, or gone. */
export type JourneyState = DocumentStatus | "none" | "deleted";

/** The state machine: from each state, the events that may come next and where they lead. */
export const journey: Readonly<Record<JourneyState, Readonly<Partial<Record<EventType, JourneyState>>>>> = {
  none: { "rag.document.uploaded": "pending" },
  pending: {
    "rag.ingestion.started": "processing",
    // Dead without a new start: its last attempt crashed and attempts had run out.
    "rag.ingestion.failed": "failed",
    "rag.ingestion.cancelled": "cancelled",
    "rag.document.deleted": "deleted",
  },
  processing: {
    "rag.ingestion.progressed": "processing",
    "rag.ingestion.stage_completed": "processing",
    "rag.ingestion.completed": "completed",
    "rag.ingestion.retry_scheduled": "pending",
    "rag.ingestion.failed": "failed",
    "rag.ingestion.cancelled": "cancelled",
    "rag.document.deleted": "deleted",
  },
  completed: {
    "rag.document.uploaded": "pending",
    "rag.ingestion.requested": "pending",
    "rag.document.deleted": "deleted",
  },
  failed: {
    "rag.document.uploaded": "pending",
    "rag.ingestion.requested": "pending",
    "rag.document.deleted": "deleted",
  },
  cancelled: {
    "rag.document.uploaded": "pending",
    "rag.ingestion.requested": "pending",
    "rag.document.deleted": "deleted",
  },
  deleted: {},
};

/** The state after an event, or undefined where that event is illegal there. */
export function legalAfter(state: JourneyState, event_type: EventType): JourneyState | undefined {
  return journey[state][event_type];
}

const noProgress = { done: 0, total: null };

/** What a document is before its first event: the facts that the upload itself settled. */
export type DocumentSeed = Pick<Document, "tenant_id" | "document_id" | "collection" | "metadata">;

/**
 * The document after one more event. `rag.document.deleted` leaves it as it was: the store drops it.
 *
 * @param current the document before, or a seed before its first event
 * @throws Error when the journey does not allow this event here: a defect of the caller, never of the input
 */
export function evolve(current: DocumentRecord | DocumentSeed, event: NewEvent): DocumentRecord {
  const before: JourneyState = "status" in current ? current.status : "none";
  const after = legalAfter(before, event.event_type);
  if (after === undefined) {
    throw new Error(`${event.event_type} is not legal for ${current.document_id} while ${before}`);
  }
  const updated_at = event.timestamp;
  if (event.event_type === "rag.document.uploaded") {
    const { job_id, version, filename, media_type, size_bytes, sha256 } = event.data;
    const old = "status" in current ? current : undefined;
    return {
      document_id: current.document_id,
      tenant_id: current.tenant_id,
      collection: current.collection,
      filename,
      media_type,
      size_bytes,
      sha256,
      // Whoever uploads a file that came inside another document makes it stand by itself from then on.
      parent_document_id: event.data.parent_document_id ?? null,
      status: "pending",
      stage: null,
      progress: noProgress,
      error: null,
      version,
      searchable_version: old?.searchable_version ?? null,
      chunks_created: old?.chunks_created ?? 0,
      metadata: current.metadata,
      about: old?.about ?? aboutNothing,
      created_at: old?.created_at ?? event.timestamp,
      updated_at,
      correlation_id: event.correlation_id,
      job_id,
      revision: (old?.revision ?? 0) + 1,
    };
  }
  if (!("status" in current)) throw new Error("unreachable: only an upload is legal from none");
  const base = { ...current, updated_at, revision: current.revision + 1 };
  switch (event.event_type) {
    case "rag.ingestion.requested":
      return {
        ...base,
        status: "pending",
        stage: null,
        progress: noProgress,
        error: null,
        version: event.data.version,
        job_id: event.data.job_id,
        correlation_id: event.correlation_id,
      };
    case "rag.ingestion.started":
      return { ...base, status: "processing", stage: "extracting", progress: noProgress, error: null };
    case "rag.ingestion.progressed":
      return {
        ...base,
        stage: event.data.stage,
        progress: { done: event.data.done, total: event.data.total },
      };
    case "rag.ingestion.stage_completed":
      return { ...base, stage: nextStage(event.data.stage) ?? event.data.stage, progress: noProgress };
    case "rag.ingestion.completed":
      return {
        ...base,
        status: "completed",
        stage: null,
        progress: { done: event.data.chunks_created, total: event.data.chunks_created },
        error: null,
        searchable_version: event.data.version,
        chunks_created: event.data.chunks_created,
        // Events of before it was kept say nothing.
        about: event.data.about ?? aboutNothing,
      };
    case "rag.ingestion.retry_scheduled":
      return { ...base, status: "pending", stage: null, error: event.data.error };
    case "rag.ingestion.failed":
      return { ...base, status: "failed", stage: null, error: event.data.error };
    case "rag.ingestion.cancelled":
      return { ...base, status: "cancelled", stage: null };
    case "rag.document.deleted":
      return base;
  }
}

/** The stage that follows, or undefined after the last. */
export function nextStage(stage: Stage): Stage | undefined {
  return stages[stages.indexOf(stage) + 1];
}

/** Whether nothing more will happen to the document by itself. */
export function isTerminal(status: DocumentStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/**
 * The part of a commit that drops what a version made and never published; for when another takes its place. A failed
 * one keeps it until then, to go on from there.
 */
export function discardUnfinished({ document_id, version, searchable_version }: Document) {
  return version === searchable_version ? {} : { discard: { document_id, versions: [version] } };
}

/** What a new event needs besides its type and data. */
export interface EventContext {
  now: () => number;
  newId: NewId;
  correlation_id: string;
  /** The event or command that causes it; null when nothing here did. */
  causation_id: string | null;
}

/**
 * Makes one event and the document as it is after it. The event's idempotency key is the document and the number of
 * this change in its life, so it is the same however often the event is delivered.
 */
export function advance<T extends EventType>(
  current: DocumentRecord | DocumentSeed,
  event_type: T,
  data: EventData<T>,
  context: EventContext,
): { document: DocumentRecord; event: NewEvent } {
  const change = ("revision" in current ? current.revision : 0) + 1;
  const event = {
    event_id: context.newId("evt"),
    event_type,
    correlation_id: context.correlation_id,
    causation_id: context.causation_id,
    tenant_id: current.tenant_id,
    idempotency_key: `${current.document_id}:${change}`,
    timestamp: new Date(context.now()).toISOString(),
    document_id: current.document_id,
    collection: current.collection,
    data,
  } as NewEvent;
  return { document: evolve(current, event), event };
}
