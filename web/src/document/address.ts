/** Addresses of a document's tabs, and of a passage in it. Pure. */
import type { SearchHit } from "../../../src/search/search.ts";

export const tabs = ["journey", "text", "original", "versions"] as const;
export type Tab = (typeof tabs)[number];

/** What an address says of a passage that was found: where it stands, in which version, and what was asked. */
export interface Cited {
  version: number | undefined;
  char_start: number;
  char_end: number;
  page: number | undefined;
  query: string;
}

/** The document that a hit is of, open at the passage: a PDF as it looks, everything else as text. */
export function passagePath(
  hit: Pick<SearchHit, "document_id" | "version" | "char_start" | "char_end" | "page" | "media_type">,
  query: string,
): string {
  const parameters = new URLSearchParams({
    tab: hit.media_type === "application/pdf" && hit.page !== null ? "original" : "text",
    version: String(hit.version),
    char_start: String(hit.char_start),
    char_end: String(hit.char_end),
  });
  if (hit.page !== null) parameters.set("page", String(hit.page));
  if (query !== "") parameters.set("q", query);
  return `/documents/${encodeURIComponent(hit.document_id)}?${parameters}`;
}

/** @returns undefined where the address names no passage, or none that can be */
export function citedOf(query: URLSearchParams): Cited | undefined {
  const char_start = wholeNumber(query.get("char_start"), 0);
  const char_end = wholeNumber(query.get("char_end"), 1);
  if (char_start === undefined || char_end === undefined || char_end <= char_start) return undefined;
  return {
    version: wholeNumber(query.get("version"), 1),
    char_start,
    char_end,
    page: wholeNumber(query.get("page"), 1),
    query: query.get("q") ?? "",
  };
}

/** Typed by hand, an address may say anything. */
export function wholeNumber(text: string | null, min: number): number | undefined {
  if (text === null || !/^\d{1,12}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min ? value : undefined;
}

export function tabOf(query: URLSearchParams): Tab {
  const named = tabs.find((tab) => tab === query.get("tab"));
  return named ?? (citedOf(query) ? "text" : "journey");
}
