/**
 * One document as the page shows it, and what an event makes of it. Pure.
 *
 * Documents come from two sources, answers and events, whose order is not known to each other. That is no trouble: an
 * event only sets fields, so events that an answer already holds may be applied to it again and the outcome is the
 * same, as long as all later ones follow.
 */
import { aboutNothing } from "../../src/about.ts";
import type { Document } from "../../src/document.ts";
import type { SluiceEvent, Stage } from "../../src/events.ts";

export const stageOrder: readonly Stage[] = ["extracting", "chunking", "embedding", "indexing"];

/** What a stage that ended told of itself. */
export interface StageOutcome {
  duration_ms: number;
  counts: Record<string, number>;
}

/** A document, and what this page saw happen to it. */
export interface Row {
  document: Document;
  /** Stage in which an ingestion ended that this page saw fail or stop. */
  ended_in: Stage | null;
  /** When the next attempt starts, ISO 8601; null unless one is scheduled. */
  retry_at: string | null;
  /** From first start to the end, where this page saw the end. */
  processing_time_ms: number | null;
  /** Stages of this ingestion that this page saw end. */
  outcomes: Partial<Record<Stage, StageOutcome>>;
}

/** Whether work on the document is under way or to come. */
export function isActive(document: Document): boolean {
  return document.status === "pending" || document.status === "processing";
}

const noProgress = { done: 0, total: null };
const waiting = { status: "pending", stage: null, progress: noProgress, error: null } as const;
const begun = { ended_in: null, retry_at: null, processing_time_ms: null, outcomes: {} };

/** A document that an answer brought. @param known what the page knew of it before */
export function rowOf(document: Document, known: Row | undefined): Row {
  // What was seen of an earlier ingestion says nothing of this one.
  const same = known?.document.version === document.version && known.document.job_id === document.job_id;
  return same ? { ...known, document } : { ...begun, document };
}

/** @returns undefined when there is nothing to show: the document is deleted, or on a page not loaded */
export function applyEvent(row: Row | undefined, event: SluiceEvent): Row | undefined {
  if (event.event_type === "rag.document.deleted") return undefined;
  if (event.event_type === "rag.document.uploaded") {
    const {
      job_id,
      version,
      filename,
      media_type,
      size_bytes,
      sha256,
      parent_document_id = null,
    } = event.data;
    const old = row?.document;
    const document: Document = {
      document_id: event.document_id,
      tenant_id: event.tenant_id,
      collection: event.collection,
      filename,
      media_type,
      size_bytes,
      sha256,
      parent_document_id,
      ...waiting,
      version,
      searchable_version: old?.searchable_version ?? null,
      chunks_created: old?.chunks_created ?? 0,
      // Not in the event, and not shown.
      metadata: old?.metadata ?? {},
      about: old?.about ?? aboutNothing,
      created_at: old?.created_at ?? event.timestamp,
      updated_at: event.timestamp,
      correlation_id: event.correlation_id,
      job_id,
    };
    return { ...begun, document };
  }
  if (!row) return undefined;
  const document: Document = { ...row.document, updated_at: event.timestamp };
  switch (event.event_type) {
    case "rag.ingestion.requested": {
      const { job_id, version } = event.data;
      const { correlation_id } = event;
      return { ...begun, document: { ...document, ...waiting, job_id, version, correlation_id } };
    }
    case "rag.ingestion.started":
      return {
        ...row,
        ended_in: null,
        retry_at: null,
        document: { ...document, ...waiting, status: "processing", stage: "extracting" },
      };
    case "rag.ingestion.progressed": {
      const { stage, done, total } = event.data;
      return { ...row, document: { ...document, status: "processing", stage, progress: { done, total } } };
    }
    case "rag.ingestion.stage_completed": {
      const { stage, duration_ms, counts } = event.data;
      const outcomes = { ...row.outcomes, [stage]: { duration_ms, counts } };
      const next = stageOrder[stageOrder.indexOf(stage) + 1] ?? stage;
      // The last stage stays full until the document is completed.
      const progress = next === stage ? { done: 1, total: 1 } : noProgress;
      return { ...row, outcomes, document: { ...document, status: "processing", stage: next, progress } };
    }
    case "rag.ingestion.completed": {
      const { version, chunks_created, processing_time_ms, about = aboutNothing } = event.data;
      return {
        ...row,
        ended_in: null,
        retry_at: null,
        processing_time_ms,
        document: {
          ...document,
          status: "completed",
          stage: null,
          progress: { done: chunks_created, total: chunks_created },
          error: null,
          searchable_version: version,
          chunks_created,
          about,
        },
      };
    }
    case "rag.ingestion.retry_scheduled":
      return {
        ...row,
        retry_at: event.data.run_at,
        document: { ...document, status: "pending", stage: null, error: event.data.error },
      };
    case "rag.ingestion.failed":
      return {
        ...row,
        retry_at: null,
        ended_in: row.document.stage ?? row.ended_in,
        document: { ...document, status: "failed", stage: null, error: event.data.error },
      };
    case "rag.ingestion.cancelled":
      return {
        ...row,
        retry_at: null,
        ended_in: row.document.stage ?? row.ended_in,
        document: { ...document, status: "cancelled", stage: null },
      };
  }
}
