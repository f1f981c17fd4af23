import type { ExtractedPart, ExtractedText } from "../chunk.ts";

export interface ExtractionSource {
  /** A local file with the bytes. */
  path: string;
  media_type: string;
  filename: string;
}

/** A file inside a document: what hangs on a mail, an entry of an archive. */
export interface ExtractedFile {
  /** As the document has it: it may be a path, and may be anything else. */
  filename: string;
  /** As the document declares it; null where it doesn't. */
  media_type: string | null;
  size_bytes: number;
  /** Its bytes, from the beginning at every call. */
  content(): AsyncIterable<Uint8Array>;
}

/** Pages that were hard to read, kept from one attempt to the next, so that none is read twice. */
export interface PageCache {
  /** What earlier attempts kept, by page, from 1. */
  readonly kept: ReadonlyMap<number, string>;
  /** Called when such a page has been read; `content` is for this extractor alone to understand. */
  keep(page: number, content: string): void;
}

/** Where an extraction puts what it can hand over before its end. Each may be left out. */
export interface ExtractionSinks {
  /** Of the same bytes: an extractor MUST NOT read those pages again that it finds there, and may keep none. */
  pages?: PageCache;
  /**
   * Gets the files inside of the document: one after another, in their order, and all before `extract` resolves. MUST be
   * waited for; the content MUST be readable until then, and MAY be gone afterwards.
   */
  file?: (file: ExtractedFile) => Promise<void>;
  /**
   * Gets the text of a long document as it is read: part after part, from the beginning. MUST be waited for before the
   * next part is given, so that memory stays flat however long the document is, and before `extract` resolves; where that
   * rejects, the last part MAY still be under way. The same bytes SHOULD give the same parts at every attempt. Without it
   * the whole text is in the answer.
   */
  part?: (part: ExtractedPart) => Promise<void>;
}

/**
 * Reads text and structure out of files.
 * MUST be contained: whatever the file does (crash, hang, eat memory), the caller gets a SluiceError in bounded time.
 */
export interface Extractor {
  /** Media types that `extract` can read. */
  readonly media_types: ReadonlySet<string>;
  /**
   * @param progress called as pages or bytes are done; total null while unknown
   * @returns the text that went into no part: its end, or all of it
   * @throws SluiceError unsupported_media_type, empty_document, encrypted_document, malformed_document, limit_exceeded,
   *   extraction_timeout, extraction_out_of_memory or extraction_crashed; the signal's reason when it fires
   */
  extract(
    source: ExtractionSource,
    progress: (done: number, total: number | null) => void,
    signal: AbortSignal,
    sinks?: ExtractionSinks,
  ): Promise<ExtractedText>;
  close(): Promise<void>;
}
