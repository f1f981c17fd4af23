/** Reads documents in the caller's own process, with no containment at all. */
import type { ExtractedText } from "../../chunk.ts";
import type { ExtractionSource, Extractor } from "../../ports/extractor.ts";
import { containedType, isContainer } from "./container.ts";
import { listenForFacts } from "./facts.ts";
import { fileContent, headOf } from "./input.ts";
import { filesInside } from "./inside.ts";
import { mediaTypes, readerOf } from "./registry.ts";
import type { ReaderInput } from "./text-builder.ts";

/** Enough to tell a container by. */
const SIGNATURE_BYTES = 8;

/** Reads one document. @throws SluiceError as the readers do; whatever `progress` throws */
export async function readDocument(
  { media_type, filename, path }: ExtractionSource,
  progress: (done: number, total: number | null) => void,
  options: Pick<ReaderInput, "ocr_languages" | "pages" | "part"> = {},
): Promise<ExtractedText> {
  const declared = await readerOf(media_type, filename);
  const content = await fileContent(path);
  const contained = isContainer(await headOf(path, SIGNATURE_BYTES))
    ? containedType(content.bytes, filename)
    : undefined;
  const read = contained === undefined ? declared : await readerOf(contained, filename);
  const listening = listenForFacts();
  const { part } = options;
  const heard: Pick<ReaderInput, "part"> | undefined = part && {
    part(next) {
      listening.hear(next);
      return part(next);
    },
  };
  const extracted = await read(Object.assign(content, options, heard, { filename, progress }));
  listening.hear(extracted);
  return { ...extracted, facts: await listening.finish(extracted.facts) };
}

/**
 * The same readers as `createProcessExtractor` uses, but in this process: a document that hangs, crashes or eats
 * memory takes the process along. It breaks the port's promise of containment knowingly, as the bare loop that the
 * benchmark measures against; do not give it documents of strangers.
 */
export function createInProcessExtractor(): Extractor {
  return {
    media_types: mediaTypes,
    async extract(source, progress, signal, { pages, file, part } = {}) {
      signal.throwIfAborted();
      const tell = (done: number, total: number | null) => {
        signal.throwIfAborted();
        progress(done, total);
      };
      const read = await readDocument(source, tell, {
        ...(pages === undefined ? {} : { pages }),
        ...(part === undefined ? {} : { part }),
      });
      signal.throwIfAborted();
      for (const { filename, media_type, bytes } of filesInside(read, source.filename)) {
        const size_bytes = bytes.byteLength;
        const content = async function* () {
          yield bytes;
        };
        await file?.({ filename, media_type, size_bytes, content });
      }
      const { attachments: _, ...extracted } = read;
      return extracted;
    },
    async close() {},
  };
}
