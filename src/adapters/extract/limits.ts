/** What a document may cost to unpack and to hold. Checked before and while unpacking, so that a bomb never goes off. */
import { SluiceError } from "../../errors.ts";

export const limits = {
  /** Entries of a package or an archive. */
  entries: 20_000,
  /** Bytes that one entry may unpack to where it must be held as a whole. */
  entryBytes: 256 * 1024 * 1024,
  /** Bytes that all entries read from one package may unpack to. */
  unpackedBytes: 2 * 1024 * 1024 * 1024,
  /** How many times its packed size an entry may unpack to. Real sheets and documents stay below 100. */
  ratio: 300,
  /** Small entries may exceed the ratio: a page of blanks does. */
  ratioFreeBytes: 16 * 1024 * 1024,
  /** Files inside a document that become documents themselves: what hangs on a mail, entries of an archive. */
  files: 1_000,
  /** Bytes of all those files of one document. */
  filesBytes: 1024 * 1024 * 1024,
  /** Elements inside each other. */
  xmlDepth: 1_000,
  /** UTF-16 code units of a document's text. */
  textLength: 1024 * 1024 * 1024,
  /** UTF-16 code units that are held at once, where a format can't be read piece by piece; and a short file's text. */
  heldLength: 128 * 1024 * 1024,
  /** Bytes of a text file that is read as a whole, for its structure. */
  wholeBytes: 64 * 1024 * 1024,
  /** How many times as long as its file a text beyond that may be: few bytes can say a long text many times. */
  textRatio: 20,
  /** Columns that a table may have; what lies right of them is left out of no row, but refused. */
  columns: 16_384,
  /** Characters of one record of a CSV file. */
  recordLength: 1024 * 1024,
} as const;

/** UTF-16 code units of text that a file of so many bytes may hold. */
export function textAllowance(size_bytes: number): number {
  return Math.min(limits.textLength, Math.max(limits.heldLength, size_bytes * limits.textRatio));
}

/** @param what completes "NAME …" */
export function limitExceeded(filename: string, what: string): SluiceError {
  return new SluiceError(
    "limit_exceeded",
    `${filename} ${what}. Split it, or save it again with the program that made it, and upload that.`,
  );
}

/** @param reason in words for the user */
export function malformed(filename: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError(
    "malformed_document",
    `${filename} can't be read: ${reason}. Open it with the program that made it, save it again and upload that copy.`,
    { cause },
  );
}

export function encrypted(filename: string): SluiceError {
  return new SluiceError(
    "encrypted_document",
    `${filename} opens only with a password. Remove the protection and upload it again.`,
  );
}
