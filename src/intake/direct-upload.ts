/**
 * Uploads past the API: the client asks, puts its bytes into the blob store itself, and confirms. Only the confirmation
 * makes a document of them, in the same transaction as any other upload; what is never confirmed the sweeper removes.
 */
import { createHash } from "node:crypto";
import { SluiceError } from "../errors.ts";
import { isId } from "../ids.ts";
import type { BlobStore, DirectRequest, StoredBlob } from "../ports/blob-store.ts";
import type { System } from "../ports/system.ts";
import { HEAD_BYTES } from "./media-type.ts";

export interface DirectUploadOffer extends DirectRequest {
  /** Names the upload when it is confirmed. */
  upload_id: string;
  /** ISO 8601; the request must have begun by then. */
  expires_at: string;
}

export interface DirectUploadDependencies {
  system: System;
  blobs: BlobStore;
  admit?: (tenant_id: string, size_bytes?: number) => Promise<() => void>;
  max_upload_bytes: number;
}

const EXPIRES_SECONDS = 3_600;

export function createDirectUploads({ system, blobs, admit, max_upload_bytes }: DirectUploadDependencies) {
  /**
   * @param sha256 of the bytes, hexadecimal: then the store refuses any others, and nobody needs to read them to be sure
   * @throws SluiceError direct_upload_unavailable, payload_too_large, and what admission throws
   */
  return async function offerDirectUpload(
    tenant_id: string,
    { size_bytes, sha256 }: { size_bytes: number; sha256?: string | undefined },
  ): Promise<DirectUploadOffer> {
    const direct = directOf(blobs);
    refuseLarger(size_bytes, max_upload_bytes);
    const leave = await admit?.(tenant_id, size_bytes);
    leave?.();
    const upload_id = system.newId("blob");
    const expires_at = new Date(system.now() + EXPIRES_SECONDS * 1_000).toISOString();
    const request = await direct.presignPut(`${tenant_id}/${upload_id}`, {
      size_bytes,
      ...(sha256 === undefined ? {} : { sha256 }),
      expires_seconds: EXPIRES_SECONDS,
    });
    return { upload_id, ...request, expires_at };
  };
}

/** Size, hash and first bytes of what a client has put under a key. */
export async function lookAtStored(
  blobs: BlobStore,
  blob_key: string,
  max_upload_bytes: number,
): Promise<StoredBlob & { head: Buffer }> {
  const upload_id = blob_key.slice(blob_key.lastIndexOf("/") + 1);
  const found = isId("blob", upload_id) ? await directOf(blobs).stat(blob_key) : undefined;
  if (!found) throw new SluiceError("upload_incomplete", `No bytes have arrived for ${upload_id}.`);
  refuseLarger(found.size_bytes, max_upload_bytes);
  const head = await headOf(blobs, blob_key, found.size_bytes);
  const sha256 = found.sha256 ?? (await hashOf(blobs, blob_key));
  return { size_bytes: found.size_bytes, sha256, head };
}

export async function headOf(blobs: BlobStore, blob_key: string, size_bytes: number): Promise<Buffer> {
  // Of nothing, no range can be asked for.
  if (size_bytes === 0) return Buffer.alloc(0);
  return Buffer.concat(await (await blobs.get(blob_key, { end: HEAD_BYTES })).toArray());
}

function refuseLarger(size_bytes: number, max_upload_bytes: number): void {
  if (size_bytes <= max_upload_bytes) return;
  throw new SluiceError(
    "payload_too_large",
    `The file has ${size_bytes} bytes; this server accepts ${max_upload_bytes}.`,
  );
}

function directOf(blobs: BlobStore) {
  if (blobs.direct) return blobs.direct;
  throw new SluiceError("direct_upload_unavailable", "The files of this server lie in a folder of its own.");
}

async function hashOf(blobs: BlobStore, blob_key: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of await blobs.get(blob_key)) hash.update(bytes);
  return hash.digest("hex");
}
