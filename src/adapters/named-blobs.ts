import type { Commit } from "../ports/document-store.ts";

/** Keys of the blobs that a commit names. */
export function blobsIn({ version, checkpoint }: Commit): string[] {
  const keys = Object.entries(checkpoint?.data ?? {})
    .filter(([name, value]) => name.endsWith("_key") && typeof value === "string")
    .map(([, key]) => key as string);
  return version ? [version.blob_key, ...keys] : keys;
}
