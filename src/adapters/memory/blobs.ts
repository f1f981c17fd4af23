/** Which blobs the state names, and which were given up. */
import { blobsOf, type Commit, ConflictError } from "../../ports/document-store.ts";
import { blobsIn } from "../named-blobs.ts";
import type { MemoryState, Transaction } from "./state.ts";

export function blobsNamed(state: MemoryState, keys: string[]): Set<string> {
  const asked = new Set(keys);
  const named: string[] = [];
  for (const versions of state.versions.values()) {
    for (const { blob_key } of versions.values()) named.push(blob_key);
  }
  for (const versions of state.rows.values()) {
    for (const { checkpoints } of versions.values()) named.push(...blobsOf([...checkpoints.values()]));
  }
  return new Set(named.filter((key) => asked.has(key)));
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
