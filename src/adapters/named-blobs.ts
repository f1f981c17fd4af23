import { blobsOf, type Commit } from "../ports/document-store.ts";

/** Keys of the blobs that a commit names. */
export function blobsIn({ version, checkpoint }: Commit): string[] {
  const keys = checkpoint ? blobsOf([checkpoint]) : [];
  return version ? [version.blob_key, ...keys] : keys;
}
