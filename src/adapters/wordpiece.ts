/**
 * BERT's uncased tokenizer: words without accents and case, punctuation marks and CJK ideographs each by itself, then the
 * longest pieces of the vocabulary from the left (WordPiece). models/build/tokenizer.py does the very same.
 */

const IGNORED = 0;
const LETTER = 1;
const SPACE = 2;
/** A word of its own. */
const ALONE = 3;

const LONGEST_WORD = 100;
/** Words whose pieces are remembered: most of any text are the same few thousand. */
const REMEMBERED = 100_000;
/** Longer words are rare, and as slices they would keep the whole text in memory from which they were cut. */
const LONGEST_REMEMBERED = 12;

export interface Tokenizer {
  /** Calls `take` with the place in the vocabulary of each token of the text. */
  encode(text: string, take: (token: number) => void): void;
  /** How many tokens the text has. */
  count(text: string): number;
}

/** @param vocabulary pieces in order; those that go on a word begin with "##". MUST have "[UNK]" */
export function createTokenizer(vocabulary: string[]): Tokenizer {
  const first = new Map<string, number>();
  /** Pieces that go on a word, without their marks. */
  const further = new Map<string, number>();
  for (const [place, piece] of vocabulary.entries()) {
    first.set(piece, place);
    if (piece.startsWith("##")) further.set(piece.slice(2), place);
  }
  const unknown = first.get("[UNK]");
  if (unknown === undefined) throw new Error("the vocabulary has no [UNK]");
  const [longestFirst, longestFurther] = [longestOf(first.keys()), longestOf(further.keys())];
  const classes = classifyAll();
  let remembered = new Map<string, readonly number[]>();

  function piecesOf(word: string): readonly number[] {
    if (word.length > LONGEST_REMEMBERED || (word.length > 4 && isDigit(word))) return split(word);
    const known = remembered.get(word);
    if (known) return known;
    const pieces = split(word);
    if (remembered.size >= REMEMBERED) remembered = new Map();
    remembered.set(word, pieces);
    return pieces;
  }

  function split(word: string): readonly number[] {
    const none = [unknown as number];
    // As many letters as code units, mostly: then none needs to be told from its neighbour.
    if (word.length > LONGEST_WORD && [...word].length > LONGEST_WORD) return none;
    const pieces: number[] = [];
    for (let start = 0; start < word.length; ) {
      const longest = start === 0 ? longestFirst : longestFurther;
      let end = Math.min(word.length, start + (longest[word.charCodeAt(start)] as number));
      let place: number | undefined;
      for (; end > start; end -= 1) {
        place = (start === 0 ? first : further).get(word.slice(start, end));
        if (place !== undefined) break;
      }
      if (place === undefined) return none;
      pieces.push(place);
      start = end;
    }
    return pieces;
  }

  /** Calls `take` with the pieces of each word. */
  function words(text: string, take: (pieces: readonly number[]) => void): void {
    const folded = text.toLowerCase().normalize("NFD");
    let word = "";
    /** Where a run of letters that need no change began; -1 outside of one. */
    let began = -1;
    const end = (place: number) => {
      if (began >= 0) word += folded.slice(began, place);
      began = -1;
      if (word === "") return;
      take(piecesOf(word));
      word = "";
    };
    for (let place = 0; place < folded.length; ) {
      const code = folded.codePointAt(place) as number;
      const size = code > 0xffff ? 2 : 1;
      const kind = code > 0xffff ? classify(code) : (classes[code] as number);
      if (kind === LETTER) {
        if (began < 0) began = place;
      } else if (kind === IGNORED) {
        if (began >= 0) word += folded.slice(began, place);
        began = -1;
      } else {
        end(place);
        if (kind === ALONE) take(piecesOf(folded.slice(place, place + size)));
      }
      place += size;
    }
    end(folded.length);
  }

  return {
    encode(text, take) {
      words(text, (pieces) => {
        for (const token of pieces) take(token);
      });
    },
    count(text) {
      let count = 0;
      words(text, (pieces) => {
        count += pieces.length;
      });
      return count;
    },
  };
}

/** By the first code unit of pieces: how long the longest of them is. Of numbers, few pieces have more than two digits. */
function longestOf(pieces: Iterable<string>): Uint8Array {
  const longest = new Uint8Array(0x10000);
  for (const piece of pieces) {
    const code = piece.charCodeAt(0);
    longest[code] = Math.max(longest[code] as number, piece.length);
  }
  return longest;
}

/** Whether a word begins with a digit: long numbers are seldom met twice. */
function isDigit(word: string): boolean {
  const code = word.charCodeAt(0);
  return code >= 48 && code <= 57;
}

function classifyAll(): Uint8Array {
  const classes = new Uint8Array(0x10000);
  for (let code = 0; code < classes.length; code += 1) classes[code] = classify(code);
  return classes;
}

function classify(code: number): number {
  const char = String.fromCodePoint(code);
  if (/[\t\n\r]|\p{Zs}/u.test(char)) return SPACE;
  if (/\p{Mn}|\p{C}/u.test(char)) return IGNORED;
  // Of ASCII every sign that is neither letter nor digit, as BERT has it.
  if (/[!-/:-@[-`{-~]|\p{P}/u.test(char) || isIdeograph(code)) return ALONE;
  return LETTER;
}

function isIdeograph(code: number): boolean {
  return (
    (code >= 0x4e00 && code <= 0x9fff) ||
    (code >= 0x3400 && code <= 0x4dbf) ||
    (code >= 0x20000 && code <= 0x2a6df) ||
    (code >= 0x2a700 && code <= 0x2b81f) ||
    (code >= 0x2b820 && code <= 0x2ceaf) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0x2f800 && code <= 0x2fa1f)
  );
}
