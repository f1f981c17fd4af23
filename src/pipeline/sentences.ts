/** Where a text may be cut: sentences, then words, then, for words beyond any budget, characters. Pure. */

/** A piece of the text, without white space around it. Offsets as in the whole text. */
export interface Span {
  start: number;
  end: number;
}

// Made on first use: building one costs milliseconds, and importing this file should cost none.
const segmenters = new Map<string, Intl.Segmenter>();
function segmenter(granularity: "sentence" | "word" | "grapheme"): Intl.Segmenter {
  let found = segmenters.get(granularity);
  if (found === undefined) {
    found = new Intl.Segmenter("en", { granularity });
    segmenters.set(granularity, found);
  }
  return found;
}

/** Ends that look like a sentence's but are not: titles, initials, references. */
const abbreviation =
  /(?:^|[\s(])(?:\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|etc|cf|ca|Fig|Figs|No|Nr|Vol|pp?|ed|eds|e\.g|i\.e|z\.B|d\.h|u\.a|bzw|al|Inc|Ltd|Corp|Co|U\.S|U\.K|U\.N)\.\s+$/u;

/**
 * Sentences of prose. Line ends inside a paragraph are only spaces here: text is often wrapped by hand.
 */
export function sentencesOf(text: string, start: number, end: number): Span[] {
  // The replacement keeps every position.
  const prose = text.slice(start, end).replace(/[\n\r\v\f\x85\u2028\u2029]/g, " ");
  const spans: Span[] = [];
  let from = 0;
  for (const { index, segment } of segmenter("sentence").segment(prose)) {
    const to = index + segment.length;
    const tail = prose.slice(Math.max(from, to - 16), to);
    if (to < prose.length && (abbreviation.test(tail) || isInsideRun(prose, to))) continue;
    pushTrimmed(spans, text, start + from, start + to);
    from = to;
  }
  pushTrimmed(spans, text, start + from, end);
  return spans;
}

/** A question mark inside an address ends no sentence. Scripts without spaces end theirs with signs of their own. */
function isInsideRun(prose: string, index: number): boolean {
  if (/\s/.test(prose[index - 1]!)) return false;
  return !/[。．！？｡」』）]/.test(prose[index - 1]!) && !isSpaceless(prose[index]!);
}

/** Lines, for text whose line ends mean something: tables and code. */
export function linesOf(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  let from = start;
  while (from < end) {
    const found = text.indexOf("\n", from);
    const to = found === -1 || found >= end ? end : found + 1;
    pushTrimmed(spans, text, from, to);
    from = to;
  }
  return spans;
}

/** Runs of characters that are not white space. */
export function wordsOf(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  const pattern = /\S+/g;
  const part = text.slice(start, end);
  for (let match = pattern.exec(part); match !== null; match = pattern.exec(part)) {
    spans.push({ start: start + match.index, end: start + match.index + match[0].length });
  }
  return spans;
}

/** Scripts that put no spaces between words. */
const spaceless =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

export function isSpaceless(text: string): boolean {
  return spaceless.test(text);
}

/** Whether a word of such a script, or a letter right after one, begins here: there a cut goes through no word. */
export function isInnerWordStart(text: string, index: number): boolean {
  const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
  if (isSpaceless(character)) return true;
  return /[\p{L}\p{N}]/u.test(character) && isSpaceless(text.slice(Math.max(0, index - 2), index));
}

/** The words inside a run without white space: those of Chinese or Thai, the parts of an address. */
export function innerWordsOf(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  for (const { index, segment } of segmenter("word").segment(text.slice(start, end))) {
    spans.push({ start: start + index, end: start + index + segment.length });
  }
  return spans;
}

/** Where the characters that a reader sees end, in order. A generator: the whole of a huge word is never needed. */
export function* characterEnds(text: string, start: number, end: number): Generator<number> {
  // Segmenting in windows keeps the cost even for a word of megabytes. ASCII needs no segmenter at all.
  const WINDOW = 1024;
  let at = start;
  while (at < end) {
    const window = text.slice(at, Math.min(end, at + WINDOW));
    const isLast = at + window.length >= end;
    // One more, since a mark that follows the window would belong to its last letter.
    if (isAscii(text.slice(at, Math.min(end, at + WINDOW + 1)))) {
      for (let index = 0; index < window.length; index++) yield ++at;
      continue;
    }
    let last = 0;
    for (const { index } of segmenter("grapheme").segment(window)) {
      if (index > 0) yield at + index;
      last = index;
    }
    if (isLast) {
      yield end;
      return;
    }
    if (last === 0) {
      // One character of a thousand code units is somebody's joke: cut it, but not inside a surrogate pair.
      at += isPairSplit(text, at + window.length) ? window.length - 1 : window.length;
      yield at;
    } else {
      // The last character of the window may go on beyond it.
      at += last;
    }
  }
}

function isPairSplit(text: string, index: number): boolean {
  const before = text.charCodeAt(index - 1);
  const after = text.charCodeAt(index);
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false;
  return true;
}

function pushTrimmed(spans: Span[], text: string, start: number, end: number): void {
  const part = text.slice(start, end);
  const left = part.length - part.trimStart().length;
  const right = part.trimEnd().length;
  if (right > left) spans.push({ start: start + left, end: start + right });
}
