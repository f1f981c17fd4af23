/** What a worker and its extraction child say to each other over Node's IPC channel. */
import type { Block, DocumentFacts } from "../../chunk.ts";
import type { ErrorCode } from "../../errors.ts";
import type { ExtractionSource } from "../../ports/extractor.ts";

export interface ExtractRequest extends ExtractionSource {
  type: "extract";
  ocr_languages: readonly string[];
  /** What earlier attempts kept of pages. */
  kept: ReadonlyMap<number, string>;
  /** Whether files inside are wanted. */
  files_wanted: boolean;
  /** Whether a long text is wanted part by part. */
  parts_wanted: boolean;
}

export type ParentMessage =
  | ExtractRequest
  /** The last part is taken: the child may go on. */
  | { type: "go_on" };

/** A document's answer: any number of pieces, then `done`; or `error`. Nothing more follows either of these. */
export type ChildMessage =
  | { type: "progress"; done: number; total: number | null }
  /** A page that was hard to read, to be kept for the next attempt should this one fail. */
  | { type: "page"; page: number; content: string }
  | { type: "text"; text: string }
  | { type: "blocks"; blocks: Block[] }
  /** Text and blocks since the last one are a part. The child waits for `go_on`. */
  | { type: "part" }
  /** A file inside, which lies in the child's folder under this number. */
  | { type: "file"; filename: string; media_type: string | null; number: number }
  | { type: "done"; page_count: number | null; title: string | null; facts: DocumentFacts }
  | { type: "error"; code: ErrorCode; message: string; retryable: boolean }
  /** Resident memory in bytes, unasked, where the parent can't look it up. */
  | { type: "memory"; rss: number };
