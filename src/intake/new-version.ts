/** What a file that was taken in makes of a document: its record, its version, its job and its event, as one commit. */
import { advance, type DocumentRecord, discardUnfinished, isTerminal, type Metadata } from "../document.ts";
import { INGEST_DOCUMENT } from "../job.ts";
import type { StoredBlob } from "../ports/blob-store.ts";
import type { Commit } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

/** A file whose bytes are in the blob store, and which no document has yet. */
export interface StagedFile extends StoredBlob {
  blob_key: string;
  filename: string;
  media_type: string;
}

export interface VersionOptions {
  collection: string;
  metadata: Metadata;
  priority?: number;
}

export interface VersionContext {
  tenant_id: string;
  /** Names the command in the events. */
  request_id: string;
  system: System;
  max_attempts: number;
}

/** The commit that makes a file a document, or the next version of one. */
export function newVersion(
  file: StagedFile,
  existing: DocumentRecord | undefined,
  options: VersionOptions,
  { tenant_id, request_id, system, max_attempts }: VersionContext,
): { commit: Commit; document: DocumentRecord } {
  const correlation_id = system.newId("cor");
  const job_id = system.newId("job");
  const context = { ...system, correlation_id, causation_id: request_id };
  const events = [];
  let current = existing ?? {
    tenant_id,
    document_id: system.newId("doc"),
    collection: options.collection,
    metadata: options.metadata,
  };
  const commit: Commit = { tenant_id };
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
      commit.cancel_job = existing.job_id;
    }
    Object.assign(commit, discardUnfinished(existing));
    current = { ...current, metadata: { ...existing.metadata, ...options.metadata } };
  }
  const version = (existing?.version ?? 0) + 1;
  const { document, event } = advance(
    current,
    "rag.document.uploaded",
    {
      job_id,
      version,
      filename: file.filename,
      media_type: file.media_type,
      size_bytes: file.size_bytes,
      sha256: file.sha256,
    },
    context,
  );
  events.push(event);
  commit.document = { record: document, expect_revision: existing?.revision ?? null };
  commit.version = {
    tenant_id,
    document_id: document.document_id,
    version,
    blob_key: file.blob_key,
    filename: file.filename,
    media_type: file.media_type,
    size_bytes: file.size_bytes,
    sha256: file.sha256,
    created_at: document.updated_at,
  };
  commit.events = events;
  commit.enqueue = [
    {
      job_id,
      tenant_id,
      job_type: INGEST_DOCUMENT,
      payload: { document_id: document.document_id, version },
      correlation_id,
      priority: options.priority ?? 0,
      max_attempts,
      unique_key: `ingest:${document.document_id}`,
    },
  ];
  return { commit, document };
}
