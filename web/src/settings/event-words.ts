/** Every type of event in a few words, in the order in which they happen. */
import type { EventType } from "../../../src/client/index.ts";

export const eventWords: Record<EventType, string> = {
  "rag.document.uploaded": "a document was taken in",
  "rag.ingestion.requested": "it is to be ingested again",
  "rag.ingestion.started": "a worker began",
  "rag.ingestion.progressed": "a stage moved on, often",
  "rag.ingestion.stage_completed": "a stage ended",
  "rag.ingestion.completed": "it is searchable",
  "rag.ingestion.retry_scheduled": "an attempt failed, another follows",
  "rag.ingestion.failed": "it failed for good",
  "rag.ingestion.cancelled": "it was stopped",
  "rag.document.deleted": "it is gone",
};

export const eventTypes = Object.keys(eventWords) as EventType[];
