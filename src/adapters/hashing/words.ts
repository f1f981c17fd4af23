/** How the hashing embedder sees words: folding, character classes, stop words and a small stemmer. */

/**
 * Lower case without diacritics: "Études" and "etudes" become the same. Compatibility forms are resolved too (the
 * ligature "ﬁ" becomes "fi"). Marks of other scripts than Latin, Greek and Cyrillic stay.
 */
export function fold(text: string): string {
  if (!/[\u0080-\uffff]/.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .normalize("NFC");
}

export const GAP = 1;
export const LETTER = 2;
/** A character that is a word of its own: scripts written without spaces between words. */
export const LONE = 3;

/** The class of a code point: GAP, LETTER (digits too) or LONE. */
export function classify(codePoint: number): number {
  const character = String.fromCodePoint(codePoint);
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(character)) return LONE;
  return /[\p{L}\p{N}\p{M}]/u.test(character) ? LETTER : GAP;
}

/** English words that say little about what a text is about, and what splitting at apostrophes leaves over. */
export const stopWords = (
  "a about after all also an and any are as at be because been before being between both but by can could d did " +
  "do does doing don down during each few for from further had has have having he her here him his how i if in " +
  "into is it its just ll m may me might more most must my no nor not of off on once only or other our out over " +
  "own re s same she should so some such t than that the their them then there these they this those through to " +
  "too under until up ve very was we were what when where which while who whom why will with would you your"
).split(" ");

const code = (letter: string) => letter.charCodeAt(0);
const [E, L, S, Y, Z] = [code("e"), code("l"), code("s"), code("y"), code("z")];

/**
 * Takes common English endings off the word that lies in `word` from `start`, in place: plural -s, -es and -ies,
 * -ing, -ed and -ied, a doubled consonant before them, and a final -e. At least three letters stay. It is far
 * simpler than a real stemmer; all it must do is give the forms of one word the same remainder most of the time.
 *
 * @returns the new length
 */
export function stem(word: Uint16Array, start: number, length: number): number {
  let end = start + length;
  const ends = (suffix: string): boolean => {
    const from = end - suffix.length;
    if (from < start) return false;
    for (let i = 0; i < suffix.length; i++) if (word[from + i] !== suffix.charCodeAt(i)) return false;
    return true;
  };
  const toY = (): void => {
    end -= 2;
    word[end - 1] = Y;
  };
  const cut = (suffix: number): boolean => {
    if (!hasVowel(word, start, end - suffix)) return false;
    end -= suffix;
    const last = word[end - 1] as number;
    if (last === word[end - 2] && last !== L && last !== S && last !== Z && !isVowel(last)) end--;
    return true;
  };
  // Until nothing changes, so that "embedding", "embedded" and "embed" end alike.
  for (let changed = true; changed; ) {
    changed = false;
    const size = end - start;
    if (size >= 5 && (ends("ies") || ends("ied"))) {
      toY();
      changed = true;
    } else if (size >= 4 && word[end - 1] === S && !ends("ss") && !ends("us") && !ends("is")) {
      end--;
      changed = true;
    } else if (size >= 6 && ends("ing")) {
      changed = cut(3);
    } else if (size >= 5 && ends("ed") && !ends("eed")) {
      changed = cut(2);
    }
  }
  if (end - start >= 4 && word[end - 1] === E) end--;
  return end - start;
}

function isVowel(character: number): boolean {
  // a, e, i, o, u, y
  return (
    character === 97 ||
    character === E ||
    character === 105 ||
    character === 111 ||
    character === 117 ||
    character === Y
  );
}

function hasVowel(word: Uint16Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (isVowel(word[i] as number)) return true;
  return false;
}
