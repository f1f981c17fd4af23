/** Reads documents in the caller's own process, with no containment at all. */
import { readFile } from "node:fs/promises";
import type { ExtractedText } from "../../chunk.ts";
import type { ExtractionSource, Extractor } from "../../ports/extractor.ts";
import { containedType } from "./container.ts";
import { finishedFacts } from "./facts.ts";
import { filesInside } from "./inside.ts";
import { mediaTypes, readerOf } from "./registry.ts";
import type { ReaderInput } from "./text-builder.ts";

/** Reads one document. @throws SluiceError as the readers do; whatever `progress` throws */
export async function readDocument(
  { media_type, filename, path }: ExtractionSource,
  progress: (done: number, total: number | null) => void,
  options: Pick<ReaderInput, "ocr_languages" | "pages"> = {},
): Promise<ExtractedText> {
  const declared = await readerOf(media_type, filename);
  const bytes = await readFile(path);
  const contained = containedType(bytes, filename);
  const read = contained === undefined ? declared : await readerOf(contained, filename);
  const extracted = await read({ ...options, bytes, filename, progress });
  return { ...extracted, facts: await finishedFacts(extracted) };
}

/**
 * The same readers as `createProcessExtractor` uses, but in this process: a document that hangs, crashes or eats
 * memory takes the process along. It breaks the port's promise of containment knowingly, as the bare loop that the
 * benchmark measures against; do not give it documents of strangers.
 */
export function createInProcessExtractor(): Extractor {
  return {
    media_types: mediaTypes,
    async extract(source, progress, signal, pages, take) {
      signal.throwIfAborted();
      const tell = (done: number, total: number | null) => {
        signal.throwIfAborted();
        progress(done, total);
      };
      const read = await readDocument(source, tell, pages === undefined ? {} : { pages });
      signal.throwIfAborted();
      for (const { filename, media_type, bytes } of filesInside(read, source.filename)) {
        const size_bytes = bytes.byteLength;
        const content = async function* () {
          yield bytes;
        };
        await take?.({ filename, media_type, size_bytes, content });
      }
      const { attachments: _, ...extracted } = read;
      return extracted;
    },
    async close() {},
  };
}
