/** What keyword searches take for words, the same whichever database looks for them. */
import type { IndexEntry } from "../ports/vector-index.ts";

const WORD = /[\p{L}\p{N}\p{M}\p{Co}]+/gu;
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const SPACELESS_RUNS = new RegExp(`${SPACELESS.source}+`, "gu");

/** The most words of a query that are looked for. */
const MAX_QUERY_WORDS = 64;

/** English words that say little of what is asked for, and what splitting at apostrophes leaves over. */
const stopWords = new Set(
  (
    "a about after all also am an and any are as at be been before being between both but by can could d did do does " +
    "doing each few for from had has have having he her hers him his how i if in into is it its just ll m may me might " +
    "more most must my no nor not of off on once only or other our ours out over own re s same she should so some such " +
    "t than that the their theirs them then there these they this those through to too under until up us ve very was " +
    "we were what when where which while who whom whose why will with would you your yours"
  ).split(" "),
);

/**
 * Text with the words of scripts that leave no spaces (Chinese, Japanese, Thai …) set apart: in their place stand each
 * of their characters, and each two neighbours as one word. So a part of such a run can be found.
 */
export function separateWords(text: string): string {
  if (!SPACELESS.test(text)) return text;
  return text.replace(SPACELESS_RUNS, (run) => {
    const characters = [...run];
    const pairs = characters.slice(1).map((character, place) => `${characters[place]}${character}`);
    return ` ${[...characters, ...pairs].join(" ")} `;
  });
}

/**
 * By what an entry's document is called: the file name, its title and author. A title that stands among the headings above
 * the chunk is left out: most are taken from there, and its words count there already.
 */
export function namesOf({ chunk, filename, about }: IndexEntry): string {
  const title = about?.title ?? "";
  return [filename, chunk.heading_path.includes(title) ? "" : title, about?.author]
    .filter((name) => name)
    .join(" ");
}

/** The words of a text, as they stand in it. */
export function wordsOf(text: string): string[] {
  return separateWords(text).match(WORD) ?? [];
}

/**
 * The words to look for, each once: without stop words, unless there is nothing else, and of scripts that leave no
 * spaces the pairs of neighbours, since a single character says little.
 */
export function queryWordsOf(query: string): string[] {
  const words = (query.match(WORD) ?? []).flatMap((word) => {
    const own = wordsOf(word);
    if (own.length === 1) return own;
    return own.filter((part) => !(SPACELESS.test(part) && [...part].length === 1 && isPaired(part, own)));
  });
  const distinct = [...new Map(words.map((word) => [word.toLowerCase(), word])).values()];
  const telling = distinct.filter((word) => !stopWords.has(word.toLowerCase()));
  return (telling.length > 0 ? telling : distinct).slice(0, MAX_QUERY_WORDS);
}

/** Whether a character is looked for as part of a pair anyway. */
function isPaired(character: string, words: readonly string[]): boolean {
  return words.some((word) => word !== character && word.includes(character));
}
