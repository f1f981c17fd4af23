/** Puts a document's text together from its blocks, and keeps their offsets. */
import type { Attachment, Block, DocumentFacts, ExtractedText } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import type { PageCache } from "../../ports/extractor.ts";
import { limitExceeded, limits } from "./limits.ts";

/** What a reader gets: the bytes, and a name for its error messages. */
export interface ReaderInput {
  bytes: Uint8Array;
  filename: string;
  /** Called as pages or bytes are done; total null while unknown. */
  progress: (done: number, total: number | null) => void;
  /** Languages in which pictures of text are read, as Tesseract names them; none: they are not read. Default English. */
  ocr_languages?: readonly string[];
  /** Pages that earlier attempts read by OCR. */
  pages?: PageCache;
}

/** One format's reader. @throws SluiceError empty_document, encrypted_document, malformed_document, limit_exceeded */
export type Reader = (input: ReaderInput) => Promise<ExtractedText>;

export type BlockPlace = Partial<Pick<Block, "page" | "sheet" | "row"> & { level: number }>;

export interface TextBuilder {
  /** Appends a block, two line ends after the one before. Text without a letter, number or symbol is left out where it is short. */
  add(kind: Block["kind"], text: string, place?: BlockPlace): void;
  /** @throws SluiceError empty_document when nothing was added */
  finish(
    filename: string,
    about?: {
      page_count?: number | undefined;
      title?: string | null | undefined;
      facts?: DocumentFacts;
      attachments?: Attachment[];
    },
  ): ExtractedText;
}

const SEPARATOR = "\n\n";
/** A lone bullet, a row of stars: nothing to find or to cite. */
const ornament = /^[\p{P}\s]{1,12}$/u;

export function createTextBuilder(): TextBuilder {
  const parts: string[] = [];
  const blocks: Block[] = [];
  let length = 0;
  return {
    add(kind, raw, place = {}) {
      const text = trimBlock(cleanText(raw));
      if (text === "" || ornament.test(text)) return;
      if (parts.length > 0) length += SEPARATOR.length;
      blocks.push({
        kind,
        level: kind === "heading" ? (place.level ?? 1) : null,
        page: place.page ?? null,
        char_start: length,
        char_end: length + text.length,
        ...(place.sheet === undefined ? {} : { sheet: place.sheet }),
        ...(place.row === undefined ? {} : { row: place.row }),
      });
      parts.push(text);
      length += text.length;
    },
    finish(filename, about = {}) {
      if (length > limits.textLength) {
        throw limitExceeded(filename, `holds more than ${limits.textLength} characters of text`);
      }
      return finishText(filename, {
        text: parts.join(SEPARATOR),
        blocks,
        page_count: about.page_count ?? null,
        title: about.title ?? null,
        ...(about.facts ? { facts: about.facts } : {}),
        ...(about.attachments?.length ? { attachments: about.attachments } : {}),
      });
    },
  };
}

/** Checks what every document must have. @throws SluiceError empty_document */
export function finishText(filename: string, extracted: ExtractedText): ExtractedText {
  if (extracted.blocks.length === 0) {
    const pages = extracted.page_count === null ? "" : ` on its ${extracted.page_count} pages`;
    throw new SluiceError(
      "empty_document",
      `${filename} holds no text${pages}. Upload a file with text in it; SLUICE_OCR_LANGUAGES says in which languages pictures of text are read.`,
    );
  }
  const title = extracted.title === null ? "" : cleanText(extracted.title).replace(/\s+/g, " ").trim();
  return { ...extracted, title: title === "" ? null : title.slice(0, 500), facts: extracted.facts ?? {} };
}

// Everything below the space except tab, line feed, form feed and carriage return. Databases refuse NUL, and none of
// the others means anything in text.
const controls = /[^\P{Cc}\t\n\f\r\x85]/gu;

/** Without control characters, and with a replacement character for each half of a broken surrogate pair. */
export function cleanText(text: string): string {
  return text.toWellFormed().replace(controls, "");
}

/** Blank lines and trailing blanks go; the first line's indentation is kept, since code needs it. */
function trimBlock(text: string): string {
  return text.trimEnd().replace(/^(?:[^\S\n]*\n)+/, "");
}
