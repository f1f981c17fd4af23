/** Applies one commit to the state, inside a transaction that undoes it when any of its conditions fails. */
import type { DocumentRecord } from "../../document.ts";
import type { NewEvent, SluiceEvent } from "../../events.ts";
import { type Commit, ConflictError } from "../../ports/document-store.ts";
import { refuseCondemned } from "./blobs.ts";
import { putIndexed, requireEmbedders } from "./embedders.ts";
import { cancelJob, endJob, enqueueJob, redriveJob, requireLease, retryJob } from "./job-changes.ts";
import {
  contentKey,
  dropVersionRows,
  joinKey,
  livingDocument,
  type MemoryState,
  type Transaction,
  versionRows,
} from "./state.ts";

/** Jobs leave the queue before new ones enter it, so that a commit can hand a unique_key on. */
export function applyCommit(state: MemoryState, tx: Transaction, now: number, commit: Commit): void {
  if (commit.lease) requireLease(state, commit.lease);
  if (commit.embedders) requireEmbedders(state, commit.embedders);
  refuseCondemned(state, commit);
  if (commit.document) putDocument(state, tx, commit, commit.document);
  if (commit.remove_document) {
    const { document_id, expect_revision } = commit.remove_document;
    const record = requireRevision(state, commit.tenant_id, document_id, expect_revision);
    tx.delete(state.contents, contentKey(record));
    tx.set(state.documents, document_id, { record, removed: true });
  }
  putVersionRows(state, tx, commit);
  if (commit.indexed) putIndexed(state, tx, commit.tenant_id, commit.indexed);
  if (commit.cancel_job !== undefined) cancelJob(state, tx, now, commit.cancel_job, commit.tenant_id);
  if (commit.redrive_job !== undefined) redriveJob(state, tx, now, commit.redrive_job, commit.tenant_id);
  if (commit.settle) settle(state, tx, now, commit);
  for (const job of commit.enqueue ?? []) enqueueJob(state, tx, now, job);
  for (const event of commit.events ?? []) appendEvent(state, tx, event);
  if (commit.answer) {
    const key = joinKey(commit.tenant_id, commit.answer.key);
    if (state.answers.has(key)) throw new ConflictError("idempotency_key");
    tx.set(state.answers, key, structuredClone(commit.answer));
  }
}

function requireRevision(
  state: MemoryState,
  tenant_id: string,
  document_id: string,
  expect_revision: number,
): DocumentRecord {
  const record = livingDocument(state, tenant_id, document_id);
  if (record?.revision !== expect_revision) throw new ConflictError("revision");
  return record;
}

function putDocument(
  state: MemoryState,
  tx: Transaction,
  commit: Commit,
  { record, expect_revision }: NonNullable<Commit["document"]>,
): void {
  const { document_id, tenant_id } = record;
  if (tenant_id !== commit.tenant_id) throw new Error(`${document_id} belongs to another tenant's commit`);
  if (expect_revision === null) {
    if (state.documents.has(document_id)) throw new ConflictError("revision");
  } else {
    tx.delete(state.contents, contentKey(requireRevision(state, tenant_id, document_id, expect_revision)));
  }
  const key = contentKey(record);
  if (state.contents.has(key)) throw new ConflictError("duplicate_content");
  tx.set(state.contents, key, document_id);
  tx.set(state.documents, document_id, { record: structuredClone(record), removed: false });
}

function putVersionRows(state: MemoryState, tx: Transaction, commit: Commit): void {
  const { tenant_id, version, discard, discard_chunks, embeddings, checkpoint } = commit;
  if (version) {
    const { document_id } = version;
    if (!state.versions.has(document_id)) tx.set(state.versions, document_id, new Map());
    const ofDocument = state.versions.get(document_id);
    if (ofDocument) tx.set(ofDocument, version.version, { ...version });
  }
  for (const number of discard?.versions ?? []) {
    const { document_id } = discard ?? { document_id: "" };
    if (ownsDocument(state, tenant_id, document_id)) dropVersionRows(state, tx, document_id, number);
  }
  if (commit.erase_document !== undefined) erase(state, tx, tenant_id, commit.erase_document);
  for (const chunk of commit.chunks ?? []) {
    const { chunk_id, document_id, version: number, ordinal } = chunk;
    const { chunks } = versionRows(state, tx, document_id, number);
    const row = { tenant_id, chunk: structuredClone(chunk), vector: null, embedder_id: null };
    tx.set(chunks, ordinal, row);
    tx.set(state.chunkPlaces, chunk_id, { document_id, version: number, ordinal });
  }
  if (discard_chunks) {
    const { document_id, version: number, from } = discard_chunks;
    const { chunks } = versionRows(state, tx, document_id, number);
    for (const [ordinal, { chunk, tenant_id: owner }] of [...chunks]) {
      if (ordinal < from || owner !== tenant_id) continue;
      tx.delete(chunks, ordinal);
      tx.delete(state.chunkPlaces, chunk.chunk_id);
    }
  }
  if (embeddings) {
    const { document_id, embedder_id, vectors } = embeddings;
    const { chunks } = versionRows(state, tx, document_id, embeddings.version);
    for (const { ordinal, vector } of vectors) {
      const row = chunks.get(ordinal);
      if (row) tx.set(chunks, ordinal, { ...row, vector: vector.slice(), embedder_id });
    }
  }
  if (checkpoint) {
    if (!commit.document) throw new Error("a checkpoint needs the document that it belongs to");
    const { document_id, version: number } = commit.document.record;
    const { checkpoints } = versionRows(state, tx, document_id, number);
    tx.set(checkpoints, checkpoint.stage, structuredClone(checkpoint));
  }
}

function ownsDocument(state: MemoryState, tenant_id: string, document_id: string): boolean {
  return state.documents.get(document_id)?.record.tenant_id === tenant_id;
}

function erase(state: MemoryState, tx: Transaction, tenant_id: string, document_id: string): void {
  if (!ownsDocument(state, tenant_id, document_id)) return;
  const row = state.documents.get(document_id);
  if (row && !row.removed) throw new Error(`${document_id} can't be erased before it was removed`);
  for (const version of [...(state.rows.get(document_id)?.keys() ?? [])]) {
    dropVersionRows(state, tx, document_id, version);
  }
  tx.delete(state.versions, document_id);
  tx.delete(state.documents, document_id);
}

function settle(state: MemoryState, tx: Transaction, now: number, { lease, settle }: Commit): void {
  if (!lease || !settle) throw new Error("a settlement needs the lease of the job that it settles");
  if (settle.state === "retrying") {
    retryJob(state, tx, now, lease, settle.error, settle.run_at, settle.counts ?? true);
  } else {
    endJob(state, tx, now, lease, settle);
  }
}

function appendEvent(state: MemoryState, tx: Transaction, event: NewEvent): void {
  const sequence = state.events.length + 1;
  tx.append(state.events, { ...structuredClone(event), sequence } as SluiceEvent);
}
