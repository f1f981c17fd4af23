/**
 * Uploads that survive whatever breaks: created, written in as many requests as it takes, and completed by the last byte.
 *
 * Where a process can die, and what then is:
 * - after the record, before the first byte: an upload at offset 0;
 * - while bytes come: an upload at the offset that the blob store has;
 * - after the last byte, while it makes a blob of them, or before the commit: an upload that has all its bytes and no
 *   answer; whoever asks for it next completes it;
 * - after the commit: the answer is stored under the upload's Idempotency-Key, and found by whoever asks.
 * Two that complete at once meet in the transaction, and one of them finds the other's answer.
 */
import { SluiceError } from "../errors.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";
import { HEAD_BYTES } from "./media-type.ts";
import { type BeginUpload, readableType, type UploadFile, type UploadOptions } from "./upload.ts";
import {
  answerKey,
  bytesKey,
  forget,
  readRecord,
  recordKey,
  stateOf,
  type UploadRecord,
  type UploadState,
  writeRecord,
} from "./upload-record.ts";

export interface NewUpload {
  size_bytes: number;
  file: UploadFile;
  options: UploadOptions;
  fields: Record<string, string | null>;
}

/** All but `create` and `look` want the upload's lock to be held (`lockName`). */
export interface ResumableUploads {
  /** @throws SluiceError payload_too_large, not_found (document_id), unsupported_media_type, and what admission throws */
  create(tenant_id: string, upload_id: string, upload: NewUpload): Promise<UploadState>;
  /** @throws SluiceError not_found, upload_expired */
  look(tenant_id: string, upload_id: string): Promise<UploadState>;
  /**
   * Takes the bytes that come next, and completes the upload with the last one. What arrived stays when the source fails.
   * A refusal that repeating can't help ends the upload: nothing of it is left.
   * @throws SluiceError payload_too_large, unsupported_media_type, and what admission, `append` and `complete` throw
   */
  write(
    state: UploadState,
    tenant_id: string,
    source: AsyncIterable<Uint8Array>,
    request: { request_id: string; size_bytes: number },
  ): Promise<UploadState>;
  /** Makes a document of an upload whose bytes are all here; of any other nothing. @throws as `Upload.accept` does */
  complete(state: UploadState, tenant_id: string, request_id: string): Promise<UploadState>;
  /** @throws SluiceError not_found */
  remove(tenant_id: string, upload_id: string): Promise<void>;
}

export interface ResumableDependencies {
  system: System;
  blobs: BlobStore;
  documents: DocumentStore;
  beginUpload: BeginUpload;
  admit?: (tenant_id: string, size_bytes?: number) => Promise<() => void>;
  /** Whether documents of this media type can be read. */
  accepts: (media_type: string) => boolean;
  max_upload_bytes: number;
  /** From the last byte on. */
  upload_expiry_ms: number;
}

export function lockName(tenant_id: string, upload_id: string): string {
  return recordKey(tenant_id, upload_id);
}

export function createResumableUploads(dependencies: ResumableDependencies): ResumableUploads {
  const { system, blobs, documents, admit, accepts, max_upload_bytes } = dependencies;
  const { resumable } = blobs;

  async function create(tenant_id: string, upload_id: string, upload: NewUpload): Promise<UploadState> {
    const { size_bytes, options } = upload;
    if (size_bytes > max_upload_bytes) {
      throw new SluiceError(
        "payload_too_large",
        `The file has ${size_bytes} bytes; this server accepts ${max_upload_bytes}.`,
      );
    }
    if (options.document_id !== undefined) {
      const document = await documents.getDocument(tenant_id, options.document_id);
      if (!document) throw new SluiceError("not_found", `There is no document ${options.document_id}.`);
    }
    const leave = await admit?.(tenant_id, size_bytes);
    leave?.();
    const created_at = new Date(system.now()).toISOString();
    const record = { upload_id, ...upload, created_at };
    await writeRecord(blobs, tenant_id, record);
    const expires_at = new Date(system.now() + dependencies.upload_expiry_ms).toISOString();
    return { record, offset: 0, expires_at, accepted: null };
  }

  async function look(tenant_id: string, upload_id: string): Promise<UploadState> {
    const record = await readRecord(blobs, tenant_id, upload_id);
    if (!record) throw new SluiceError("not_found", `There is no upload ${upload_id}.`);
    const state = await stateOf(dependencies, tenant_id, record);
    if (state.accepted === null && Date.parse(state.expires_at) <= system.now()) {
      throw new SluiceError("upload_expired", `Nothing came for the upload ${upload_id} for too long.`);
    }
    return state;
  }

  async function write(
    state: UploadState,
    tenant_id: string,
    source: AsyncIterable<Uint8Array>,
    request: { request_id: string; size_bytes: number },
  ): Promise<UploadState> {
    const { record, offset } = state;
    const { upload_id } = record;
    if (state.accepted) return state;
    const leave = await admit?.(tenant_id, request.size_bytes);
    try {
      const key = bytesKey(tenant_id, upload_id);
      await resumable.append(key, offset, checked(tenant_id, record, offset, source));
    } catch (error) {
      if (isFinal(error)) await forget(dependencies, tenant_id, upload_id);
      throw error;
    } finally {
      leave?.();
    }
    return complete(await stateOf(dependencies, tenant_id, record), tenant_id, request.request_id);
  }

  /** The source, refused where there is too much of it, or as soon as its first bytes tell that nobody can read it. */
  async function* checked(
    tenant_id: string,
    { upload_id, size_bytes, file }: UploadRecord,
    offset: number,
    source: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const enough = Math.min(HEAD_BYTES, size_bytes);
    let head: Buffer[] | undefined;
    if (offset < enough)
      head = offset === 0 ? [] : [await resumable.head(bytesKey(tenant_id, upload_id), offset)];
    let at = offset;
    for await (const bytes of source) {
      at += bytes.length;
      if (at > size_bytes) {
        throw new SluiceError(
          "payload_too_large",
          `More came than the ${size_bytes} bytes that the upload was created for.`,
        );
      }
      if (head) {
        head.push(Buffer.from(bytes.subarray(0, HEAD_BYTES)));
        if (at >= enough) {
          await readableType(accepts, Buffer.concat(head).subarray(0, HEAD_BYTES), file);
          head = undefined;
        }
      }
      yield bytes;
    }
  }

  async function complete(state: UploadState, tenant_id: string, request_id: string): Promise<UploadState> {
    const { record, offset, accepted: earlier } = state;
    if (earlier || offset < record.size_bytes) return state;
    const { upload_id, file, options } = record;
    const upload = await dependencies.beginUpload(tenant_id, request_id, {
      idempotency_key: answerKey(upload_id),
      admitted: true,
    });
    try {
      const key = bytesKey(tenant_id, upload_id);
      await upload.addFinished(key, file);
      const { accepted } = await upload.accept(options);
      // A document had the same bytes. Dying here leaves them to the sweeper.
      if (!(await documents.referencedBlobs([key])).has(key)) await blobs.delete(key);
      return { ...state, accepted: accepted[0] ?? null };
    } catch (error) {
      if (isFinal(error)) await forget(dependencies, tenant_id, upload_id);
      throw error;
    } finally {
      await upload.end();
    }
  }

  return {
    create,
    look,
    write,
    complete,
    async remove(tenant_id, upload_id) {
      await look(tenant_id, upload_id);
      await forget(dependencies, tenant_id, upload_id);
    },
  };
}

/** Refused for what it is: the same bytes for the same place would be refused again. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof SluiceError &&
    ["unsupported_media_type", "duplicate_content", "not_found", "upload_incomplete"].includes(error.code)
  );
}
