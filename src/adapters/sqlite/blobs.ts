/** Which blobs the database names, and which were given up. */
import { type Commit, ConflictError } from "../../ports/document-store.ts";
import { blobsIn } from "../named-blobs.ts";
import type { Sql } from "./schema.ts";
import type { Writer } from "./writer.ts";

export function blobsNamed(sql: Sql, keys: string[]): Set<string> {
  const rows = sql(
    `SELECT blob_key FROM versions WHERE blob_key IN (SELECT value FROM json_each(?1))
     UNION SELECT item.value AS blob_key FROM checkpoints, json_each(checkpoints.data) AS item
     WHERE item.key LIKE '%\\_key' ESCAPE '\\' AND item.value IN (SELECT value FROM json_each(?1))`,
  ).all(JSON.stringify(keys));
  return new Set(rows.map((row) => row.blob_key as string));
}

/**
 * Looking takes long in a large database, so it is not done while the write lock is held: what nothing seems to name is
 * marked first, then looked for again. Commits before the mark show by now, and later ones are refused.
 */
export async function condemnBlobs(sql: Sql, writer: Writer, keys: string[]): Promise<string[]> {
  const named = blobsNamed(sql, keys);
  const unnamed = keys.filter((key) => !named.has(key));
  if (unnamed.length === 0) return [];
  await writer.write({
    op: "run",
    sql: "INSERT OR IGNORE INTO condemned_blobs SELECT value FROM json_each(?)",
    values: [JSON.stringify(unnamed)],
  });
  const late = blobsNamed(sql, unnamed);
  return unnamed.filter((key) => !late.has(key));
}

/**
 * What is named may be marked, if it got its name just before: it may be named on.
 *
 * @throws ConflictError blob_condemned
 */
export function refuseCondemned(sql: Sql, commit: Commit): void {
  const keys = blobsIn(commit);
  if (keys.length === 0) return;
  const condemned = sql(
    "SELECT blob_key FROM condemned_blobs WHERE blob_key IN (SELECT value FROM json_each(?))",
  ).all(JSON.stringify(keys));
  if (condemned.length === 0) return;
  const named = blobsNamed(
    sql,
    condemned.map((row) => row.blob_key as string),
  );
  if (named.size < condemned.length) throw new ConflictError("blob_condemned");
}
