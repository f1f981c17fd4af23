/**
 * Text as PostgreSQL's full-text index keeps it. The words are found here and handed over ready made: what a word is
 * must not hang on the server's locale, and be the same as with SQLite. English ones lose their endings in the database
 * (`stem_words`), which brings a dictionary for that.
 */
import { queryWordsOf, wordsOf } from "../keywords.ts";

/** A tsvector holds no greater position. */
const MAX_POSITION = 16_383;
/** Bytes; a lexeme holds 2,046. */
const MAX_LEXEME = 500;
const MAX_POSITIONS = 255;

/** The word under which it is found: in small letters, Latin accents dropped. */
function fold(word: string): string {
  const plain = word
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .normalize("NFC")
    .toLowerCase();
  return plain.slice(0, MAX_LEXEME / 4).toWellFormed();
}

function folded(words: string[]): string[] {
  return words.map(fold).filter((word) => word !== "");
}

/** No word of a text has a sign in it, so none is mistaken for this. */
function tenantLexeme(tenant_id: string): string {
  return `=${tenant_id}`;
}

function quote(lexeme: string): string {
  return `'${lexeme.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** A tsvector: words of the text with weight A, of its headings and names (`namesOf`) with D, and the tenant. */
export function toTsvector(tenant_id: string, text: string, headings: string, names: string): string {
  const places = new Map<string, string[]>();
  let position = 0;
  for (const [source, weight] of [
    [text, "A"],
    [headings, "D"],
    [names, "D"],
  ] as const) {
    for (const word of folded(wordsOf(source))) {
      position = Math.min(MAX_POSITION, position + 1);
      const known = places.get(word) ?? [];
      if (known.length < MAX_POSITIONS && known.at(-1) !== `${position}${weight}`)
        known.push(`${position}${weight}`);
      places.set(word, known);
    }
  }
  const lexemes = [...places].map(([word, at]) => `${quote(word)}:${at.join(",")}`);
  return [quote(tenantLexeme(tenant_id)), ...lexemes].join(" ");
}

/** The words to look for. None when there is no word in it. */
export function toQueryWords(query: string): string[] {
  return [...new Set(folded(queryWordsOf(query)))];
}
