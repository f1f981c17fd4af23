/** ZIP archives: the text is the list of what is inside, and each file inside is handed on. */
import type { Attachment } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { encrypted, limitExceeded, limits, malformed } from "./limits.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";
import { openZip } from "./zip.ts";

/** What programs put beside the files: resource forks, thumbnails, settings of folders. */
const clutter = /(^|[\\/])(__MACOSX[\\/]|\.(?!\.?[\\/])|Thumbs\.db$|desktop\.ini$)/i;

export async function readArchive({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const zip = openZip(bytes, filename);
  const names = [...new Set(zip.names)].filter((name) => !clutter.test(name)).sort();
  const open = names.filter((name) => !zip.encrypted.has(name));
  if (names.length === 0) {
    throw new SluiceError(
      "empty_document",
      `${filename} is an archive with no files in it. Upload one that has some.`,
    );
  }
  if (open.length === 0) throw encrypted(filename);
  if (open.length > limits.files) {
    throw limitExceeded(filename, `holds ${open.length} files, more than the ${limits.files} allowed`);
  }
  const unpacked = open.reduce((sum, name) => sum + zip.size(name), 0);
  if (unpacked > limits.filesBytes) {
    throw limitExceeded(filename, `unpacks to ${unpacked} bytes, more than the ${limits.filesBytes} allowed`);
  }
  const damaged = damagedOf(bytes, filename, open);
  if (damaged.size === open.length) {
    throw malformed(filename, "every file in it is damaged, or packed in a way that can't be undone here");
  }
  const builder = createTextBuilder();
  builder.add("heading", filename, { level: 1 });
  builder.add("paragraph", `Archive of ${names.length} ${names.length === 1 ? "file" : "files"}:`);
  for (const name of names) {
    const about = () => {
      if (zip.encrypted.has(name)) return "opens only with a password, not read";
      return damaged.has(name) ? "can't be unpacked, not read" : `${zip.size(name)} bytes`;
    };
    builder.add("list_item", `- ${name.replaceAll("\\", "/")} (${about()})`);
  }
  const attachments = open.map(
    (name): Attachment => ({
      filename: name,
      media_type: null,
      // Unpacked when asked for, so that no more than one of them is held. Of a damaged one nothing is handed on: it
      // counts with the empty files, of which no document is made.
      get bytes() {
        return (damaged.has(name) ? undefined : zip.read(name)) ?? new Uint8Array();
      },
    }),
  );
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { attachments });
}

/**
 * Those that can't be unpacked: one damaged file is no reason to lose the others. Each is unpacked for that once more,
 * and under limits of its own: by then the text says which ones are read.
 * @throws SluiceError limit_exceeded
 */
function damagedOf(bytes: Uint8Array, filename: string, names: readonly string[]): Set<string> {
  const zip = openZip(bytes, filename);
  return new Set(
    names.filter((name) => {
      try {
        zip.read(name);
        return false;
      } catch (error) {
        if (error instanceof SluiceError && error.code === "malformed_document") return true;
        throw error;
      }
    }),
  );
}
