/** Files inside a document on their way out of a reader: one at a time, and no more than is allowed. */
import type { Attachment, ExtractedText } from "../../chunk.ts";
import { limitExceeded, limits } from "./limits.ts";

/** @throws SluiceError limit_exceeded; whatever unpacking one of them throws */
export function* filesInside(
  { attachments = [] }: ExtractedText,
  filename: string,
): Generator<Attachment, void, void> {
  if (attachments.length > limits.files) {
    throw limitExceeded(filename, `holds ${attachments.length} files, more than the ${limits.files} allowed`);
  }
  let total = 0;
  for (const attachment of attachments) {
    // Read once: an archive unpacks its entries here.
    const { bytes } = attachment;
    total += bytes.byteLength;
    if (total > limits.filesBytes) {
      throw limitExceeded(filename, `holds files of more than the ${limits.filesBytes} bytes allowed`);
    }
    yield { filename: attachment.filename, media_type: attachment.media_type, bytes };
  }
}
