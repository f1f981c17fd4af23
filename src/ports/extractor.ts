import type { ExtractedText } from "../chunk.ts";

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

/**
 * Reads text and structure out of files.
 * MUST be contained: whatever the file does (crash, hang, eat memory), the caller gets a SluiceError in bounded time.
 */
export interface Extractor {
  /** Media types that `extract` can read. */
  readonly media_types: ReadonlySet<string>;
  /**
   * @param progress called as pages or bytes are done; total null while unknown
   * @param pages of the same bytes; an extractor MUST NOT read those again that it finds there, and may keep none
   * @param take gets the files inside of the document, where it is given: one after another, in their order, and all
   *   before this resolves. MUST be waited for; the content MUST be readable until then, and MAY be gone afterwards.
   * @throws SluiceError unsupported_media_type, empty_document, encrypted_document, malformed_document, limit_exceeded,
   *   extraction_timeout, extraction_out_of_memory or extraction_crashed; the signal's reason when it fires
   */
  extract(
    source: ExtractionSource,
    progress: (done: number, total: number | null) => void,
    signal: AbortSignal,
    pages?: PageCache,
    take?: (file: ExtractedFile) => Promise<void>,
  ): Promise<ExtractedText>;
  close(): Promise<void>;
}
