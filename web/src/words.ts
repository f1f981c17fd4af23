/** Small texts: sizes, durations, kinds of file, and which words of a passage a query meant. Pure. */

import type { About } from "../../src/about.ts";
import { queryWordsOf } from "../../src/adapters/keywords.ts";
import type { Match } from "../../src/search/fuse.ts";

// A number and its unit never part at the end of a line: U+00A0 is a space that does not break.

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes}\u00a0B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1_000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}\u00a0${units[unit]}`;
}

export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1) return "under 1\u00a0ms";
  if (milliseconds < 1_000) return `${Math.round(milliseconds)}\u00a0ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)}\u00a0s`;
  const seconds = Math.round(milliseconds / 1_000);
  return `${Math.floor(seconds / 60)}\u00a0min ${seconds % 60}\u00a0s`;
}

export function plural(count: number, word: string): string {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

/** A short name for a kind of file, such as PDF. */
export function kindOf(media_type: string, filename: string): string {
  const known: Record<string, string> = {
    "application/pdf": "PDF",
    "text/markdown": "MD",
    "text/html": "HTML",
    "text/plain": "TXT",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
  };
  const extension = /\.([A-Za-z0-9]{1,4})$/.exec(filename)?.[1]?.toUpperCase();
  return known[media_type] ?? extension ?? "FILE";
}

/** All that a document says of itself, piece by piece. */
export function aboutWords(about: About, media_type: string): string[] {
  const { title, author, authored_at, language, page_count } = about;
  const by = [author, authored_at?.slice(0, 10)].filter(Boolean).join(", ");
  return [
    [title, by].filter(Boolean).join(" — "),
    language === null ? "" : languageName(language),
    page_count === null ? "" : plural(page_count, pageWord(media_type)),
  ].filter(Boolean);
}

const languageNames = new Intl.DisplayNames("en", { type: "language" });

/** A language by its name: `pt-BR` is Brazilian Portuguese. */
export function languageName(tag: string): string {
  try {
    return languageNames.of(tag) ?? tag;
  } catch {
    return tag; // Not every extractor checks what it found.
  }
}

/** What the pages of such a document are called. */
export function pageWord(media_type: string): string {
  if (/presentation|powerpoint/.test(media_type)) return "slide";
  return /spreadsheet|excel/.test(media_type) ? "sheet" : "page";
}

/** Three digits that tell something, without powers of ten. */
export function formatScore(score: number): string {
  return String(Number(score.toPrecision(3)));
}

/** Such as `by meaning #2 (0.71), by words #1 (12.3)`. */
export function matchWords({ vector, keyword }: Match): string {
  const told = (name: string, place: Match["vector"]) =>
    place === null ? [] : [`by ${name} #${place.rank} (${formatScore(place.score)})`];
  return [...told("meaning", vector), ...told("words", keyword)].join(", ");
}

/** A piece of text, and whether the query asked for it. */
export interface Piece {
  text: string;
  marked: boolean;
}

const WORD = /[\p{L}\p{N}]+/gu;

/** Case and accents make no difference to the keyword index, so they make none here. */
function fold(word: string): string {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Whether a word is the stem with an ending: locks for lock, but not lockers. */
function isForm(word: string, stem: string): boolean {
  return word.startsWith(stem) && word.length <= stem.length + 2;
}

/** Splits a text so that the words of the query, and forms of them, can be marked. */
export function markWords(text: string, query: string): Piece[] {
  const wanted = new Set(queryWordsOf(query).map(fold));
  const stems = [...wanted].filter((word) => word.length >= 4);
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(WORD)) {
    const word = fold(match[0]);
    if (!wanted.has(word) && !stems.some((stem) => isForm(word, stem))) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index), marked: false });
    end = match.index + match[0].length;
    pieces.push({ text: match[0], marked: true });
  }
  if (end < text.length) pieces.push({ text: text.slice(end), marked: false });
  return pieces;
}

/** At most about `length` characters of a text, where the words of the query are that it has least of. */
export function excerptOf(text: string, query: string, length: number): string {
  if (text.length <= length) return text;
  const first = bestPlace(text, query, length);
  const start =
    first < length / 2 ? 0 : wordBoundary(text, Math.min(first - length / 4, text.length - length));
  const end = wordBoundary(text, start + length);
  return `${start > 0 ? "… " : ""}${text.slice(start, end).trim()}${end < text.length ? " …" : ""}`;
}

/** The marked word from which on most is found: each word counts once, and the less the more often the text has it. */
function bestPlace(text: string, query: string, length: number): number {
  const marks: { at: number; word: string }[] = [];
  const times = new Map<string, number>();
  let at = 0;
  for (const piece of markWords(text, query)) {
    if (piece.marked) {
      const word = piece.text.toLowerCase();
      marks.push({ at, word });
      times.set(word, (times.get(word) ?? 0) + 1);
    }
    at += piece.text.length;
  }
  let best = { at: 0, worth: 0 };
  for (const [index, { at: from }] of marks.entries()) {
    const seen = new Set<string>();
    let worth = 0;
    for (let next = index; next < marks.length; next++) {
      const { at: place, word } = marks[next]!;
      // The excerpt begins a little before its first word.
      if (place > from + length * 0.7) break;
      if (!seen.has(word)) worth += 1 / times.get(word)!;
      seen.add(word);
    }
    if (worth > best.worth + 1e-9) best = { at: from, worth };
  }
  return best.at;
}

/** The first place at or after `position` where a word ends, so that no cut goes through one. */
export function wordBoundary(text: string, position: number): number {
  const at = Math.max(0, Math.floor(position));
  if (at === 0 || at >= text.length) return Math.min(at, text.length);
  const space = text.slice(at, at + 60).search(/\s/);
  return space === -1 ? at : at + space;
}
