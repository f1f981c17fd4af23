/** Fills chunks with atoms, in order, holding no more of them than the next decisions need. */
import type { ChunkDraft } from "../../chunk.ts";
import { innerWordsOf, isInnerWordStart, isSpaceless, wordsOf } from "../sentences.ts";
import { type Atom, BLOCK, INSIDE, SENTENCE, type TableHeader } from "./atoms.ts";
import { type Budget, FULL_ENOUGH } from "./options.ts";
import type { TextWindow } from "./window.ts";

/** Where chunks end, besides between words: at paragraphs and sentences, at sentences, or anywhere. */
export type Cuts = "blocks" | "sentences" | "words";

export interface Packer {
  /** Begins a run of atoms that may share chunks; its chunks belong to the section that begins at `section_start`. */
  open(section_start: number): void;
  add(atoms: Atom[]): void;
  /** Makes the chunks that are certain by now. */
  pack(): void;
  /** Makes the chunks of what is left of the run. */
  close(): void;
  /** Offset of the first character that is still needed; undefined where nothing is. */
  needs(): number | undefined;
}

/** Atoms behind the first needed one are dropped when they are so many and half of all. */
const DROPPED_TOGETHER = 256;

/** The end of the chunk before that begins the next one. `first` is the atom in which it begins. */
interface Overlap {
  start: number;
  tokens: number;
  first: number;
}

interface Begun {
  overlap: Overlap | undefined;
  tokens: number;
  /** The first atom that is not known to fit. */
  fits: number;
}

export function createPacker(
  window: TextWindow,
  budget: Budget,
  cuts: Cuts,
  emit: (chunk: ChunkDraft) => void,
): Packer {
  let section_start = 0;
  let atoms: Atom[] = [];
  /** The first atom that no chunk holds yet. */
  let next = 0;
  /** Where the run's last chunk began, and with which atom. */
  let last: { start: number; first: number } | undefined;
  let begun: Begun | undefined;

  function pack(ended: boolean): void {
    while (next < atoms.length) {
      begun ??= begin();
      let { tokens, fits } = begun;
      while (fits < atoms.length && tokens + atoms[fits]!.tokens <= budget.max)
        tokens += atoms[fits++]!.tokens;
      begun = { ...begun, tokens, fits };
      if (fits === atoms.length && !ended) return;
      const end = fits === atoms.length ? fits : bestCut(Math.max(fits, next + 1), tokens);
      makeChunk(begun.overlap, end);
      begun = undefined;
    }
  }

  function begin(): Begun {
    const overlap = last === undefined ? undefined : overlapBefore(last.start);
    const header = atoms[overlap?.first ?? next]!.header;
    return { overlap, tokens: (overlap?.tokens ?? 0) + (header?.tokens ?? 0), fits: next };
  }

  function makeChunk(overlap: Overlap | undefined, cut: number): void {
    let end = cut;
    let first = overlap?.first ?? next;
    let start = overlap?.start ?? atoms[next]!.start;
    let { header } = atoms[first]!;
    // Counters need not add up: what counts in the end is the chunk as a whole.
    const count = () => {
      const text = window.slice(start, atoms[end - 1]!.end);
      return budget.count(header === null ? text : `${header.text}\n${text}`);
    };
    let token_count = count();
    while (token_count > budget.max) {
      if (start < atoms[next]!.start) {
        first = next;
        start = atoms[next]!.start;
        ({ header } = atoms[next]!);
      } else if (end > next + 1) end = wordEnd(next + Math.max(1, (end - next) >> 1));
      else if (header !== null) header = null;
      else break;
      token_count = count();
    }
    emit(draft(first, start, end, header, token_count));
    last = { start, first };
    next = end;
    forget();
  }

  function draft(
    first: number,
    start: number,
    end: number,
    header: TableHeader | null,
    token_count: number,
  ): ChunkDraft {
    const { page, sheet, heading_path } = atoms[first]!.place;
    const char_end = atoms[end - 1]!.end;
    return {
      text: window.slice(start, char_end),
      page,
      sheet,
      ...rowsOf(first, start, end),
      char_start: start,
      char_end,
      heading_path,
      section_start,
      header: header?.text ?? null,
      token_count,
    };
  }

  /** The rows that a chunk covers, of the sheet on which it begins. */
  function rowsOf(first: number, start: number, end: number) {
    let row_start: number | null = null;
    let row_end: number | null = null;
    for (let index = first; index < end; index++) {
      const atom = atoms[index]!;
      if (atom.row_start === null || atom.place.sheet !== atoms[first]!.place.sheet) continue;
      // An overlap may begin inside its first atom.
      row_start ??= atom.row_start + (index === first ? linesIn(atom.start, start) : 0);
      row_end = atom.row_end;
    }
    return { row_start, row_end };
  }

  function linesIn(from: number, to: number): number {
    return from === to ? 0 : window.slice(from, to).split("\n").length - 1;
  }

  /** Where to end a chunk that could hold the atoms up to `fits`: the first atom left to the next chunk. */
  function bestCut(fits: number, tokens: number): number {
    if (cuts === "words") return wordEnd(fits);
    let sentence: number | undefined;
    let before = tokens; // of the chunk if it ended before `cut`
    for (let cut = fits; cut > next && before >= budget.max * FULL_ENOUGH * 0.5; cut--) {
      const { boundary } = atoms[cut]!;
      if (!atoms[cut - 1]!.leads && boundary >= SENTENCE) {
        if (cuts === "sentences") return cut;
        if (boundary === BLOCK && before >= budget.max * FULL_ENOUGH) return cut;
        sentence ??= cut;
      }
      before -= atoms[cut - 1]!.tokens;
    }
    return sentence ?? wordEnd(fits);
  }

  /** The last place up to `end` that cuts no word; `end` itself where there is none. */
  function wordEnd(end: number): number {
    for (let cut = end; cut > next; cut--) if ((atoms[cut]?.boundary ?? BLOCK) !== INSIDE) return cut;
    return end;
  }

  /** Whole sentences, else whole words. */
  function overlapBefore(chunkStart: number): Overlap | undefined {
    const room = budget.max - atoms[next]!.tokens;
    const limitAt = ({ header }: Atom) => Math.min(budget.overlap, room - (header?.tokens ?? 0));
    let found: Overlap | undefined;
    let tokens = 0;
    for (let index = next - 1; index >= 0; index--) {
      const atom = atoms[index]!;
      tokens += atom.tokens;
      if (tokens > limitAt(atom) || atom.start <= chunkStart) break;
      if (atom.boundary !== INSIDE) found = { start: atom.start, tokens, first: index };
    }
    return found ?? wordsBefore(atoms[next - 1]!, chunkStart, limitAt(atoms[next - 1]!));
  }

  /** The last words of a sentence that is longer than the overlap. */
  function wordsBefore(sentence: Atom, chunkStart: number, limit: number): Overlap | undefined {
    const from = Math.max(sentence.start, sentence.end - limit * 16);
    const run = window.slice(from, sentence.end);
    const words = (isSpaceless(run) ? innerWordsOf : wordsOf)(run, 0, run.length);
    let found: Overlap | undefined;
    let tokens = 0;
    // The first word may be cut: what lies before `from` was not looked at.
    for (let index = words.length - 1; index > 0; index--) {
      const word = words[index]!;
      const start = from + word.start;
      tokens += budget.count(run.slice(word.start, word.end));
      if (tokens > limit || start <= chunkStart) break;
      if (/\s/.test(run[word.start]!)) continue;
      if (/\s/.test(run[word.start - 1]!) || isInnerWordStart(window.text, start - window.base)) {
        found = { start, tokens, first: next - 1 };
      }
    }
    return found;
  }

  /** Lets go of the atoms before the last chunk, from which the next one's overlap is taken. */
  function forget(): void {
    const first = last?.first ?? next;
    if (first < DROPPED_TOGETHER || first * 2 < atoms.length) return;
    atoms.splice(0, first);
    next -= first;
    if (last !== undefined) last.first = 0;
  }

  return {
    open(start) {
      section_start = start;
    },
    add(more) {
      for (const atom of more) atoms.push(atom);
    },
    pack: () => pack(false),
    close() {
      pack(true);
      atoms = [];
      next = 0;
      last = undefined;
      begun = undefined;
    },
    needs: () => last?.start ?? atoms[0]?.start,
  };
}
