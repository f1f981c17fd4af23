import type { ExtractedText } from "../chunk.ts";

export interface ExtractionSource {
  /** A local file with the bytes. */
  path: string;
  media_type: string;
  filename: string;
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
   * @throws SluiceError unsupported_media_type, empty_document, encrypted_document, malformed_document, limit_exceeded,
   *   extraction_timeout, extraction_out_of_memory or extraction_crashed; the signal's reason when it fires
   */
  extract(
    source: ExtractionSource,
    progress: (done: number, total: number | null) => void,
    signal: AbortSignal,
  ): Promise<ExtractedText>;
  close(): Promise<void>;
}
