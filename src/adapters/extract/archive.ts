/** ZIP archives: the text is the list of what is inside, and each file inside is handed on. */
import type { Attachment } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { encrypted, limitExceeded, limits } from "./limits.ts";
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
  const builder = createTextBuilder();
  builder.add("heading", filename, { level: 1 });
  builder.add("paragraph", `Archive of ${names.length} ${names.length === 1 ? "file" : "files"}:`);
  for (const name of names) {
    const about = zip.encrypted.has(name)
      ? "opens only with a password, not read"
      : `${zip.size(name)} bytes`;
    builder.add("list_item", `- ${name.replaceAll("\\", "/")} (${about})`);
  }
  const attachments = open.map(
    (name): Attachment => ({
      filename: name,
      media_type: null,
      // Unpacked when asked for, so that no more than one of them is held.
      get bytes() {
        return zip.read(name) ?? new Uint8Array();
      },
    }),
  );
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { attachments });
}
