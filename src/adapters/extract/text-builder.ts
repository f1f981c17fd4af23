/** Puts a document's text together from its blocks, keeps their offsets, and hands a long text over part by part. */
import type { Attachment, Block, DocumentFacts, ExtractedPart, ExtractedText } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import type { PageCache } from "../../ports/extractor.ts";
import { limitExceeded, limits, textAllowance } from "./limits.ts";

/** A file to be read at any place, at once. */
export interface OpenInput {
  size_bytes: number;
  /** Fills `into` from a position on; returns how much there was. */
  read(into: Uint8Array, position: number): number;
  close(): void;
}

/** What a reader gets: the file, and a name for its error messages. See input.ts. */
export interface ReaderInput {
  /** All of it, read when first asked for. Readers of what may be long take `pieces` instead. */
  readonly bytes: Uint8Array;
  size_bytes: number;
  /** The bytes from the beginning, at every call. */
  pieces(): AsyncIterable<Uint8Array>;
  /** For readers that jump about in a file. Whoever opens it closes it. */
  open(): OpenInput;
  filename: string;
  /** Called as pages or bytes are done; total null while unknown. */
  progress: (done: number, total: number | null) => void;
  /** Languages in which pictures of text are read, as Tesseract names them; none: they are not read. Default English. */
  ocr_languages?: readonly string[];
  /** Pages that earlier attempts read by OCR. */
  pages?: PageCache;
  /** Takes the text of a long document part by part, where somebody wants it so. */
  part?: (part: ExtractedPart) => Promise<void>;
}

/** One format's reader. @throws SluiceError empty_document, encrypted_document, malformed_document, limit_exceeded */
export type Reader = (input: ReaderInput) => Promise<ExtractedText>;

export type BlockPlace = Partial<Pick<Block, "page" | "sheet" | "row"> & { level: number }> & {
  /**
   * What lies between the block and the one before, which it continues: a line end, or nothing where a line was cut.
   * Absent: the block is one of its own.
   */
  joint?: "\n" | "";
};

export interface TextBuilder {
  /** Appends a block, two line ends after the one before. Text without a letter, number or symbol is left out where it is short. */
  add(kind: Block["kind"], text: string, place?: BlockPlace): void;
  /**
   * Hands over what was added, where that is much and somebody takes it. Readers of long documents call it whenever
   * they can wait: what was handed over is no longer held.
   */
  handOver(): Promise<void> | undefined;
  /** @throws SluiceError empty_document when nothing was added; limit_exceeded */
  finish(
    filename: string,
    about?: {
      page_count?: number | undefined;
      title?: string | null | undefined;
      facts?: DocumentFacts;
      attachments?: Attachment[];
      /** Its pages may be pictures, whose text is read by OCR. */
      pictures?: boolean;
    },
  ): ExtractedText;
}

const SEPARATOR = "\n\n";
/** A lone bullet, a row of stars: nothing to find or to cite. */
const ornament = /^[\p{P}\s]{1,12}$/u;

/** Parts grow with the text before them: the first are stored early, and a long text does not become thousands. */
const SMALLEST_PART = 256 * 1024;
const LARGEST_PART = 2 * 1024 * 1024;

export function createTextBuilder(
  input?: Pick<ReaderInput, "part" | "size_bytes" | "filename">,
): TextBuilder {
  const take = input?.part;
  const allowed = input === undefined ? limits.heldLength : textAllowance(input.size_bytes);
  let parts: string[] = [];
  let blocks: Block[] = [];
  let length = 0;
  /** Of that, what has been handed over. */
  let gone = 0;

  function cut(): ExtractedPart {
    const part = { text: parts.join(""), blocks };
    [parts, blocks, gone] = [[], [], length];
    return part;
  }

  return {
    add(kind, raw, place = {}) {
      const text = trimBlock(cleanText(raw));
      if (text === "" || (place.joint === undefined && ornament.test(text))) return;
      // Nothing goes on before the beginning.
      const separator = length === 0 ? "" : (place.joint ?? SEPARATOR);
      const continues = place.joint !== undefined && length > 0;
      const char_start = length + separator.length;
      length = char_start + text.length;
      if (length > allowed && input !== undefined) throw tooLong(input.filename, allowed);
      blocks.push({
        kind,
        level: kind === "heading" ? (place.level ?? 1) : null,
        page: place.page ?? null,
        char_start,
        char_end: length,
        ...(place.sheet === undefined ? {} : { sheet: place.sheet }),
        ...(place.row === undefined ? {} : { row: place.row }),
        ...(continues ? { continues } : {}),
      });
      if (separator !== "") parts.push(separator);
      parts.push(text);
    },
    handOver() {
      if (take === undefined) return undefined;
      const enough = Math.min(LARGEST_PART, Math.max(SMALLEST_PART, gone / 4));
      return length - gone < enough ? undefined : take(cut());
    },
    finish(filename, about = {}) {
      if (length - gone > limits.heldLength) throw tooLong(filename, limits.heldLength);
      if (length === 0) throw emptyDocument(filename, about.page_count ?? null, about.pictures);
      return {
        ...cut(),
        page_count: about.page_count ?? null,
        title: tidyTitle(about.title ?? null),
        facts: about.facts ?? {},
        ...(about.attachments?.length ? { attachments: about.attachments } : {}),
      };
    },
  };
}

function tooLong(filename: string, allowed: number): SluiceError {
  return limitExceeded(filename, `holds more than ${allowed} characters of text`);
}

/** For readers that find blocks in the text as it stands. @throws SluiceError empty_document */
export function finishText(filename: string, extracted: ExtractedText): ExtractedText {
  if (extracted.blocks.length === 0) throw emptyDocument(filename, extracted.page_count);
  return { ...extracted, title: tidyTitle(extracted.title), facts: extracted.facts ?? {} };
}

function emptyDocument(filename: string, page_count: number | null, pictures = false): SluiceError {
  const pages = page_count === null ? "" : ` on its ${page_count} ${page_count === 1 ? "page" : "pages"}`;
  const hint = pictures ? "; SLUICE_OCR_LANGUAGES says in which languages pictures of text are read" : "";
  return new SluiceError(
    "empty_document",
    `${filename} holds no text${pages}. Upload a file with text in it${hint}.`,
  );
}

function tidyTitle(title: string | null): string | null {
  const tidy = title === null ? "" : cleanText(title).replace(/\s+/g, " ").trim();
  return tidy === "" ? null : tidy.slice(0, 500);
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
