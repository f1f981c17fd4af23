/** A file by its path, for Node. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Source } from "./source.ts";

/** @throws what the file system says when it can't be read */
export async function openFile(path: string): Promise<Source> {
  const { mtimeMs } = await stat(path);
  // Reads the file piece by piece when it is read itself, and fails when the file has changed since.
  const bytes = await openAsBlob(path);
  return { bytes, filename: basename(path), modified: Math.round(mtimeMs) };
}
