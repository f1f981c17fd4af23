/** `sluice search "…"`. */
import { citationOf } from "../about.ts";
import { loadConfig } from "../config/config.ts";
import { searchFilterSchema } from "../filter.ts";
import { placeOf } from "../search/place.ts";
import type { SearchHit, SearchMode, SearchRequest } from "../search/search.ts";
import { createClient } from "./client.ts";
import {
  type OutputOptions,
  parseJsonOption,
  print,
  printable,
  printJson,
  styled,
  UsageError,
} from "./output.ts";

export interface SearchOptions extends OutputOptions {
  collection?: string;
  /** A JSON object. */
  filter?: string;
  topK?: number;
  mode?: SearchMode;
  /** Default true. */
  rerank?: boolean;
  expand?: "section";
  /** Whether each hit says which half found it. Default false. */
  explain?: boolean;
}

export async function search(query: string, options: SearchOptions): Promise<void> {
  const { collection, topK, mode } = options;
  const request: SearchRequest = { query };
  if (collection !== undefined) request.collection = collection;
  if (topK !== undefined) request.top_k = topK;
  if (mode !== undefined) request.mode = mode;
  if (options.expand !== undefined) request.expand = options.expand;
  if (options.rerank === false) request.rerank = false;
  if (options.filter !== undefined) {
    const parsed = searchFilterSchema.safeParse(parseJsonOption("--filter", options.filter));
    if (!parsed.success) {
      throw new UsageError(
        '--filter: must be fields and conditions, such as {"year": {"gte": 2020}, "kind": "report"}.',
      );
    }
    request.filter = parsed.data;
  }
  const answer = await createClient(loadConfig().client).search(request);
  if (options.json) {
    printJson(answer);
    return;
  }
  if (answer.hits.length === 0) {
    process.stderr.write("Nothing found.\n");
    return;
  }
  const explain = options.explain ?? false;
  print(answer.hits.map((hit, place) => describeHit(hit, place + 1, query, explain)).join("\n\n"));
}

function describeHit(hit: SearchHit, rank: number, query: string, explain: boolean): string {
  const citation = citationOf(hit.about, hit.heading_path);
  const where = placeOf(hit);
  const place = [
    styled("bold", printable(hit.filename)),
    ...(where === undefined ? [] : [printable(where)]),
    ...(citation === "" ? [] : [printable(citation)]),
    ...(hit.heading_path.length === 0 ? [] : [printable(hit.heading_path.join(" › "))]),
    styled("dim", hit.score.toFixed(3)),
  ].join("  ");
  const words = wordsOf(query);
  const why = explain ? `\n    ${styled("dim", explained(hit))}` : "";
  return `${String(rank).padStart(2)}. ${place}${why}\n    ${emphasise(snippet(shownText(hit), words), words)}`;
}

/** Such as `by meaning: number 2 (0.713); by words: not found`. */
export function explained({ match }: Pick<SearchHit, "match">): string {
  const told = (place: SearchHit["match"]["vector"]) =>
    place === null ? "not found" : `number ${place.rank} (${place.score.toPrecision(3)})`;
  return `by meaning: ${told(match.vector)}; by words: ${told(match.keyword)}`;
}

/** The section, where it was asked for; else the text, below the first line of its table. */
function shownText({ section, header, text }: SearchHit): string {
  if (section) return section.text;
  return header === null ? text : `${header.split("\n")[0]}\n${text}`;
}

const SNIPPET_LENGTH = 240;

/** The part of a text that holds most of the words, with whole words at its ends. */
export function snippet(text: string, words: ReadonlySet<string>): string {
  const flat = printable(text).replace(/\s+/g, " ").trim();
  if (flat.length <= SNIPPET_LENGTH) return flat;
  const matches = [...flat.matchAll(WORD)].filter(([word]) => words.has(fold(word)));
  let best = 0;
  let most = 0;
  for (const [place, match] of matches.entries()) {
    const window = matches.slice(place).filter(({ index }) => index < match.index + SNIPPET_LENGTH * 0.75);
    const distinct = new Set(window.map(([word]) => fold(word))).size;
    if (distinct > most) {
      most = distinct;
      best = match.index;
    }
  }
  // Some words of what stands before the match, and no more than is there.
  const wanted = Math.max(0, Math.min(best - SNIPPET_LENGTH / 4, flat.length - SNIPPET_LENGTH));
  const start = wanted === 0 ? 0 : flat.indexOf(" ", wanted) + 1;
  const cut = start + SNIPPET_LENGTH;
  const end = cut >= flat.length ? flat.length : Math.max(flat.lastIndexOf(" ", cut), start + 1);
  return `${start > 0 ? "…" : ""}${flat.slice(start, end)}${end < flat.length ? "…" : ""}`;
}

const WORD = /[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu;

/** As the keyword search sees words: without case and marks. */
export function wordsOf(text: string): Set<string> {
  return new Set([...text.matchAll(WORD)].map(([word]) => fold(word)));
}

function fold(word: string): string {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function emphasise(text: string, words: ReadonlySet<string>): string {
  return text.replace(WORD, (word) => (words.has(fold(word)) ? styled(["bold", "yellow"], word) : word));
}
