/** Plain text, and everything that is read as such. */
import { decodeBytes } from "./charset.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";

const listItem = /^\s*(?:[-*•‣◦–]|\(?(?:\d{1,3}|[a-z])[.)])\s+\S/i;

/** Paragraphs are parted by blank lines, pages by form feeds. Without a form feed there are no pages. */
export async function readPlainText({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const text = decodeBytes(bytes).replace(/\r\n?|\x85|\u2028|\u2029/g, "\n");
  const pages = text.split("\f");
  // A form feed at the very end closes the last page; it opens none.
  if (pages.length > 1 && pages.at(-1)!.trim() === "") pages.pop();
  const hasPages = text.includes("\f");
  const builder = createTextBuilder();
  for (const [index, page] of pages.entries()) {
    for (const paragraph of page.split(/\n(?:[^\S\n]*\n)+/)) {
      const place = hasPages ? { page: index + 1 } : {};
      builder.add(listItem.test(paragraph) ? "list_item" : "paragraph", paragraph, place);
    }
  }
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, hasPages ? { page_count: pages.length } : {});
}
