/**
 * Cuts extracted text into chunks, part by part. Pure and deterministic; time grows with the text's length, and what is
 * held grows with the budget and the longest part only. docs/chunking.md says how it cuts.
 */
import type { Block, ChunkDraft, ExtractedPart } from "../chunk.ts";
import { type Atom, createAtomizer, type Place } from "./chunking/atoms.ts";
import { type ChunkOptions, FULL_ENOUGH, toBudget } from "./chunking/options.ts";
import { createOutline } from "./chunking/outline.ts";
import { createPacker } from "./chunking/packer.ts";
import { createWindow } from "./chunking/window.ts";

export type { ChunkOptions } from "./chunking/options.ts";

export interface Chunker {
  /** Takes the next part. @returns the chunks that are certain by now */
  push(part: ExtractedPart): ChunkDraft[];
  /** @returns what is left */
  end(): ChunkDraft[];
}

/** Text between two blocks that belongs to neither keeps them apart when it takes more than this of the budget. */
const GAP = 1 / 16;
/** So many characters for each token of the budget are more than that without counting. */
const GAP_CHARACTERS = 64;

/** A block as the packer gets it. */
interface Piece {
  atoms: Atom[];
  isHeading: boolean;
  /** Whether it is a heading that follows no other: a section begins with it, where sections are kept apart. */
  begins: boolean;
}

/**
 * The chunks of a text that comes in parts, in order, the same however it was parted.
 *
 * Each is exactly the text from `char_start` to `char_end`, without white space around it. Together they cover every
 * character of every block that is not white space. No word is cut, except one that alone exceeds the budget.
 * `page` is that of the chunk's first character; `heading_path` includes the heading of the chunk's own section.
 *
 * @throws RangeError when max_tokens is below 1 or overlap_tokens below 0
 */
export function createChunker(options: ChunkOptions): Chunker {
  const budget = toBudget(options);
  const { strategy = "structure" } = options;
  const isWhole = strategy === "sentence" || strategy === "fixed";
  const window = createWindow();
  let drafts: ChunkDraft[] = [];
  const cuts = strategy === "fixed" ? "words" : strategy === "sentence" ? "sentences" : "blocks";
  const packer = createPacker(window, budget, cuts, (draft) => drafts.push(draft));
  const atomsOf = createAtomizer(window, budget, strategy === "fixed");
  const outline = createOutline();

  /** Whether a run is open in the packer. */
  let isOpen = false;
  let end = 0;
  /** Whether so much text without a block was seen since `end` that it was let go of. */
  let isFar = false;
  /** Headings without a body between them. */
  let headings: Place[] = [];
  let headingTokens = 0;
  let page: number | null = null;
  let pageStart = 0;
  /** The pieces of a page that may fit into one chunk; undefined outside of such. */
  let held: Piece[] | undefined;
  let heldTokens = 0;

  function feed({ atoms, isHeading, begins }: Piece, start: number): void {
    if (!isOpen || (begins && !isWhole)) {
      packer.close();
      packer.open(isWhole ? 0 : page === null ? start : pageStart);
      isOpen = true;
    }
    // The path of chunks of headings alone ends with the last of them: it is known when another run begins.
    if (begins) packer.pack();
    packer.add(atoms);
    if (!isHeading) packer.pack();
  }

  function endRun(): void {
    releasePage(false);
    packer.close();
    isOpen = false;
  }

  /** @param bySections whether the page exceeds the budget: what came of it is cut by structure, and so is what follows */
  function releasePage(bySections: boolean): void {
    const pieces = held ?? [];
    held = undefined;
    for (const piece of pieces) feed(bySections ? piece : { ...piece, begins: false }, pageStart);
  }

  /** Tokens between the last block and this one. */
  function gapBefore(block: Block): number {
    if (isFar) return Number.POSITIVE_INFINITY;
    const gap = window.slice(end, block.char_start).trim();
    if (gap === "") return 0;
    return gap.length > GAP_CHARACTERS * budget.max ? Number.POSITIVE_INFINITY : budget.count(gap);
  }

  function take(block: Block): void {
    const gap = gapBefore(block);
    isFar = false;
    end = block.char_end;
    // Text that belongs to no block is in no chunk, unless it is but a mark or a comment between two blocks.
    const isApart = gap > budget.max * GAP;
    const turns = strategy === "page" && block.page !== page;
    if (turns || isApart) {
      endRun();
      headings = [];
    }
    if (turns) {
      page = block.page;
      pageStart = block.char_start;
    }
    if (strategy === "page" && page !== null && !isOpen && held === undefined) {
      held = [];
      heldTokens = 0;
    }
    const piece = pieceOf(block);
    const follows = held === undefined ? isOpen && (isWhole || !piece.begins) : held.length > 0;
    if (follows && piece.atoms[0] !== undefined) piece.atoms[0].tokens += gap;
    if (held === undefined) {
      feed(piece, block.char_start);
      return;
    }
    held.push(piece);
    for (const { tokens } of piece.atoms) heldTokens += tokens;
    if (heldTokens > budget.max) releasePage(true);
  }

  function pieceOf(block: Block): Piece {
    const isHeading = block.kind === "heading";
    const source = isHeading ? window.slice(block.char_start, block.char_end) : "";
    if (isHeading) outline.enter(block.level ?? 1, source);
    // A heading without a body of its own joins the next chunk, unless such headings fill it.
    const joins = headings.length > 0 && headingTokens < budget.max * FULL_ENOUGH;
    const heading_path = outline.path();
    const place: Place = { page: block.page, sheet: block.sheet ?? null, heading_path };
    if (!isHeading || !joins) {
      headings = [];
      headingTokens = 0;
    }
    if (isHeading) {
      headings.push(place);
      headingTokens += budget.count(source);
      for (const one of headings) one.heading_path = heading_path;
    }
    return { atoms: atomsOf(block, place), isHeading, begins: isHeading && !joins };
  }

  function forget(): void {
    const rest = window.slice(end, window.end).trim();
    if (rest.length > GAP_CHARACTERS * budget.max) {
      // What follows will be kept apart, whatever it is.
      endRun();
      headings = [];
      isFar = true;
      end = window.end;
    }
    const firstHeld = held?.find(({ atoms }) => atoms.length > 0);
    window.dropBefore(Math.min(packer.needs() ?? end, firstHeld?.atoms[0]?.start ?? end, end));
  }

  function made(): ChunkDraft[] {
    const chunks = drafts;
    drafts = [];
    return chunks;
  }

  return {
    push({ text, blocks }) {
      window.append(text);
      for (const block of blocks) take(block);
      forget();
      return made();
    },
    end() {
      endRun();
      return made();
    },
  };
}

/** The chunks of a text that is there as a whole, as `createChunker` makes them. */
export function chunkText(extracted: ExtractedPart, options: ChunkOptions): ChunkDraft[] {
  const chunker = createChunker(options);
  return [...chunker.push(extracted), ...chunker.end()];
}
