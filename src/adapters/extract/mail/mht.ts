/** Web pages saved in one file (MHTML, RFC 2557): the page is read, what it shows and needs besides is not. */
import PostalMime from "postal-mime";
import { readHtml } from "../html.ts";
import { bytesInput } from "../input.ts";
import { malformed } from "../limits.ts";
import type { ReaderInput } from "../text-builder.ts";

export async function readMht({ bytes, filename, progress }: ReaderInput) {
  const page = await PostalMime.parse(bytes, { attachmentEncoding: "arraybuffer" }).catch(
    (error: unknown) => {
      throw malformed(
        filename,
        `it is no saved page (${error instanceof Error ? error.message : error})`,
        error,
      );
    },
  );
  if (page.html === undefined) throw malformed(filename, "it holds no page");
  // With a mark, since the page may still name the charset that it came in.
  const html = Buffer.from(`\ufeff${page.html}`);
  const read = await readHtml(bytesInput(html, filename, progress));
  return read.title === null && page.subject !== undefined ? { ...read, title: page.subject } : read;
}
