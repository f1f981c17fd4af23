/** Blocks → atoms, the smallest pieces that the packing moves: a sentence, a line, or a word where those exceed the budget. */
import type { Block } from "../../chunk.ts";
import {
  characterEnds,
  innerWordsOf,
  isInnerWordStart,
  isSpaceless,
  linesOf,
  type Span,
  sentencesOf,
  wordsOf,
} from "../sentences.ts";
import type { Budget } from "./options.ts";
import type { TextWindow } from "./window.ts";

/** What a cut before an atom would cut through; the higher, the better the place. */
export const INSIDE = 0;
export const WORD = 1;
export const SENTENCE = 2;
export const BLOCK = 3;

/** The lines above the rows of a table, said again in each chunk that begins below them. */
export interface TableHeader {
  text: string;
  tokens: number;
}

/** What the atoms of one block, or of a run of headings, have in common. */
export interface Place {
  page: number | null;
  sheet: string | null;
  heading_path: string[];
}

/** Offsets as in the whole text. */
export interface Atom extends Span {
  tokens: number;
  boundary: number;
  place: Place;
  /** Whether a chunk had better not end with it: a heading, the head of a table. */
  leads: boolean;
  /** Of the table in which it lies, unless it is that header itself. */
  header: TableHeader | null;
  /** Rows of the sheet or file on which it begins and ends; null where they are not known. */
  row_start: number | null;
  row_end: number | null;
}

/** A table's header is said again when it takes no more than this of the budget. */
const HEADER = 0.5;
/** The line that Markdown has below a table's head. */
const RULE = /^\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?$/;

/** Cuts blocks in order; remembers the header of a table that goes on in the next block. */
export function createAtomizer(window: TextWindow, budget: Budget, byWord: boolean) {
  let header: TableHeader | null = null;

  /** The header row and the line below it, where a table has both. */
  function headOf(block: Block, lines: Span[]): Span | undefined {
    const [head, rule] = lines;
    if (block.continues || head === undefined || rule === undefined) return undefined;
    if (!RULE.test(window.text.slice(rule.start, rule.end))) return undefined;
    return { start: head.start, end: rule.end };
  }

  return function atomsOf(block: Block, place: Place): Atom[] {
    const { base, text } = window;
    const [start, end] = [block.char_start - base, block.char_end - base];
    const isTable = block.kind === "table";
    const parts = (isTable || block.kind === "code" ? linesOf : sentencesOf)(text, start, end);
    const head = isTable ? headOf(block, parts) : undefined;
    if (!isTable || !block.continues) header = null;
    const atoms: Atom[] = [];
    const rowAt = createRowCounter(block, text, start, head !== undefined);
    const first = block.continues ? SENTENCE : BLOCK;
    const add: AddAtom = (span, tokens, boundary, leads = block.kind === "heading") => {
      const row_start = rowAt(span.start);
      atoms.push({
        start: base + span.start,
        end: base + span.end,
        tokens,
        boundary: atoms.length === 0 ? first : boundary,
        place,
        leads,
        header,
        row_start,
        row_end: row_start === null ? null : rowAt(span.end),
      });
    };
    if (head !== undefined && !byWord) {
      const source = text.slice(head.start, head.end);
      const tokens = budget.count(source);
      if (tokens <= budget.max * HEADER) {
        add(head, tokens, BLOCK, true);
        header = { text: source, tokens };
        parts.splice(0, 2);
      }
    }
    const limit = { ...budget, max: budget.max - (header?.tokens ?? 0) };
    for (const part of parts) {
      const tokens = budget.count(text.slice(part.start, part.end));
      if (tokens <= limit.max && !byWord) add(part, tokens, SENTENCE);
      else splitSentence(text, part, limit, add);
    }
    return atoms;
  };
}

/** Rows at places that only go forward. The line of dashes below a head is no row. */
function createRowCounter({ row }: Block, text: string, start: number, hasRule: boolean) {
  if (row === undefined) return () => null;
  const lineEnd = (from: number) => {
    const found = text.indexOf("\n", from);
    return found === -1 ? Number.POSITIVE_INFINITY : found;
  };
  let at = hasRule ? row - 1 : row;
  // Looked for once a line: a line may have as many places as it has words.
  let end = lineEnd(start);
  return (place: number): number => {
    for (; end < place; at++) end = lineEnd(end + 1);
    return Math.max(row, at);
  };
}

type AddAtom = (span: Span, tokens: number, boundary: number, leads?: boolean) => void;

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
