/** What extraction yields and chunking makes of it: text, its blocks, and the chunks that searches return. Pure data. */
import { z } from "zod";

/**
 * A piece of a document's structure. Offsets are UTF-16 code units (JavaScript string positions) into the
 * document's extracted text, end exclusive; blocks come in reading order and do not overlap.
 */
export interface Block {
  kind: "heading" | "paragraph" | "list_item" | "table" | "code" | "quote";
  /** Heading level from 1; null for every other kind. */
  level: number | null;
  /** Page on which the block begins, from 1; null where the format has no pages. */
  page: number | null;
  char_start: number;
  char_end: number;
}

/** The outcome of extraction: the whole text and the blocks that point into it. */
export interface ExtractedText {
  text: string;
  blocks: Block[];
  /** Pages; null where the format has none. */
  page_count: number | null;
  title: string | null;
}

export const chunkSchema = z.object({
  chunk_id: z.string(),
  document_id: z.string(),
  version: z.int().positive(),
  ordinal: z.int().nonnegative().describe("place in the document, from 0"),
  text: z.string(),
  page: z.int().positive().nullable(),
  char_start: z.int().nonnegative().describe("into the document's text, UTF-16 code units"),
  char_end: z.int().nonnegative().describe("end, exclusive"),
  heading_path: z.array(z.string()).describe("headings above the chunk, outermost first"),
  token_count: z.int().nonnegative(),
});
/** `text` equals the document's text from `char_start` to `char_end`. */
export type Chunk = z.infer<typeof chunkSchema>;

/** A chunk before it belongs to a version. */
export type ChunkDraft = Omit<Chunk, "chunk_id" | "document_id" | "version" | "ordinal">;
