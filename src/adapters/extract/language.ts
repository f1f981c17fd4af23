/** Which language a text is in, from a sample of it. Why this library, and when a guess counts: docs/decisions/0014. */

/** Characters of one piece of the sample, which votes as one. */
const PIECE = 250;
/** The most pieces kept: spread over all of the text that came, and at least half as many once there is so much. */
const PIECES = 40;
/** Less than this says too little. A letter of a script that leaves no spaces says as much as three others. */
const LETTERS = 120;
/** Pieces that must agree: below, the text is of several languages, or of none. */
const AGREEING = 0.8;
/** A text too short for several pieces is cut into so many, so that they can disagree. */
const LEAST_PIECES = 3;

export interface LanguageGuess {
  /** More of the text, in any portions. */
  add(text: string): void;
  /** ISO 639; undefined unless it is sure. */
  guess(): Promise<string | undefined>;
}

/** Keeps no more than 10,000 characters, however long the text is. */
export function createLanguageGuess(): LanguageGuess {
  let pieces: string[] = [];
  let open = "";
  /** From the beginning of one piece to that of the next. */
  let stride = PIECE;
  /** Characters yet to be passed over before the next piece. */
  let skip = 0;

  function close(): void {
    pieces.push(open);
    open = "";
    skip = stride - PIECE;
    if (pieces.length < PIECES) return;
    pieces = pieces.filter((_, place) => place % 2 === 0);
    stride *= 2;
  }

  return {
    add(text) {
      let at = 0;
      while (at < text.length) {
        const passed = Math.min(skip, text.length - at);
        skip -= passed;
        at += passed;
        if (skip > 0) return;
        const taken = text.slice(at, at + PIECE - open.length);
        open += taken;
        at += taken.length;
        if (open.length === PIECE) close();
      }
      // The next portion begins with another word.
      if (open !== "") open += "\n";
    },
    guess() {
      return languageOf(open === "" ? pieces : [...pieces, open]);
    },
  };
}

/** Two letters alone: the library's longer ones name groups of languages, and what it knows least. */
async function languageOf(pieces: string[]): Promise<string | undefined> {
  let voters = pieces.map(wordsOf).filter((words) => weightOf(words) >= LETTERS / LEAST_PIECES);
  const all = voters.join(" ");
  if (weightOf(all) < LETTERS) return undefined;
  if (voters.length < LEAST_PIECES) voters = inParts(all, LEAST_PIECES);
  // Loaded only for those that name no language: it takes a moment and some memory.
  const { detect } = await import("tinyld");
  const votes = new Map<string, number>();
  for (const language of voters.map((words) => detect(words))) {
    votes.set(language, (votes.get(language) ?? 0) + 1);
  }
  const [language, agreeing] = [...votes].reduce((best, one) => (one[1] > best[1] ? one : best));
  // Volapük is what it takes lists of short words for.
  return language.length === 2 && language !== "vo" && agreeing >= AGREEING * voters.length
    ? language
    : undefined;
}

/** Numbers, addresses, paths and names from programs are of no language, and look like some. */
const foreign = /\S*(?:[\d@/\\_{}=<>#$]|\p{L}[.:]\p{L}|\p{Ll}\p{Lu})\S*/gu;
const spaceless =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;

/** Whatever is not part of a word: the line of a table alone is taken for a sign of Hindi. */
const between = /[^\p{L}\p{M}'’]+/gu;

function wordsOf(text: string): string {
  return text.replace(foreign, " ").replace(between, " ").trim();
}

function weightOf(words: string): number {
  return (words.match(/\p{L}/gu)?.length ?? 0) + 2 * (words.match(spaceless)?.length ?? 0);
}

/** Parts of about the same length, cut between words where there are spaces. */
function inParts(words: string, count: number): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let part = 1; part <= count; part += 1) {
    const aim = Math.ceil((words.length * part) / count);
    const space = words.indexOf(" ", aim);
    const end = space === -1 || space - aim > 40 ? aim : space;
    parts.push(words.slice(start, end));
    start = end;
  }
  return parts;
}
