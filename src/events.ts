/**
 * Every event, its schema and its envelope. The TypeScript types, the stored log, the HTTP answers and
 * docs/events.md all come from this file.
 *
 * Events are facts about one document, written in the transaction that made them true and never changed after.
 */
import { z } from "zod";
import type { About } from "./about.ts";
import { type ErrorCode, errorTable } from "./errors.ts";

export const stages = ["extracting", "chunking", "embedding", "indexing"] as const;
export type Stage = (typeof stages)[number];
export const stageSchema = z.enum(stages);

export const errorCodeSchema = z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]);
export const errorInfoSchema = z.object({
  code: errorCodeSchema,
  message: z.string(),
  retryable: z.boolean(),
});

const count = z.int().nonnegative();
const version = z.int().positive().describe("version of the document, from 1");
const attempt = z.int().positive().describe("run of the job, from 1");
const job_id = z.string();
const milliseconds = z.number().nonnegative();

const told = z.string().nullable();
export const aboutSchema = z.object({
  title: told,
  author: told.describe("several in one, as the document has them"),
  authored_at: told.describe("ISO 8601, as exact as the document has it: a year, a month, a day or a time"),
  modified_at: told.describe("the same"),
  language: told.describe(
    "BCP 47, such as `en` or `pt-BR`; found out from the text where the document doesn't say",
  ),
  page_count: count.nullable().describe("pages, slides or sheets"),
}) satisfies z.ZodType<About>;

/** One entry per event type: what its `data` holds. */
export const eventDataSchemas = {
  "rag.document.uploaded": z
    .object({
      job_id,
      version,
      filename: z.string(),
      media_type: z.string(),
      size_bytes: count,
      sha256: z.string(),
      parent_document_id: z
        .string()
        .optional()
        .describe("the document that it came inside; absent where it was uploaded itself"),
    })
    .describe("The bytes are durable and the ingestion job is queued."),
  "rag.ingestion.requested": z
    .object({ job_id, version, reason: z.enum(["reingest", "retry"]) })
    .describe("A stored document is to be ingested again, or a dead job was redriven."),
  "rag.ingestion.started": z
    .object({ job_id, version, attempt, worker_id: z.string() })
    .describe("A worker claimed the job and began this attempt."),
  "rag.ingestion.progressed": z
    .object({ job_id, version, stage: stageSchema, done: count, total: count.nullable() })
    .describe("A stage moved on; at most ten a second for one document. total is null while unknown."),
  "rag.ingestion.stage_completed": z
    .object({
      job_id,
      version,
      stage: stageSchema,
      duration_ms: milliseconds,
      counts: z.record(z.string(), z.number()),
    })
    .describe("A stage ended and its checkpoint is stored; it will not be done again for this job."),
  "rag.ingestion.completed": z
    .object({
      job_id,
      version,
      chunks_created: count,
      processing_time_ms: milliseconds.describe("from the job's first start to now"),
      about: aboutSchema
        .optional()
        .describe(
          "what this version says of itself: title, author, authored_at, modified_at, language, page_count, each or null; absent in events from before that was kept",
        ),
    })
    .describe("This version is the searchable one."),
  "rag.ingestion.retry_scheduled": z
    .object({ job_id, version, attempt, error: errorInfoSchema, run_at: z.iso.datetime() })
    .describe("The attempt failed for a reason that may pass; the next starts at run_at."),
  "rag.ingestion.failed": z
    .object({ job_id, version, attempt: count, error: errorInfoSchema })
    .describe("The job is dead: it will not run again unless somebody retries it."),
  "rag.ingestion.cancelled": z
    .object({ job_id, version, reason: z.enum(["requested", "superseded"]) })
    .describe("The ingestion was stopped on request, or because a newer version took its place."),
  "rag.document.deleted": z
    .object({ job_id, version })
    .describe("The document is gone for readers and searches; the job erases its bytes."),
} as const;

export type EventType = keyof typeof eventDataSchemas;
export const eventTypes = Object.keys(eventDataSchemas) as EventType[];
export type EventData<T extends EventType> = z.infer<(typeof eventDataSchemas)[T]>;

const envelopeShape = {
  event_id: z.string(),
  correlation_id: z.string().describe("ties together everything that one upload caused"),
  causation_id: z.string().nullable().describe("the event or command that caused this one"),
  tenant_id: z.string(),
  idempotency_key: z.string().describe("the same across redeliveries of this fact"),
  timestamp: z.iso.datetime(),
  sequence: z.int().positive().describe("place in the log; a reader resumes after it"),
  document_id: z.string(),
  collection: z.string(),
};

export interface EventEnvelope {
  event_id: string;
  correlation_id: string;
  causation_id: string | null;
  tenant_id: string;
  idempotency_key: string;
  timestamp: string;
  sequence: number;
  document_id: string;
  collection: string;
}

/** An event of one given type. */
export type EventOf<T extends EventType> = EventEnvelope & { event_type: T; data: EventData<T> };
/** Any event, told apart by `event_type`. */
export type SluiceEvent = { [T in EventType]: EventOf<T> }[EventType];
/** An event before the log gave it its place. */
export type NewEvent = { [T in EventType]: Omit<EventOf<T>, "sequence"> }[EventType];

/** Schema of one event type, envelope included. */
export function eventSchema<T extends EventType>(event_type: T) {
  return z.object({
    ...envelopeShape,
    event_type: z.literal(event_type),
    data: eventDataSchemas[event_type],
  });
}

/** Schema of any event. */
export const anyEventSchema = z.discriminatedUnion(
  "event_type",
  eventTypes.map((type) => eventSchema(type)) as unknown as [
    ReturnType<typeof eventSchema<"rag.document.uploaded">>,
    ...ReturnType<typeof eventSchema<EventType>>[],
  ],
);

/** After these, nothing more comes for the same job unless it is requested anew. */
export const terminalEventTypes: ReadonlySet<EventType> = new Set([
  "rag.ingestion.completed",
  "rag.ingestion.failed",
  "rag.ingestion.cancelled",
  "rag.document.deleted",
]);
