/** Applies a `Commit` inside the open transaction. Synchronous: it runs on the writer thread. */

import type { DocumentRecord } from "../../document.ts";
import { type Commit, ConflictError } from "../../ports/document-store.ts";
import { refuseCondemned } from "./blobs.ts";
import { toBytes } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { discardChunks, putChunk } from "./write-chunk.ts";
import { putIndexed, requireEmbedders } from "./write-embedders.ts";
import { dropIndexed } from "./write-index.ts";
import { cancelJob, insertJob, redriveJob, requireLease, settleJob } from "./write-jobs.ts";

/** What a write means to others: whose doorbell to ring after the commit. */
export interface Effects {
  events: boolean;
  jobs: boolean;
}

/** @returns the sequence of the last event written; 0 when there was none */
export function applyCommit(sql: Sql, commit: Commit, now: number, effects: Effects): number {
  const { tenant_id } = commit;
  if (commit.lease) requireLease(sql, commit.lease);
  if (commit.embedders) requireEmbedders(sql, commit.embedders);
  refuseCondemned(sql, commit);
  if (commit.document) putDocument(sql, commit.document.record, commit.document.expect_revision);
  if (commit.remove_document) {
    const { document_id, expect_revision } = commit.remove_document;
    const { changes } = sql(
      `UPDATE documents SET removed = 1, revision = revision + 1
       WHERE document_id = ? AND tenant_id = ? AND revision = ? AND removed = 0`,
    ).run(document_id, tenant_id, expect_revision);
    if (changes !== 1) throw new ConflictError("revision");
  }
  if (commit.version) {
    const v = commit.version;
    sql(
      `INSERT INTO versions (document_id, version, tenant_id, blob_key, filename, media_type, size_bytes, sha256, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      v.document_id,
      v.version,
      v.tenant_id,
      v.blob_key,
      v.filename,
      v.media_type,
      v.size_bytes,
      v.sha256,
      v.created_at,
    );
  }
  if (commit.cancel_job) cancelJob(sql, commit.cancel_job, tenant_id, now);
  if (commit.redrive_job) redriveJob(sql, commit.redrive_job, tenant_id, now);
  if (commit.discard) discardVersions(sql, commit.discard.document_id, commit.discard.versions);
  if (commit.checkpoint) {
    if (!commit.document) throw new Error("a checkpoint needs its document in the commit");
    const { document_id, version } = commit.document.record;
    sql("INSERT OR REPLACE INTO checkpoints (document_id, version, stage, data) VALUES (?, ?, ?, ?)").run(
      document_id,
      version,
      commit.checkpoint.stage,
      JSON.stringify(commit.checkpoint.data),
    );
  }
  for (const chunk of commit.chunks ?? []) putChunk(sql, chunk);
  if (commit.discard_chunks) discardChunks(sql, tenant_id, commit.discard_chunks);
  if (commit.embeddings) {
    const { document_id, version, embedder_id, vectors } = commit.embeddings;
    for (const { ordinal, vector } of vectors) {
      sql(
        `INSERT OR REPLACE INTO embeddings (chunk_row, embedder_id, vector)
         SELECT chunk_row, ?, ? FROM chunks WHERE document_id = ? AND version = ? AND ordinal = ?`,
      ).run(embedder_id, toBytes(vector), document_id, version, ordinal);
    }
  }
  if (commit.indexed) putIndexed(sql, tenant_id, commit.indexed);
  if (commit.erase_document) eraseDocument(sql, tenant_id, commit.erase_document);
  if (commit.answer) {
    const a = commit.answer;
    const { changes } = sql(
      `INSERT OR IGNORE INTO answers (tenant_id, key, fingerprint, status, body, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
    ).run(tenant_id, a.key, a.fingerprint, a.status, JSON.stringify(a.body), a.created_at);
    if (changes !== 1) throw new ConflictError("idempotency_key");
  }
  if (commit.settle) {
    if (!commit.lease) throw new Error("settling a job needs its lease in the commit");
    settleJob(sql, commit.lease, commit.settle, now);
  }
  for (const job of commit.enqueue ?? []) insertJob(sql, job, now);
  effects.jobs ||= Boolean(commit.cancel_job || commit.redrive_job || commit.settle || commit.enqueue);
  let sequence = 0;
  for (const event of commit.events ?? []) {
    const { lastInsertRowid } = sql(
      `INSERT INTO events (event_id, event_type, correlation_id, causation_id, tenant_id, idempotency_key, timestamp,
         document_id, collection, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      event.event_id,
      event.event_type,
      event.correlation_id,
      event.causation_id,
      event.tenant_id,
      event.idempotency_key,
      event.timestamp,
      event.document_id,
      event.collection,
      JSON.stringify(event.data),
    );
    sequence = Number(lastInsertRowid);
    effects.events = true;
  }
  return sequence;
}

/** What stays as it is through a document's life, then what a new version may change, then what every change may. */
const columnsOfLife = ["document_id", "tenant_id", "created_at"];
const columnsOfVersion = [
  "collection",
  "filename",
  "media_type",
  "size_bytes",
  "sha256",
  "parent_document_id",
];
const columnsOfState = [
  "status",
  "stage",
  "progress_done",
  "progress_total",
  "error",
  "version",
  "searchable_version",
  "chunks_created",
  "metadata",
  "about",
  "updated_at",
  "correlation_id",
  "job_id",
  "revision",
];
const documentColumns = [...columnsOfLife, ...columnsOfVersion, ...columnsOfState];
const marks = (columns: string[]) => columns.map(() => "?").join(", ");
const insertDocument = `INSERT INTO documents (${documentColumns.join(", ")}) VALUES (${marks(documentColumns)})`;
// Two, because SQLite writes every index that a statement names a column of, whether its value changes or not.
const updateState = `UPDATE documents SET (${columnsOfState.join(", ")}) = (${marks(columnsOfState)})
  WHERE document_id = ? AND tenant_id = ? AND revision = ? AND removed = 0`;
const updateVersion = `UPDATE documents SET (${columnsOfVersion.join(", ")}) = (${marks(columnsOfVersion)})
  WHERE document_id = ? AND (${columnsOfVersion.join(", ")}) IS NOT (${marks(columnsOfVersion)})`;

function putDocument(sql: Sql, record: DocumentRecord, expect_revision: number | null): void {
  const { document_id, tenant_id, created_at, collection, sha256 } = record;
  const ofVersion = [
    collection,
    record.filename,
    record.media_type,
    record.size_bytes,
    sha256,
    record.parent_document_id,
  ];
  const ofState = [
    record.status,
    record.stage,
    record.progress.done,
    record.progress.total,
    record.error === null ? null : JSON.stringify(record.error),
    record.version,
    record.searchable_version,
    record.chunks_created,
    JSON.stringify(record.metadata),
    JSON.stringify(record.about),
    record.updated_at,
    record.correlation_id,
    record.job_id,
    record.revision,
  ];
  const twin = sql(
    "SELECT 1 FROM documents WHERE tenant_id = ? AND collection = ? AND sha256 = ? AND removed = 0 AND document_id <> ?",
  ).get(tenant_id, collection, sha256, document_id);
  if (expect_revision === null) {
    const known = sql("SELECT 1 FROM documents WHERE document_id = ?").get(document_id);
    if (known) throw new ConflictError("revision");
    if (twin) throw new ConflictError("duplicate_content");
    sql(insertDocument).run(document_id, tenant_id, created_at, ...ofVersion, ...ofState);
    return;
  }
  const { changes } = sql(updateState).run(...ofState, document_id, tenant_id, expect_revision);
  if (changes !== 1) throw new ConflictError("revision");
  if (twin) throw new ConflictError("duplicate_content");
  sql(updateVersion).run(...ofVersion, document_id, ...ofVersion);
}

function discardVersions(sql: Sql, document_id: string, versions: number[]): void {
  for (const version of versions) {
    dropIndexed(sql, document_id, version);
    sql(
      "DELETE FROM embeddings WHERE chunk_row IN (SELECT chunk_row FROM chunks WHERE document_id = ? AND version = ?)",
    ).run(document_id, version);
    sql("DELETE FROM chunks WHERE document_id = ? AND version = ?").run(document_id, version);
    sql("DELETE FROM checkpoints WHERE document_id = ? AND version = ?").run(document_id, version);
    sql("DELETE FROM indexed_versions WHERE document_id = ? AND version = ?").run(document_id, version);
  }
}

function eraseDocument(sql: Sql, tenant_id: string, document_id: string): void {
  const removed = sql("SELECT 1 FROM documents WHERE document_id = ? AND tenant_id = ? AND removed = 1");
  if (!removed.get(document_id, tenant_id)) return;
  const versions = sql(
    "SELECT version FROM versions WHERE document_id = ? UNION SELECT version FROM chunks WHERE document_id = ?",
  ).all(document_id, document_id);
  discardVersions(
    sql,
    document_id,
    versions.map((row) => row.version as number),
  );
  sql("DELETE FROM versions WHERE document_id = ?").run(document_id);
  sql("DELETE FROM documents WHERE document_id = ?").run(document_id);
}
