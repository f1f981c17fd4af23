/** A file by its path, for Node. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Source } from "./source.ts";

/** @throws what the file system says when it can't be read */
export async function openFile(path: string): Promise<Source> {
  const { size, mtimeMs } = await stat(path);
  // A blob of a file reads it piece by piece when it is read itself, and fails when the file changes meanwhile.
  const blob = await openAsBlob(path);
  return {
    filename: basename(path),
    size,
    modified: Math.round(mtimeMs),
    whole: async () => blob,
    close: async () => {},
  };
}
