/** What extraction yields and chunking makes of it: text, its blocks, and the chunks that searches return. Pure data. */
import { z } from "zod";

/**
 * A piece of a document's structure. Offsets are UTF-16 code units (JavaScript string positions) into the
 * document's extracted text, end exclusive; blocks come in reading order and do not overlap.
 */
export interface Block {
  /** `note`: what a slide's speaker is to say, or a comment on a page. */
  kind: "heading" | "paragraph" | "list_item" | "table" | "code" | "quote" | "footnote" | "note";
  /** Heading level from 1; null for every other kind. */
  level: number | null;
  /** Page, slide or sheet on which the block begins, from 1; null where the format has none. */
  page: number | null;
  /** Name of the sheet; absent outside of spreadsheets. */
  sheet?: string;
  /**
   * Row of the block's first line in its sheet or file, from 1; every further line is the next row. A table's first line
   * is its header row, and the line of dashes below it is no row.
   */
  row?: number;
  /**
   * It goes on where the block before ended, the same table or paragraph: cut only because that is long. No more than
   * a line end lies between the two; further lines of a table bring no header row.
   */
  continues?: true;
  char_start: number;
  char_end: number;
}

/** What a document says of itself. */
export interface DocumentFacts {
  author?: string;
  /** ISO 8601, as exact as the document has it. */
  authored_at?: string;
  modified_at?: string;
  /** BCP 47, such as `en` or `pt-BR`. */
  language?: string;
}

/** A file inside a document: what hangs on a mail. */
export interface Attachment {
  filename: string;
  /** As the document declares it; null where it doesn't. */
  media_type: string | null;
  bytes: Uint8Array;
}

/**
 * A stretch of a long document's text, and the blocks that lie in it. The texts of all parts, joined, are the text;
 * offsets of blocks are into that, not into the part.
 */
export interface ExtractedPart {
  text: string;
  blocks: Block[];
}

/** What extraction knows of a document beside its text. */
export interface ExtractedFacts {
  /** Pages, slides or sheets; null where the format has none. */
  page_count: number | null;
  title: string | null;
  facts?: DocumentFacts;
}

/** The outcome of extraction: the text, or what is left of it after the parts that were handed over before. */
export interface ExtractedText extends ExtractedPart, ExtractedFacts {
  /** Files that came inside; the text names them. */
  attachments?: Attachment[];
}

/**
 * How documents are cut into chunks.
 *
 * structure: sections apart, each filled to the budget and cut where a paragraph ends, else a sentence, else a word.
 * fixed: windows of the budget with overlap, cut between any two words, whatever the structure.
 * sentence: whole sentences up to the budget, sections not kept apart.
 * page: a chunk for each page, slide or sheet; by structure where one exceeds the budget or the document has none.
 */
export const chunkStrategies = ["structure", "fixed", "sentence", "page"] as const;
export type ChunkStrategy = (typeof chunkStrategies)[number];

export const chunkSchema = z.object({
  chunk_id: z.string(),
  document_id: z.string(),
  version: z.int().positive(),
  ordinal: z.int().nonnegative().describe("place in the document, from 0"),
  text: z.string(),
  page: z.int().positive().nullable().describe("page, slide or sheet on which the chunk begins"),
  sheet: z.string().nullable().describe("name of that sheet; null outside of spreadsheets"),
  row_start: z
    .int()
    .positive()
    .nullable()
    .describe("first row of the sheet or file that the text covers, from 1; null where rows are not known"),
  row_end: z.int().positive().nullable().describe("last row that it covers"),
  char_start: z.int().nonnegative().describe("into the document's text, UTF-16 code units"),
  char_end: z.int().nonnegative().describe("end, exclusive"),
  heading_path: z.array(z.string()).describe("headings above the chunk, outermost first"),
  section_start: z
    .int()
    .nonnegative()
    .nullable()
    .describe("where the chunk's section begins in the text; null in chunks of earlier versions of Sluice"),
  header: z
    .string()
    .nullable()
    .describe(
      "header lines of the table in whose rows the text begins, where the text itself does not have them",
    ),
  token_count: z.int().nonnegative().describe("of the header and the text"),
});
/** `text` equals the document's text from `char_start` to `char_end`. */
export type Chunk = z.infer<typeof chunkSchema>;

/** What of a chunk is embedded, searched by words and reranked: the text below its table's header. */
export function passageOf({ header, text }: Pick<Chunk, "header" | "text">): string {
  return header === null ? text : `${header}\n${text}`;
}

/** A chunk before it belongs to a version. */
export type ChunkDraft = Omit<Chunk, "chunk_id" | "document_id" | "version" | "ordinal">;
