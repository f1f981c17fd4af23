/** What is uploaded: bytes, a file of the browser, or a path in Node. A file is read while it is sent, never held. */
import { ApiError } from "./api-error.ts";

/** A string is the path of a file, in Node. */
export type UploadSource = Blob | Uint8Array | string;

export interface Source {
  bytes: Blob;
  filename: string;
  /** When the file was changed last, in milliseconds; undefined for what is no file. */
  modified: number | undefined;
}

/** @throws what the file system says when a path can't be read */
export async function openSource(source: UploadSource): Promise<Source> {
  if (typeof source === "string") {
    // Only here, so that no browser ever loads it.
    const { openFile } = await import("./node-file.ts");
    return openFile(source);
  }
  const bytes = source instanceof Blob ? source : new Blob([source as Uint8Array<ArrayBuffer>]);
  const { name, lastModified } = bytes as Partial<File>;
  return { bytes, filename: name || "document", modified: lastModified };
}

/**
 * A request whose body fails looks like a network that fails, and would be repeated for ever: so the file is asked
 * first.
 *
 * @throws ApiError source_unreadable when the file was changed or removed since it was chosen
 */
export async function checkReadable({ bytes, filename }: Source, offset: number): Promise<void> {
  try {
    await bytes.slice(offset, offset + 1).arrayBuffer();
  } catch (cause) {
    throw new ApiError(`${filename} can't be read: it was changed or removed since it was chosen.`, {
      status: 0,
      code: "source_unreadable",
      retryable: false,
      cause,
    });
  }
}
