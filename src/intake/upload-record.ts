/**
 * What a resumable upload is: written once, as a small blob, before its first byte may come. How far it has come is not
 * in it: the blob store knows that. What became of it is not in it either: the answer under its Idempotency-Key is.
 */
import { SluiceError } from "../errors.ts";
import { blobOfUpload, isId, uploadOfBlob } from "../ids.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { Accepted, UploadFile, UploadOptions } from "./upload.ts";

export interface UploadRecord {
  upload_id: string;
  size_bytes: number;
  file: UploadFile;
  options: UploadOptions;
  /** As the client sent them, to be given back to it. */
  fields: Record<string, string | null>;
  created_at: string;
}

export interface UploadState {
  record: UploadRecord;
  /** Bytes that are here. */
  offset: number;
  /** ISO 8601: when it is removed unless more comes. */
  expires_at: string;
  /** What became of it, once all its bytes are here. */
  accepted: Accepted | null;
}

export interface UploadKeeping {
  blobs: BlobStore;
  documents: DocumentStore;
  /** From the last byte on. */
  upload_expiry_ms: number;
}

export function recordKey(tenant_id: string, upload_id: string): string {
  return `${tenant_id}/${upload_id}`;
}

/** Where the bytes of an upload come to lie. */
export function bytesKey(tenant_id: string, upload_id: string): string {
  return `${tenant_id}/${blobOfUpload(upload_id)}`;
}

/** The upload's own Idempotency-Key: its bytes become one document, whoever completes it and how often. */
export function answerKey(upload_id: string): string {
  return `upload:${upload_id}`;
}

export async function writeRecord(blobs: BlobStore, tenant_id: string, record: UploadRecord): Promise<void> {
  await blobs.put(recordKey(tenant_id, record.upload_id), oneChunk(JSON.stringify(record)));
}

export async function readRecord(
  blobs: BlobStore,
  tenant_id: string,
  upload_id: string,
): Promise<UploadRecord | undefined> {
  if (!isId("upl", upload_id)) return undefined;
  try {
    const parts = await (await blobs.get(recordKey(tenant_id, upload_id))).toArray();
    return JSON.parse(Buffer.concat(parts).toString("utf8")) as UploadRecord;
  } catch (error) {
    if (error instanceof SluiceError && error.code === "blob_missing") return undefined;
    throw error;
  }
}

/** Whether a blob that no document names is a resumable upload's whose client may still come back for it. */
export async function isAwaited(blobs: BlobStore, blob_key: string): Promise<boolean> {
  const [tenant_id = "", blob_id = "", ...more] = blob_key.split("/");
  if (more.length > 0 || !isId("blob", blob_id)) return false;
  return (await readRecord(blobs, tenant_id, uploadOfBlob(blob_id))) !== undefined;
}

export async function stateOf(
  { blobs, documents, upload_expiry_ms }: UploadKeeping,
  tenant_id: string,
  record: UploadRecord,
): Promise<UploadState> {
  const { upload_id, size_bytes, created_at } = record;
  const [answer, stored] = await Promise.all([
    documents.findAnswer(tenant_id, answerKey(upload_id)),
    blobs.resumable.state(bytesKey(tenant_id, upload_id)),
  ]);
  const accepted = (answer?.body as Accepted[] | undefined)?.[0] ?? null;
  const last = Math.max(Date.parse(created_at), stored?.modified_at ?? 0);
  return {
    record,
    // Of bytes that were there before, as another document's, nothing is kept.
    offset: accepted ? size_bytes : (stored?.size_bytes ?? 0),
    expires_at: new Date(last + upload_expiry_ms).toISOString(),
    accepted,
  };
}

/** Bytes first: a record without bytes is an upload at its beginning, bytes without a record would be nobody's. */
export async function forget(
  { blobs, documents }: UploadKeeping,
  tenant_id: string,
  upload_id: string,
): Promise<void> {
  const key = bytesKey(tenant_id, upload_id);
  await blobs.resumable.discard(key);
  // Not what a document names, nor what a commit under way in another process is about to.
  const [unnamed] = await documents.condemnBlobs([key]);
  if (unnamed !== undefined) await blobs.delete(key);
  await blobs.delete(recordKey(tenant_id, upload_id));
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
