/** What is removed after the fact: deleted documents, and index entries of versions that were replaced. */
import type { ClaimedJob } from "../job.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import { blobsOf, type DocumentStore } from "../ports/document-store.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";
import type { VectorIndex } from "../ports/vector-index.ts";
import { removeChildren } from "./family.ts";

export interface EraseDependencies {
  documents: DocumentStore;
  blobs: BlobStore;
  index: VectorIndex;
  system: System;
}

/**
 * Erases a deleted document: its blobs first, then its rows, so that dying in between loses no key. What came out of it
 * and is still there goes before it, by jobs of its own.
 */
export async function erase(dependencies: EraseDependencies, claimed: ClaimedJob): Promise<void> {
  const { documents, blobs, index } = dependencies;
  const { tenant_id, payload } = claimed.job;
  const document_id = String(payload.document_id);
  await removeChildren(dependencies, tenant_id, document_id, claimed);
  const versions = await documents.listVersions(tenant_id, document_id);
  for (const { version, blob_key } of versions) {
    const checkpoints = await documents.listCheckpoints(tenant_id, document_id, version);
    for (const key of [blob_key, ...blobsOf(checkpoints)]) await blobs.delete(key);
    await index.remove(tenant_id, document_id, version);
  }
  await documents.commit([
    { tenant_id, lease: claimed, erase_document: document_id, settle: { state: "succeeded" } },
  ]);
}

/**
 * After publishing into an index that doesn't share the transaction: removes what it has of the versions replaced. What
 * a worker that lost its lease stages after this stays, invisible, until the document is erased.
 */
export async function removeEntries(
  { queue, index }: { queue: JobQueue; index: VectorIndex },
  claimed: ClaimedJob,
): Promise<void> {
  const { tenant_id, payload } = claimed.job;
  const { document_id, versions } = payload as { document_id: string; versions: number[] };
  for (const version of versions) await index.remove(tenant_id, document_id, version);
  await queue.complete(claimed);
}
