import { expect, test } from "vitest";
import { aboutNothing, citationOf } from "../../src/about.ts";
import {
  aboutWords,
  excerptOf,
  formatBytes,
  formatDuration,
  markWords,
  wordBoundary,
} from "../../web/src/words.ts";

const marked = (text: string, query: string) =>
  markWords(text, query)
    .filter((piece) => piece.marked)
    .map((piece) => piece.text);

test("words of the query and forms of them are marked, whatever their case and accents", () => {
  expect(marked("The Café served lockers, LOCKS and a lock.", "cafe lock")).toEqual([
    "Café",
    "LOCKS",
    "lock",
  ]);
  expect(marked("An ant and an antelope", "an")).toEqual(["An", "an"]);
  expect(marked("nothing here", "")).toEqual([]);
});

test("words that searches leave out are not marked, unless they are all that was asked for", () => {
  const marked = (query: string) =>
    markWords("The keeper opens the lock", query).filter((piece) => piece.marked);
  expect(marked("when does the lock open").map(({ text }) => text)).toEqual(["opens", "lock"]);
  expect(marked("the").map(({ text }) => text)).toEqual(["The", "the"]);
});

test("the pieces of a text are the text", () => {
  const text = "water: Water, waters?  水 and wäter";
  expect(
    markWords(text, "water 水")
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
});

test("an excerpt holds the first word that was asked for, and cuts no word", () => {
  const text = `${"word ".repeat(200)}needle ${"word ".repeat(200)}`;
  const excerpt = excerptOf(text, "needle", 200);
  expect(excerpt).toMatch(/^… word .*needle.* word …$/);
  expect(excerpt.length).toBeLessThan(220);
  const rows = Array.from({ length: 100 }, (_, n) => `Barge number ${n + 100}`).join(", ");
  expect(excerptOf(rows, "barge number 177", 200)).toContain("Barge number 177");
  expect(excerptOf("short", "needle", 200)).toBe("short");
  expect(excerptOf(text, "absent", 200)).toMatch(/^word .* word …$/);
});

test("a boundary is never inside a word, and never outside the text", () => {
  expect(wordBoundary("one two three", 5)).toBe(7);
  expect(wordBoundary("one", 99)).toBe(3);
  expect(wordBoundary("one", -5)).toBe(0);
});

test("sizes and durations read well at every order", () => {
  expect([0, 999, 1_000, 999_960, 25_400_000].map(formatBytes)).toEqual([
    "0\u00a0B",
    "999\u00a0B",
    "1.0\u00a0kB",
    "1.0\u00a0MB",
    "25\u00a0MB",
  ]);
  expect([0.2, 12.4, 1_540, 61_000].map(formatDuration)).toEqual([
    "under 1\u00a0ms",
    "12\u00a0ms",
    "1.5\u00a0s",
    "1\u00a0min 1\u00a0s",
  ]);
});

test("what a document says of itself is told as far as it goes", () => {
  const about = {
    title: "Locks",
    author: "Ada Lock",
    authored_at: "2019-03-05T10:00:00Z",
    modified_at: "2020",
    language: "pt-BR",
    page_count: 12,
  };
  expect(citationOf(about)).toBe("Locks — Ada Lock, 2019");
  expect(aboutWords(about, "application/pdf")).toEqual([
    "Locks — Ada Lock, 2019-03-05",
    "Brazilian Portuguese",
    "12 pages",
  ]);
  expect(citationOf({ ...about, title: null })).toBe("Ada Lock, 2019");
  expect(citationOf({ ...about, author: null })).toBe("Locks — 2019");
  expect(citationOf({ ...about, title: null, author: null })).toBe("");
  expect(citationOf(aboutNothing)).toBe("");
  expect(citationOf(about, ["Locks", "Gates"])).toBe("Ada Lock, 2019");
  expect(citationOf({ ...about, author: null }, ["Locks"])).toBe("");
  expect(aboutWords(aboutNothing, "text/plain")).toEqual([]);
  const sheet = { ...aboutNothing, page_count: 1 };
  expect(aboutWords(sheet, "application/vnd.oasis.opendocument.spreadsheet")).toEqual(["1 sheet"]);
  expect(aboutWords({ ...sheet, page_count: 3 }, "application/vnd.ms-powerpoint")).toEqual(["3 slides"]);
  expect(aboutWords({ ...aboutNothing, language: "not a tag" }, "text/plain")).toEqual(["not a tag"]);
});
