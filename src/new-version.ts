/**
 * What a file whose bytes are stored makes of a document (its record, its version, its job and its event), and what
 * takes a document away again: each as one commit. Pure; uploads and the pipeline use the same.
 */
import {
  advance,
  type DocumentRecord,
  type DocumentVersion,
  discardUnfinished,
  isTerminal,
  type Metadata,
} from "./document.ts";
import type { NewEvent } from "./events.ts";
import type { NewId } from "./ids.ts";
import { DELETE_DOCUMENT, INGEST_DOCUMENT, type NewJob } from "./job.ts";

/** A file whose bytes are in the blob store, and which no document has yet. */
export interface StagedFile {
  blob_key: string;
  filename: string;
  media_type: string;
  size_bytes: number;
  /** Hexadecimal. */
  sha256: string;
}

export interface VersionOptions {
  collection: string;
  metadata: Metadata;
  priority?: number;
  /** Of a document that comes inside another. */
  child?: { document_id: string; parent_document_id: string };
  /** How many documents may come out of this one, where that is less than usual. */
  descendants?: number;
}

export interface VersionContext {
  tenant_id: string;
  /** The command or the job that causes it. */
  causation_id: string;
  /** Default: a new one. */
  correlation_id?: string;
  system: { now: () => number; newId: NewId };
  max_attempts: number;
}

/** The commit that makes a file a document, or the next version of one. */
export function newVersion(
  file: StagedFile,
  existing: DocumentRecord | undefined,
  options: VersionOptions,
  { tenant_id, causation_id, system, max_attempts, ...given }: VersionContext,
) {
  const correlation_id = given.correlation_id ?? system.newId("cor");
  const job_id = system.newId("job");
  const context = { ...system, correlation_id, causation_id };
  const events: NewEvent[] = [];
  let cancel_job: string | undefined;
  let current = existing ?? {
    tenant_id,
    document_id: options.child?.document_id ?? system.newId("doc"),
    collection: options.collection,
    metadata: options.metadata,
  };
  if (existing) {
    if (!isTerminal(existing.status)) {
      const stopped = advance(
        existing,
        "rag.ingestion.cancelled",
        { job_id: existing.job_id, version: existing.version, reason: "superseded" },
        { ...context, correlation_id: existing.correlation_id },
      );
      events.push(stopped.event);
      current = stopped.document;
      cancel_job = existing.job_id;
    }
    current = { ...current, metadata: { ...existing.metadata, ...options.metadata } };
  }
  const version = (existing?.version ?? 0) + 1;
  const { filename, media_type, size_bytes, sha256, blob_key } = file;
  const { document, event } = advance(
    current,
    "rag.document.uploaded",
    {
      job_id,
      version,
      filename,
      media_type,
      size_bytes,
      sha256,
      ...(options.child ? { parent_document_id: options.child.parent_document_id } : {}),
    },
    context,
  );
  events.push(event);
  const { document_id } = document;
  const stored: DocumentVersion = {
    tenant_id,
    document_id,
    version,
    blob_key,
    filename,
    media_type,
    size_bytes,
    sha256,
    created_at: document.updated_at,
  };
  const job: NewJob = {
    job_id,
    tenant_id,
    job_type: INGEST_DOCUMENT,
    payload: {
      document_id,
      version,
      ...(options.descendants === undefined ? {} : { descendants: options.descendants }),
    },
    correlation_id,
    priority: options.priority ?? 0,
    max_attempts,
    unique_key: `ingest:${document_id}`,
  };
  const commit = {
    tenant_id,
    ...(cancel_job === undefined ? {} : { cancel_job }),
    ...(existing ? discardUnfinished(existing) : {}),
    document: { record: document, expect_revision: existing?.revision ?? null },
    version: stored,
    events,
    enqueue: [job],
  };
  return { commit, document };
}

/** Erasing must come to an end whatever happens: it is idempotent and worth many tries. */
const ERASE_ATTEMPTS = 100;

/** The commit after which a document is gone for readers and searches; its job erases what is left. */
export function removal(
  current: DocumentRecord,
  { causation_id, system }: { causation_id: string; system: { now: () => number; newId: NewId } },
) {
  const { tenant_id, document_id, correlation_id, version } = current;
  const job_id = system.newId("job");
  const { event } = advance(
    current,
    "rag.document.deleted",
    { job_id, version },
    { ...system, correlation_id, causation_id },
  );
  const job: NewJob = {
    job_id,
    tenant_id,
    job_type: DELETE_DOCUMENT,
    payload: { document_id },
    correlation_id,
    max_attempts: ERASE_ATTEMPTS,
  };
  const commit = {
    tenant_id,
    ...(isTerminal(current.status) ? {} : { cancel_job: current.job_id }),
    remove_document: { document_id, expect_revision: current.revision },
    events: [event],
    enqueue: [job],
  };
  return { commit, job_id };
}
