/** What SQLite says went wrong, in codes of ours. */
import { SluiceError } from "../../errors.ts";

/** SQLite's result codes that mean "this can't be written here and now" (https://sqlite.org/rescode.html). */
const unavailable = new Map([
  [5, "the database is locked"],
  [6, "the database is locked"],
  [8, "the database is read-only"],
  [10, "the disk reported an error"],
  [11, "the database file is damaged"],
  [13, "the disk is full"],
  [14, "the database file can't be opened"],
  [26, "the file is not a database"],
]);

/** A SQLite error as the coded one that it is, or unchanged. */
export function translateError(error: unknown): unknown {
  const errcode = (error as { errcode?: number }).errcode;
  const meaning = errcode === undefined ? undefined : unavailable.get(errcode & 0xff);
  if (meaning === undefined) return error;
  return new SluiceError("storage_unavailable", `Nothing was written: ${meaning}.`, {
    cause: error,
    retry_after_ms: 1_000,
  });
}
