/** Which blobs the state names, and which were given up. */
import { type Commit, ConflictError } from "../../ports/document-store.ts";
import { blobsIn } from "../named-blobs.ts";
import type { MemoryState, Transaction } from "./state.ts";

export function blobsNamed(state: MemoryState, keys: string[]): Set<string> {
  const asked = new Set(keys);
  const named = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value === "string") {
      if (asked.has(value)) named.add(value);
    } else if (typeof value === "object" && value !== null) {
      for (const item of Object.values(value)) visit(item);
    }
  };
  for (const versions of state.versions.values()) {
    for (const version of versions.values()) visit(version.blob_key);
  }
  for (const versions of state.rows.values()) {
    for (const rows of versions.values()) {
      for (const checkpoint of rows.checkpoints.values()) visit(checkpoint.data);
    }
  }
  return named;
}

export function condemnBlobs(state: MemoryState, tx: Transaction, keys: string[]): string[] {
  const named = blobsNamed(state, keys);
  const unnamed = keys.filter((key) => !named.has(key));
  for (const key of unnamed) tx.set(state.condemned, key, true);
  return unnamed;
}

/** @throws ConflictError blob_condemned */
export function refuseCondemned(state: MemoryState, commit: Commit): void {
  if (blobsIn(commit).some((key) => state.condemned.has(key))) throw new ConflictError("blob_condemned");
}
