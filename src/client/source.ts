/** What is uploaded: bytes, a file of the browser, or a path in Node; never all of a file in memory. */

/** A string is the path of a file, in Node. */
export type UploadSource = Blob | Uint8Array | string;

export interface Source {
  filename: string;
  /** Bytes. */
  size: number;
  /** When the file was changed last, in milliseconds; undefined for what is no file. */
  modified: number | undefined;
  /** Everything, read while it is sent. */
  whole(): Promise<Blob>;
  close(): Promise<void>;
}

export async function openSource(source: UploadSource): Promise<Source> {
  if (typeof source === "string") {
    const { openFile } = await import("./node-file.ts");
    return openFile(source);
  }
  const blob = source instanceof Blob ? source : new Blob([source as Uint8Array<ArrayBuffer>]);
  const { name, lastModified } = blob as Partial<File>;
  return {
    filename: name || "document",
    size: blob.size,
    modified: lastModified,
    whole: async () => blob,
    close: async () => {},
  };
}
