/** A search as its address says it, and the request that it becomes. Pure. */
import type { FilterCondition, SearchFilter } from "../../../src/filter.ts";
import type { SearchMode, SearchRequest } from "../../../src/search/search.ts";

export const FIRST_HITS = 10;
export const MOST_HITS = 100;

/** Everything that stands in the address of a search; "" where it says nothing. */
export interface Asked {
  q: string;
  mode: SearchMode;
  collection: string;
  language: string;
  author: string;
  /** A year, a month or a day. */
  from: string;
  to: string;
  pages_min: string;
  pages_max: string;
  /** Metadata that must be so: `field=value`. */
  where: string[];
  /** The section around each hit as well. */
  expand: boolean;
  top_k: number;
}

export const asksNothing: Asked = {
  q: "",
  mode: "hybrid",
  collection: "",
  language: "",
  author: "",
  from: "",
  to: "",
  pages_min: "",
  pages_max: "",
  where: [],
  expand: false,
  top_k: FIRST_HITS,
};

const texts = ["q", "collection", "language", "author", "from", "to", "pages_min", "pages_max"] as const;

export function readAsked(query: URLSearchParams): Asked {
  const asked = { ...asksNothing, where: query.getAll("where").filter((text) => whereOf(text)) };
  for (const name of texts) asked[name] = query.get(name) ?? "";
  const mode = query.get("mode");
  if (mode === "vector" || mode === "keyword") asked.mode = mode;
  asked.expand = query.get("expand") === "section";
  const top_k = Number(query.get("top_k"));
  if (Number.isInteger(top_k) && top_k > 0) asked.top_k = Math.min(top_k, MOST_HITS);
  return asked;
}

export function addressOf(asked: Asked): string {
  const query = new URLSearchParams();
  for (const name of texts) if (asked[name] !== "") query.set(name, asked[name]);
  if (asked.mode !== asksNothing.mode) query.set("mode", asked.mode);
  for (const text of asked.where) query.append("where", text);
  if (asked.expand) query.set("expand", "section");
  if (asked.top_k !== FIRST_HITS) query.set("top_k", String(asked.top_k));
  return query.size === 0 ? "/search" : `/search?${query}`;
}

export function requestOf(asked: Asked): SearchRequest {
  const filter = filterOf(asked);
  return {
    query: asked.q.trim(),
    mode: asked.mode,
    top_k: asked.top_k,
    ...(asked.collection === "" ? {} : { collection: asked.collection }),
    ...(Object.keys(filter).length === 0 ? {} : { filter }),
    ...(asked.expand ? { expand: "section" as const } : {}),
  };
}

function filterOf({ language, author, from, to, pages_min, pages_max, where }: Asked): SearchFilter {
  const filter: SearchFilter = {};
  for (const text of where) {
    const { field, value } = whereOf(text)!;
    filter[field] = valueCondition(value);
  }
  if (language !== "") filter.language = language;
  if (author !== "") filter.author = author;
  const authored = {
    ...(isDate(from) ? { gte: from } : {}),
    // Dates compare as text: up to and with 2019 is before 2020.
    ...(isDate(to) ? { lt: after(to) } : {}),
  };
  if (Object.keys(authored).length > 0) filter.authored_at = authored;
  const pages = {
    ...(isCount(pages_min) ? { gte: Number(pages_min) } : {}),
    ...(isCount(pages_max) ? { lte: Number(pages_max) } : {}),
  };
  if (Object.keys(pages).length > 0) filter.page_count = pages;
  return filter;
}

/** A number or a yes may stand in metadata as such or as text, and a field of a form can't tell which. */
function valueCondition(value: string): FilterCondition {
  if (value === "true" || value === "false") return { in: [value, value === "true"] };
  return /^-?\d+(\.\d+)?$/.test(value) ? { in: [value, Number(value)] } : value;
}

/** @returns undefined for what is no `field=value` that a filter can ask for */
export function whereOf(text: string): { field: string; value: string } | undefined {
  const match = /^([A-Za-z_][A-Za-z0-9_.-]{0,63})=(.+)$/s.exec(text);
  return match ? { field: match[1]!, value: match[2]! } : undefined;
}

export function isDate(text: string): boolean {
  return /^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$/.test(text);
}

const isCount = (text: string) => /^\d{1,9}$/.test(text);

/** The year, month or day after one. */
function after(date: string): string {
  const [year = 0, month = 1, day = 1] = date.split("-").map(Number);
  const next =
    date.length === 4
      ? Date.UTC(year + 1, 0, 1)
      : date.length === 7
        ? Date.UTC(year, month, 1)
        : Date.UTC(year, month - 1, day + 1);
  return new Date(next).toISOString().slice(0, date.length);
}

/** A condition of a search, in words, and the search without it. */
export interface Chip {
  name: string;
  text: string;
  without: Asked;
}

export function chipsOf(asked: Asked, languageName: (tag: string) => string): Chip[] {
  const chips: Chip[] = [];
  const chip = (name: string, text: string, change: Partial<Asked>) =>
    chips.push({ name, text, without: { ...asked, top_k: FIRST_HITS, ...change } });
  if (asked.collection !== "") chip("Collection", asked.collection, { collection: "" });
  if (asked.language !== "") chip("Language", languageName(asked.language), { language: "" });
  if (asked.author !== "") chip("Author", asked.author, { author: "" });
  if (isDate(asked.from)) chip("Written from", asked.from, { from: "" });
  if (isDate(asked.to)) chip("Written to", asked.to, { to: "" });
  if (isCount(asked.pages_min)) chip("Pages, at least", asked.pages_min, { pages_min: "" });
  if (isCount(asked.pages_max)) chip("Pages, at most", asked.pages_max, { pages_max: "" });
  for (const text of asked.where) {
    const { field, value } = whereOf(text)!;
    chip(field, value, { where: asked.where.filter((other) => other !== text) });
  }
  return chips;
}
