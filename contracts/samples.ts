/** Makers of test data: documents, jobs, events, chunks and vectors that fit together. */
import { createHash } from "node:crypto";
import { aboutNothing } from "../src/about.ts";
import type { Chunk } from "../src/chunk.ts";
import type { DocumentRecord, DocumentVersion } from "../src/document.ts";
import type { ErrorInfo } from "../src/errors.ts";
import type { EventData, EventType, NewEvent } from "../src/events.ts";
import { chunkId } from "../src/ids.ts";
import { INGEST_DOCUMENT, type NewJob } from "../src/job.ts";
import type { Commit } from "../src/ports/document-store.ts";
import type { System } from "../src/ports/system.ts";

/** The embedder for whose vectors every storage under test is opened. */
export const contractEmbedder = { embedder_id: "contract@1", dimensions: 8 } as const;

/** SHA-256 of a text, hexadecimal. */
export function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A document just uploaded, with bytes unlike any other's. */
export function newDocument(system: System, overrides: Partial<DocumentRecord> = {}): DocumentRecord {
  const document_id = overrides.document_id ?? system.newId("doc");
  const time = new Date(system.now()).toISOString();
  return {
    document_id,
    tenant_id: "t1",
    collection: "default",
    filename: "report.txt",
    media_type: "text/plain",
    size_bytes: 42,
    sha256: sha256Of(document_id),
    parent_document_id: null,
    status: "pending",
    stage: null,
    progress: { done: 0, total: null },
    error: null,
    version: 1,
    searchable_version: null,
    chunks_created: 0,
    metadata: {},
    about: aboutNothing,
    created_at: time,
    updated_at: time,
    correlation_id: system.newId("cor"),
    job_id: system.newId("job"),
    revision: 1,
    ...overrides,
  };
}

/** The row of a document's current version. */
export function newVersion(
  record: DocumentRecord,
  overrides: Partial<DocumentVersion> = {},
): DocumentVersion {
  const { tenant_id, document_id, version, filename, media_type, size_bytes, sha256, created_at } = record;
  return {
    tenant_id,
    document_id,
    version,
    blob_key: `${tenant_id}/${document_id}-${version}`,
    filename,
    media_type,
    size_bytes,
    sha256,
    created_at,
    ...overrides,
  };
}

/** An event of a document, of any type. */
export function newEventFor<T extends EventType>(
  system: System,
  record: DocumentRecord,
  event_type: T,
  data: EventData<T>,
): NewEvent {
  const event_id = system.newId("evt");
  return {
    event_id,
    event_type,
    correlation_id: record.correlation_id,
    causation_id: null,
    tenant_id: record.tenant_id,
    idempotency_key: event_id,
    timestamp: new Date(system.now()).toISOString(),
    document_id: record.document_id,
    collection: record.collection,
    data,
  } as NewEvent;
}

/** `rag.document.uploaded` of a document. */
export function uploadedEvent(system: System, record: DocumentRecord): NewEvent {
  const { job_id, version, filename, media_type, size_bytes, sha256 } = record;
  const data = { job_id, version, filename, media_type, size_bytes, sha256 };
  return newEventFor(system, record, "rag.document.uploaded", data);
}

export function newJob(system: System, overrides: Partial<NewJob> = {}): NewJob {
  return {
    job_id: system.newId("job"),
    tenant_id: "t1",
    job_type: INGEST_DOCUMENT,
    payload: { document_id: system.newId("doc"), nested: { list: [1, "two", null] } },
    correlation_id: system.newId("cor"),
    ...overrides,
  };
}

/** The commit of an upload: document, version, event and job together. */
export function uploadCommit(system: System, record: DocumentRecord): Commit {
  const { tenant_id, document_id, job_id, correlation_id } = record;
  return {
    tenant_id,
    document: { record, expect_revision: null },
    version: newVersion(record),
    events: [uploadedEvent(system, record)],
    enqueue: [newJob(system, { job_id, tenant_id, correlation_id, payload: { document_id } })],
  };
}

/** One chunk for each text, of the given version. */
export function newChunks(record: DocumentRecord, texts: string[], version = record.version): Chunk[] {
  let offset = 0;
  return texts.map((text, ordinal) => {
    const char_start = offset;
    offset += text.length + 1;
    return {
      chunk_id: chunkId(record.document_id, version, ordinal),
      document_id: record.document_id,
      version,
      ordinal,
      text,
      page: ordinal === 0 ? null : ordinal,
      sheet: ordinal === 0 ? null : `Sheet ${ordinal}`,
      row_start: ordinal === 0 ? null : ordinal * 10,
      row_end: ordinal === 0 ? null : ordinal * 10 + 9,
      char_start,
      char_end: char_start + text.length,
      heading_path: ["Part I", `Chapter ${ordinal}`],
      section_start: ordinal === 0 ? null : char_start,
      header: ordinal < 2 ? null : "| Zymurgy |\n| --- |",
      token_count: text.split(" ").length,
    };
  });
}

/** A vector of length 1 in the direction of these numbers; what is not given is 0. */
export function unit(...values: number[]): Float32Array {
  const length = Math.hypot(...values) || 1;
  const vector = new Float32Array(contractEmbedder.dimensions);
  vector.set(values.map((value) => value / length));
  return vector;
}

export function newError(overrides: Partial<ErrorInfo> = {}): ErrorInfo {
  return { code: "embedder_unavailable", message: "the embedder was away", retryable: true, ...overrides };
}
