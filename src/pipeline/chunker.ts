/**
 * Cuts extracted text into chunks along its structure. Pure and deterministic; time grows with the text's length.
 *
 * A heading begins a new chunk and stays with what follows it. Within a section, chunks are filled up to the budget
 * and end where a paragraph ends, else a sentence, else a word.
 */
import type { Block, ChunkDraft, ExtractedText } from "../chunk.ts";
import type { ChunkStrategy } from "../collection.ts";
import {
  characterEnds,
  innerWordsOf,
  isInnerWordStart,
  isSpaceless,
  linesOf,
  type Span,
  sentencesOf,
  wordsOf,
} from "./sentences.ts";
import { estimateTokens } from "./tokens.ts";

export { estimateTokens } from "./tokens.ts";

export interface ChunkOptions {
  /** The most tokens in one chunk, overlap included. */
  max_tokens: number;
  /** Up to so many tokens of a chunk's end begin the next one of its section. More than half of max_tokens counts as half. */
  overlap_tokens: number;
  /** Where chunks begin and end; default "structure". */
  strategy?: ChunkStrategy;
  /** Whether title and headings go before the text that is embedded; default false. */
  contextual_header?: boolean;
  /** How tokens are counted; default `estimateTokens`. Should be cheap: every part is counted about twice. */
  count_tokens?: (text: string) => number;
}

/** What a cut before an atom would cut through; the higher, the better the place. */
const INSIDE = 0;
const WORD = 1;
const SENTENCE = 2;
const BLOCK = 3;

/** The smallest piece that the packing moves: a sentence, a line, or a word where those exceed the budget. */
interface Atom extends Span {
  tokens: number;
  boundary: number;
  page: number | null;
  isHeading: boolean;
}

interface Section {
  heading_path: string[];
  blocks: Block[];
}

interface Budget {
  max: number;
  overlap: number;
  count: (text: string) => number;
}

/** A chunk that ends at a paragraph must be at least this full, one that ends at a sentence half of that. */
const FULL_ENOUGH = 0.5;
/** Text between two blocks that belongs to neither keeps them apart when it takes more than this of the budget. */
const GAP = 1 / 16;

/**
 * The chunks of a text, in order.
 *
 * Each is exactly the text from `char_start` to `char_end`, without white space around it. Together they cover every
 * character of every block that is not white space. No word is cut, except one that alone exceeds the budget.
 * `page` is that of the chunk's first character; `heading_path` includes the heading of the chunk's own section.
 *
 * @throws RangeError when max_tokens is below 1 or overlap_tokens below 0
 */
export function chunkText(extracted: ExtractedText, options: ChunkOptions): ChunkDraft[] {
  const { max_tokens, overlap_tokens, count_tokens = estimateTokens } = options;
  if (!(max_tokens >= 1)) throw new RangeError(`max_tokens must be at least 1, not ${max_tokens}`);
  if (!(overlap_tokens >= 0))
    throw new RangeError(`overlap_tokens must be at least 0, not ${overlap_tokens}`);
  const budget: Budget = {
    max: max_tokens,
    overlap: Math.min(overlap_tokens, Math.floor(max_tokens / 2)),
    count: count_tokens,
  };
  const chunks: ChunkDraft[] = [];
  for (const section of sectionsOf(extracted, budget)) {
    const atoms = section.blocks.flatMap((block, index) => {
      const atoms = atomsOf(extracted.text, block, budget);
      const before = section.blocks[index - 1];
      const gap = before === undefined ? "" : extracted.text.slice(before.char_end, block.char_start).trim();
      if (gap !== "" && atoms[0] !== undefined) atoms[0].tokens += budget.count(gap);
      return atoms;
    });
    pack(extracted.text, atoms, section.heading_path, budget, chunks);
  }
  return chunks;
}

/** Runs of blocks that may share a chunk. */
function sectionsOf({ text, blocks }: ExtractedText, budget: Budget): Section[] {
  const sections: Section[] = [];
  const stack: { level: number; title: string }[] = [];
  let open: Section | undefined;
  let headingTokens = 0;
  let end = 0;
  for (const block of blocks) {
    const isHeading = block.kind === "heading";
    // Text that belongs to no block is in no chunk, unless it is but a mark or a comment between two blocks.
    const gap = text.slice(end, block.char_start).trim();
    const isApart = gap !== "" && budget.count(gap) > budget.max * GAP;
    end = block.char_end;
    if (isHeading) {
      const level = block.level ?? 1;
      while (stack.length > 0 && stack.at(-1)!.level >= level) stack.pop();
      stack.push({ level, title: headingTitle(text.slice(block.char_start, block.char_end)) });
    }
    // A heading without a body of its own joins the next chunk, unless such headings fill it.
    const joins = open?.blocks.at(-1)?.kind === "heading" && headingTokens < budget.max * FULL_ENOUGH;
    if (open === undefined || isApart || (isHeading && !joins)) {
      open = { heading_path: [], blocks: [] };
      headingTokens = 0;
      sections.push(open);
    }
    if (isHeading || open.blocks.length === 0) {
      open.heading_path = stack.map(({ title }) => title).filter((title) => title !== "");
    }
    open.blocks.push(block);
    if (isHeading) headingTokens += budget.count(text.slice(block.char_start, block.char_end));
    else headingTokens = 0;
  }
  return sections;
}

/** A heading's words alone: Markdown keeps its marks in the text. */
function headingTitle(source: string): string {
  return source
    .replace(/\n[ \t]*(=+|-+)\s*$/, "")
    .replace(/^\s*#{1,6}(?=\s)/, "")
    .replace(/\s#+\s*$/, "")
    .replace(/\s+/g, " ")
    .trim();
}

function atomsOf(text: string, block: Block, budget: Budget): Atom[] {
  const byLine = block.kind === "table" || block.kind === "code";
  const parts = (byLine ? linesOf : sentencesOf)(text, block.char_start, block.char_end);
  const atoms: Atom[] = [];
  const add = (span: Span, tokens: number, boundary: number) => {
    atoms.push({
      ...span,
      tokens,
      boundary: atoms.length === 0 ? BLOCK : boundary,
      page: block.page,
      isHeading: block.kind === "heading",
    });
  };
  for (const part of parts) {
    const tokens = budget.count(text.slice(part.start, part.end));
    if (tokens <= budget.max) add(part, tokens, SENTENCE);
    else splitSentence(text, part, budget, add);
  }
  return atoms;
}

type AddAtom = (span: Span, tokens: number, boundary: number) => void;

/** Words of a sentence that exceeds the budget; pieces of a word that does. */
function splitSentence(text: string, sentence: Span, budget: Budget, add: AddAtom): void {
  let boundary = SENTENCE;
  for (const word of wordsOf(text, sentence.start, sentence.end)) {
    const run = text.slice(word.start, word.end);
    const tokens = budget.count(run);
    const spaceless = isSpaceless(run);
    if (tokens <= budget.max && !spaceless) {
      add(word, tokens, boundary);
    } else {
      for (const inner of innerWordsOf(text, word.start, word.end)) {
        const innerTokens = budget.count(text.slice(inner.start, inner.end));
        const before = innerBoundary(text, word, inner, boundary);
        if (innerTokens <= budget.max) add(inner, innerTokens, before);
        else splitWord(text, inner, budget, before, add);
      }
    }
    boundary = WORD;
  }
}

function innerBoundary(text: string, word: Span, inner: Span, boundary: number): number {
  if (inner.start === word.start) return boundary;
  return isInnerWordStart(text, inner.start) ? WORD : INSIDE;
}

/** The longest runs of characters that the budget allows. */
function splitWord(text: string, word: Span, budget: Budget, before: number, add: AddAtom): void {
  const ends = characterEnds(text, word.start, word.end);
  let ahead: number[] = [];
  const has = (characters: number) => {
    while (ahead.length < characters) {
      const { value, done } = ends.next();
      if (done === true) return false;
      ahead.push(value);
    }
    return true;
  };
  let start = word.start;
  let boundary = before;
  const tokensOf = (characters: number) => budget.count(text.slice(start, ahead[characters - 1]));
  while (has(1)) {
    // Doubling, then halving the step: few counts, and none of them over much more than the piece.
    let fits = 1;
    while (has(2 * fits) && tokensOf(2 * fits) <= budget.max) fits *= 2;
    let exceeds = Math.min(2 * fits, ahead.length + 1);
    while (exceeds - fits > 1) {
      const middle = (fits + exceeds) >> 1;
      if (tokensOf(middle) <= budget.max) fits = middle;
      else exceeds = middle;
    }
    add({ start, end: ahead[fits - 1]! }, tokensOf(fits), boundary);
    boundary = INSIDE;
    start = ahead[fits - 1]!;
    ahead = ahead.slice(fits);
  }
}

/** Fills chunks with atoms, in order. */
function pack(
  text: string,
  atoms: Atom[],
  heading_path: string[],
  budget: Budget,
  chunks: ChunkDraft[],
): void {
  let next = 0; // the first atom that no chunk holds yet
  let overlap: Overlap | undefined;
  while (next < atoms.length) {
    let tokens = overlap?.tokens ?? 0;
    let fits = next;
    while (fits < atoms.length && tokens + atoms[fits]!.tokens <= budget.max) tokens += atoms[fits++]!.tokens;
    let end = fits === atoms.length ? fits : bestCut(atoms, next, Math.max(fits, next + 1), tokens, budget);

    // Counters need not add up: what counts in the end is the chunk as a whole.
    let start = overlap?.start ?? atoms[next]!.start;
    let page = overlap === undefined ? atoms[next]!.page : overlap.page;
    let token_count = budget.count(text.slice(start, atoms[end - 1]!.end));
    while (token_count > budget.max) {
      if (start < atoms[next]!.start) {
        start = atoms[next]!.start;
        page = atoms[next]!.page;
      } else if (end > next + 1) {
        end = wordEnd(atoms, next, next + Math.max(1, (end - next) >> 1));
      } else {
        break;
      }
      token_count = budget.count(text.slice(start, atoms[end - 1]!.end));
    }
    const char_end = atoms[end - 1]!.end;
    chunks.push({
      text: text.slice(start, char_end),
      page,
      char_start: start,
      char_end,
      heading_path,
      token_count,
    });
    next = end;
    overlap = next < atoms.length ? overlapBefore(text, atoms, next, start, budget) : undefined;
  }
}

/** Where to end a chunk that could hold the atoms up to `fits`: the number of the first atom left to the next chunk. */
function bestCut(atoms: Atom[], next: number, fits: number, tokens: number, budget: Budget): number {
  let sentence: number | undefined;
  let before = tokens; // of the chunk if it ended before `cut`
  for (let cut = fits; cut > next && before >= budget.max * FULL_ENOUGH * 0.5; cut--) {
    const place = atoms[cut]!;
    if (!atoms[cut - 1]!.isHeading) {
      if (place.boundary === BLOCK && before >= budget.max * FULL_ENOUGH) return cut;
      if (place.boundary >= SENTENCE) sentence ??= cut;
    }
    before -= atoms[cut - 1]!.tokens;
  }
  return sentence ?? wordEnd(atoms, next, fits);
}

/** The last place up to `end` that cuts no word; `end` itself where there is none. */
function wordEnd(atoms: Atom[], next: number, end: number): number {
  for (let cut = end; cut > next; cut--) if ((atoms[cut]?.boundary ?? BLOCK) !== INSIDE) return cut;
  return end;
}

interface Overlap {
  start: number;
  tokens: number;
  page: number | null;
}

/** The end of the chunk before that begins the next one: whole sentences, else whole words. */
function overlapBefore(
  text: string,
  atoms: Atom[],
  next: number,
  chunkStart: number,
  budget: Budget,
): Overlap | undefined {
  const limit = Math.min(budget.overlap, budget.max - atoms[next]!.tokens);
  let found: Overlap | undefined;
  let tokens = 0;
  for (let index = next - 1; index >= 0; index--) {
    const atom = atoms[index]!;
    tokens += atom.tokens;
    if (tokens > limit || atom.start <= chunkStart) break;
    if (atom.boundary !== INSIDE) found = { start: atom.start, tokens, page: atom.page };
  }
  return found ?? wordsBefore(text, atoms[next - 1]!, chunkStart, limit, budget);
}

/** The last words of a sentence that is longer than the overlap. */
function wordsBefore(
  text: string,
  sentence: Atom,
  chunkStart: number,
  limit: number,
  budget: Budget,
): Overlap | undefined {
  const from = Math.max(sentence.start, sentence.end - limit * 16);
  const run = text.slice(from, sentence.end);
  const words = isSpaceless(run) ? innerWordsOf(text, from, sentence.end) : wordsOf(text, from, sentence.end);
  let found: Overlap | undefined;
  let tokens = 0;
  // The first word may be cut: what lies before `from` was not looked at.
  for (let index = words.length - 1; index > 0; index--) {
    const start = words[index]!.start;
    tokens += budget.count(text.slice(start, words[index]!.end));
    if (tokens > limit || start <= chunkStart) break;
    if (/\s/.test(text[start]!)) continue;
    if (/\s/.test(text[start - 1]!) || isInnerWordStart(text, start)) {
      found = { start, tokens, page: sentence.page };
    }
  }
  return found;
}
