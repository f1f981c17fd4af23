import { expect, test } from "vitest";
import { type Block, type Chunk, passageOf } from "../../src/chunk.ts";
import { chunkId } from "../../src/ids.ts";
import { chunkText } from "../../src/pipeline/chunker.ts";
import { placeOf } from "../../src/search/place.ts";
import { expandHits } from "../../src/search/sections.ts";

const words = (count: number, word: string) =>
  Array.from({ length: count }, (_, i) => `${word}${i}`).join(" ");
const byWords = (text: string) => text.split(/\s+/).filter((word) => word !== "").length;

/** A long section between two short ones, each sentence with a number of its own. */
const sentences = Array.from({ length: 60 }, (_, n) => `Sentence ${n} says ${words(4, `w${n}x`)}.`);
const text = `First\n\nShort one.\n\nSecond\n\n${sentences.slice(0, 30).join(" ")}\n\n${sentences.slice(30).join(" ")}\n\nThird\n\nShort three.`;
const blocks = text.split("\n\n").map((body): Block => {
  const char_start = text.indexOf(body);
  const isHeading = /^\w+$/.test(body);
  return {
    kind: isHeading ? "heading" : "paragraph",
    level: isHeading ? 1 : null,
    page: null,
    char_start,
    char_end: char_start + body.length,
  };
});
const document_id = "doc_00000000000000000000000000000001";
const chunks = chunkText({ text, blocks }, { max_tokens: 30, overlap_tokens: 8, count_tokens: byWords }).map(
  (draft, ordinal): Chunk => ({
    ...draft,
    chunk_id: chunkId(document_id, 1, ordinal),
    document_id,
    version: 1,
    ordinal,
  }),
);
const store = {
  listChunks: async (_tenant: string, _document: string, _version: number, from: number, limit: number) =>
    chunks.slice(from, from + limit).map((chunk) => ({ ...chunk, vector: null, embedder_id: null })),
};
const foundOf = (chunk: Chunk) => ({ chunk, chunks: chunks.length });
const expand = (hits: Chunk[], max_tokens: number, top_k = 10) =>
  expandHits(store, "t", hits, foundOf, { top_k, max_tokens });

test("a short section comes whole, a long one around its hit, nothing of it twice", async () => {
  const [short] = await expand([chunks[0]!], 1_000);
  expect(short!.section).toMatchObject({ text: "First\n\nShort one.", char_start: 0 });
  expect(chunks.filter(({ heading_path }) => heading_path[0] === "Second").length).toBeGreaterThan(10);
  const hit = chunks.find(({ text }) => text.includes("Sentence 29 "))!;
  const [whole] = await expand([hit], 10_000);
  expect(whole!.section.text).toBe(text.slice(whole!.section.char_start, whole!.section.char_end));
  const [some] = await expand([hit], 120);
  const { char_start, char_end } = some!.section;
  expect(some!.section.text).toBe(text.slice(char_start, char_end));
  expect(char_start).toBeLessThan(hit.char_start);
  expect(char_end).toBeGreaterThan(hit.char_end);
  expect(byWords(some!.section.text)).toBeLessThanOrEqual(120);
  expect(byWords(some!.section.text)).toBeGreaterThan(80);
});

test("hits inside the section of a better one are merged into it; those far away in it are not", async () => {
  const [a, b] = [chunks.find(({ text }) => text.includes("Sentence 10 "))!, chunks.at(-2)!];
  const neighbour = chunks[a.ordinal + 1]!;
  const found = await expand([a, neighbour, b, chunks.at(-1)!], 90);
  expect(found.map(({ chunk_id }) => chunk_id)).toEqual([a.chunk_id, b.chunk_id, chunks.at(-1)!.chunk_id]);
  expect(await expand([a, neighbour, b], 90, 1)).toHaveLength(1);
});

test("a chunk of an earlier version, or whose neighbours are gone, is its own section", async () => {
  const old = { ...chunks[3]!, section_start: null };
  const own = { text: old.text, char_start: old.char_start, char_end: old.char_end };
  expect((await expand([old], 1_000))[0]!.section).toEqual(own);
  const nothing = { listChunks: async () => [] };
  const limits = { top_k: 1, max_tokens: 1_000 };
  const [alone] = await expandHits(nothing, "t", [chunks[3]!], foundOf, limits);
  expect(alone!.section).toEqual(own);
});

test("rows left of an attempt that was cut short are none of its neighbours", async () => {
  const hit = chunks.find(({ text }) => text.includes("Sentence 10 "))!;
  const limits = { top_k: 1, max_tokens: 10_000 };
  const [cut] = await expandHits(store, "t", [hit], (chunk) => ({ chunk, chunks: hit.ordinal + 1 }), limits);
  expect(cut!.section.char_end).toBe(hit.char_end);
});

test("rows of a table stand below each other", async () => {
  const rows = Array.from({ length: 12 }, (_, n) => `| row ${n} | ${n} |`);
  const table = ["| name | number |", "| --- | --- |", ...rows].join("\n");
  const block: Block = { kind: "table", level: null, page: null, char_start: 0, char_end: table.length };
  const parts = chunkText(
    { text: table, blocks: [block] },
    { max_tokens: 30, overlap_tokens: 0, count_tokens: byWords },
  );
  const stored = parts.map(
    (draft, ordinal): Chunk => ({ ...draft, chunk_id: `${ordinal}`, document_id, version: 1, ordinal }),
  );
  expect(stored.length).toBeGreaterThan(2);
  const listChunks = async () => stored.map((chunk) => ({ ...chunk, vector: null, embedder_id: null }));
  const limits = { top_k: 1, max_tokens: 1_000 };
  const [whole] = await expandHits(
    { listChunks },
    "t",
    [stored[1]!],
    (chunk) => ({ chunk, chunks: stored.length }),
    limits,
  );
  expect(whole!.section.text).toBe(table);
  expect(passageOf(stored[1]!)).toMatch(/^\| name \| number \|\n\| --- \| --- \|\n\| row \d/);
});

test("places in words", () => {
  const nowhere = { page: null, sheet: null, row_start: null, row_end: null };
  expect(placeOf(nowhere)).toBeUndefined();
  expect(placeOf({ ...nowhere, page: 3 })).toBe("page 3");
  expect(placeOf({ page: 2, sheet: "Prices", row_start: 12, row_end: 40 })).toBe("sheet Prices, rows 12–40");
  expect(placeOf({ ...nowhere, row_start: 7, row_end: 7 })).toBe("row 7");
});
