import { describe, expect, test } from "vitest";
import type { Block, ChunkStrategy } from "../../src/chunk.ts";
import { chunkText, createChunker } from "../../src/pipeline/chunker.ts";
import { byWords, document, type Part, words } from "./texts.ts";

describe("structure", () => {
  test("a heading starts a chunk and stays with its section; the path leads to it", () => {
    const chunks = chunkText(
      document([
        ["paragraph", "Before any heading."],
        ["heading", "One", 1, 2],
        ["paragraph", "First body.", undefined, 2],
        ["heading", "Deeper", 2, 3],
        ["paragraph", "Second body.", undefined, 3],
        ["paragraph", "Third body.", undefined, 4],
        ["heading", "Two", 1, 4],
        ["paragraph", "Fourth body.", undefined, 5],
      ]),
      { max_tokens: 100, overlap_tokens: 20 },
    );
    expect(chunks.map(({ text, heading_path, page }) => ({ text, heading_path, page }))).toEqual([
      { text: "Before any heading.", heading_path: [], page: null },
      { text: "One\n\nFirst body.", heading_path: ["One"], page: 2 },
      { text: "Deeper\n\nSecond body.\n\nThird body.", heading_path: ["One", "Deeper"], page: 3 },
      { text: "Two\n\nFourth body.", heading_path: ["Two"], page: 4 },
    ]);
  });

  test("headings without a body join the next chunk; a last one stands alone", () => {
    const chunks = chunkText(
      document([
        ["heading", "Part", 1],
        ["heading", "Chapter", 2],
        ["paragraph", "Body."],
        ["heading", "Coda", 2],
      ]),
      { max_tokens: 100, overlap_tokens: 0 },
    );
    expect(chunks.map(({ text, heading_path }) => [text, heading_path])).toEqual([
      ["Part\n\nChapter\n\nBody.", ["Part", "Chapter"]],
      ["Coda", ["Part", "Coda"]],
    ]);
  });

  test("a run of bare headings does not swallow the budget", () => {
    const headings = Array.from(
      { length: 40 },
      (_, index): Part => ["heading", `Heading number ${index}`, 2],
    );
    const chunks = chunkText(document(headings), { max_tokens: 20, overlap_tokens: 0 });
    expect(chunks.length).toBeGreaterThan(5);
    expect(chunks[0]!.heading_path.at(-1)).not.toBe("Heading number 39");
  });

  test("Markdown's marks are not part of a heading's name", () => {
    const chunks = chunkText(
      document([
        ["heading", "## Tools ##", 2],
        ["paragraph", "a"],
        ["heading", "Under\nlined\n-----", 3],
        ["paragraph", "b"],
      ]),
      { max_tokens: 50, overlap_tokens: 0 },
    );
    expect(chunks.map(({ heading_path }) => heading_path)).toEqual([["Tools"], ["Tools", "Under lined"]]);
  });

  test("ends at a paragraph where one ends in the second half, else at a sentence", () => {
    const paragraph = (n: number) => `${words(3, `P${n}`)}. ${words(3, `Q${n}`)}.`;
    const options = { max_tokens: 16, overlap_tokens: 0, count_tokens: byWords };
    const chunks = chunkText(document([1, 2, 3].map((n): Part => ["paragraph", paragraph(n)])), options);
    expect(chunks.map(({ text }) => text)).toEqual([`${paragraph(1)}\n\n${paragraph(2)}`, paragraph(3)]);

    const long = chunkText(
      document([["paragraph", `${words(7, "A")}. ${words(7, "B")}. ${words(7, "C")}.`]]),
      options,
    );
    expect(long.map(({ text }) => text)).toEqual([
      `${words(7, "A")}. ${words(7, "B")}.`,
      `${words(7, "C")}.`,
    ]);
  });

  test("titles and initials end no sentence, and neither do line ends", () => {
    const text = "Ask Dr. Jones about\nthe gate. Then ask J. Smith.";
    const chunks = chunkText(document([["paragraph", text]]), {
      max_tokens: 8,
      overlap_tokens: 0,
      count_tokens: byWords,
    });
    expect(chunks.map((chunk) => chunk.text)).toEqual([
      "Ask Dr. Jones about\nthe gate.",
      "Then ask J. Smith.",
    ]);
  });

  test("tables and code are cut at lines", () => {
    const rows = Array.from({ length: 9 }, (_, index) => `| row ${index} | x. Y |`);
    const chunks = chunkText(document([["table", rows.join("\n")]]), {
      max_tokens: 28,
      overlap_tokens: 0,
      count_tokens: byWords,
    });
    expect(chunks.flatMap(({ text }) => text.split("\n"))).toEqual(rows);
    expect(chunks.length).toBe(3);
  });

  test("text between blocks stays out, unless it is a mark", () => {
    const source = `secret ${words(30)}\n\nbody one\n\n---\n\nbody two\n\n${words(30, "gap")}\n\nbody three`;
    const at = (body: string): Block => {
      const char_start = source.indexOf(body);
      return { kind: "paragraph", level: null, page: null, char_start, char_end: char_start + body.length };
    };
    const blocks = ["body one", "body two", "body three"].map(at);
    const chunks = chunkText({ text: source, blocks }, { max_tokens: 100, overlap_tokens: 0 });
    expect(chunks.map(({ text }) => text)).toEqual(["body one\n\n---\n\nbody two", "body three"]);
  });
});

describe("overlap", () => {
  const sentences = Array.from({ length: 12 }, (_, index) => `${words(4, `S${index}w`)}.`);
  const text = sentences.join(" ");

  test("whole sentences of the chunk before, within the limit and the budget", () => {
    const chunks = chunkText(document([["paragraph", text]]), {
      max_tokens: 20,
      overlap_tokens: 9,
      count_tokens: byWords,
    });
    expect(chunks.length).toBeGreaterThan(2);
    for (const [index, chunk] of chunks.entries()) {
      if (index === 0) continue;
      const shared = text.slice(chunk.char_start, chunks[index - 1]!.char_end);
      const at = sentences.indexOf(`${shared.split(". ")[0]}.`);
      expect(shared).toBe(sentences.slice(at, at + 2).join(" "));
    }
  });

  test("whole words where the last sentence is longer than the overlap", () => {
    const chunks = chunkText(document([["paragraph", text]]), {
      max_tokens: 20,
      overlap_tokens: 3,
      count_tokens: byWords,
    });
    const shared = text.slice(chunks[1]!.char_start, chunks[0]!.char_end);
    expect(shared).toBe(`${words(4, "S4w").split(" ").slice(1).join(" ")}.`);
  });

  test("none over a heading, and none asked for", () => {
    const parts: Part[] = [
      ["heading", "A"],
      ["paragraph", text],
      ["heading", "B"],
      ["paragraph", text],
    ];
    const chunks = chunkText(document(parts), { max_tokens: 20, overlap_tokens: 9, count_tokens: byWords });
    expect(chunks.find(({ heading_path }) => heading_path[0] === "B")!.text).toMatch(/^B\n\n/);
    const without = chunkText(document(parts), { max_tokens: 20, overlap_tokens: 0, count_tokens: byWords });
    for (const [index, chunk] of without.entries()) {
      expect(chunk.char_start).toBeGreaterThanOrEqual(without[index - 1]?.char_end ?? 0);
    }
  });
});

describe("words beyond the budget", () => {
  test("are cut between characters as a reader sees them", () => {
    const family = "👩‍👩‍👧‍👦";
    const chunks = chunkText(document([["paragraph", family.repeat(9)]]), {
      max_tokens: 12,
      overlap_tokens: 4,
    });
    expect(chunks.map(({ text }) => text).join("")).toBe(family.repeat(9));
    for (const { text } of chunks) expect(text.length % family.length).toBe(0);
  });

  test("Chinese and Thai are cut between words", () => {
    for (const text of ["我们在图书馆学习中文和数学".repeat(20), "ภาษาไทยไม่มีการเว้นวรรค".repeat(20)]) {
      const cuts = new Set(
        Array.from(new Intl.Segmenter("en", { granularity: "word" }).segment(text), ({ index }) => index),
      );
      const chunks = chunkText(document([["paragraph", text]]), { max_tokens: 30, overlap_tokens: 0 });
      expect(chunks.length).toBeGreaterThan(3);
      for (const { char_start } of chunks) expect(cuts).toContain(char_start);
    }
  });
});

describe("tables", () => {
  const row = (n: number) => `| row ${n} | value ${n} |`;
  const head = "| name | value |\n| --- | --- |";
  const table = (first: number, count: number) =>
    Array.from({ length: count }, (_, n) => row(first + n)).join("\n");
  const options = { max_tokens: 40, overlap_tokens: 0, count_tokens: byWords };
  const lined = (parts: [text: string, more: Partial<Block>][], separator = "\n") => {
    let text = "";
    const blocks = parts.map(([body, more]): Block => {
      if (text !== "") text += separator;
      const char_start = text.length;
      text += body;
      return {
        kind: "table",
        level: null,
        page: 1,
        sheet: "Prices",
        char_start,
        char_end: text.length,
        ...more,
      };
    });
    return { text, blocks };
  };

  test("every chunk but the first carries the header, within the budget", () => {
    const given = lined([[`${head}\n${table(2, 30)}`, { row: 1 }]]);
    const chunks = chunkText(given, options);
    expect(chunks.length).toBeGreaterThan(4);
    expect(chunks.map(({ header }) => header)).toEqual([null, ...chunks.slice(1).map(() => head)]);
    for (const { text, header, char_start, char_end, token_count } of chunks) {
      expect(text).toBe(given.text.slice(char_start, char_end));
      expect(token_count).toBe(byWords(`${header ?? ""}\n${text}`));
      expect(token_count).toBeLessThanOrEqual(40);
    }
  });

  test("rows are those of the sheet, whether the header or an overlap comes before them", () => {
    for (const overlap_tokens of [0, 15]) {
      const given = lined([
        ["# Prices", { kind: "heading", level: 1 }],
        [`${head}\n${table(4, 30)}`, { row: 3 }],
        [table(34, 30), { row: 34, continues: true }],
      ]);
      const chunks = chunkText(given, { ...options, overlap_tokens });
      expect(chunks[0]).toMatchObject({ sheet: "Prices", row_start: 3, header: null });
      for (const { text, header, row_start, row_end } of chunks.slice(1)) {
        const numbers = [...text.matchAll(/row (\d+)/g)].map((match) => Number(match[1]));
        expect([row_start, row_end]).toEqual([numbers[0], numbers.at(-1)]);
        expect(header).toBe(head);
      }
      expect(chunks.at(-1)!.row_end).toBe(63);
    }
  });

  test("lines of other blocks are rows as well; what has none has no rows", () => {
    const lines = Array.from({ length: 40 }, (_, n) => `entry ${n}.`).join("\n");
    const chunks = chunkText(lined([[lines, { kind: "paragraph", row: 5 }]]), options);
    for (const { text, row_start, row_end } of chunks) {
      const numbers = [...text.matchAll(/entry (\d+)/g)].map((match) => Number(match[1]) + 5);
      expect([row_start, row_end]).toEqual([numbers[0], numbers.at(-1)]);
    }
    const plain = chunkText(document([["paragraph", lines]]), options);
    expect(plain[0]).toMatchObject({ sheet: null, row_start: null, row_end: null });
  });

  test("a header too long to be said again is not; another table's is its own", () => {
    const wide = `| ${words(12, "name")} | ${words(12, "unit")} |\n| --- | --- |`;
    const given = lined(
      [
        [`${wide}\n${table(2, 9)}`, {}],
        [`${head}\n${table(2, 12)}`, {}],
      ],
      "\n\n",
    );
    const headers = chunkText(given, options).map(({ header }) => header);
    expect(new Set(headers)).toEqual(new Set([null, head]));
    expect(headers.indexOf(head)).toBeGreaterThan(2);
  });

  test("a cut before a block that continues is no better than one before a sentence", () => {
    const text = (name: string) => `${words(11, name)}. ${words(11, `${name}B`)}.`;
    const cut = (continues: boolean) =>
      chunkText(
        lined([
          [text("X"), { kind: "paragraph" }],
          [text("Y"), { kind: "paragraph", ...(continues ? { continues: true } : {}) }],
        ]),
        { ...options, max_tokens: 36 },
      )[0]!.text;
    expect(cut(false)).toBe(text("X"));
    expect(cut(true)).toMatch(/Y10\.$/);
  });
});

describe("strategies", () => {
  const extracted = document([
    ["heading", "One", 1, 1],
    ["paragraph", `${words(8, "A")}. ${words(8, "B")}.`, undefined, 1],
    ["heading", "Two", 1, 1],
    ["paragraph", `${words(8, "C")}. ${words(8, "D")}.`, undefined, 1],
    ["heading", "Three", 1, 2],
    ["paragraph", `${words(8, "E")}.`, undefined, 2],
    ["heading", "Four", 1, 2],
    ["paragraph", `${words(8, "F")}.`, undefined, 2],
  ]);
  const cut = (strategy: ChunkStrategy, more: object = {}) =>
    chunkText(extracted, { max_tokens: 24, overlap_tokens: 0, count_tokens: byWords, strategy, ...more });

  test("structure keeps sections apart, and every chunk knows where its own begins", () => {
    const chunks = cut("structure");
    expect(chunks.map(({ text }) => text.split("\n")[0])).toEqual(["One", "Two", "Three", "Four"]);
    for (const { section_start, char_start } of chunks) expect(section_start).toBe(char_start);
  });

  test("fixed fills windows to the last word, with overlap", () => {
    const all = extracted.text.split(/\s+/);
    expect(cut("fixed").map(({ text }) => text.split(/\s+/))).toEqual([
      all.slice(0, 24),
      all.slice(24, 48),
      all.slice(48),
    ]);
    const [first, second] = cut("fixed", { overlap_tokens: 4 });
    expect(second!.text.split(/\s+/).slice(0, 4)).toEqual(first!.text.split(/\s+/).slice(-4));
    expect(second!.heading_path).toEqual(["Two"]);
  });

  test("sentence puts whole sentences together over the ends of sections, and ends with no heading", () => {
    const chunks = cut("sentence");
    expect(chunks.map(({ text }) => text.slice(-3))).toEqual(["B7.", "D7.", "F7."]);
    expect(chunks[2]!.text).toMatch(/^Three/);
  });

  test("page makes a chunk of each page that fits, and cuts the others by structure", () => {
    const chunks = cut("page");
    expect(chunks.map(({ text, page }) => [text.split("\n")[0], page])).toEqual([
      ["One", 1],
      ["Two", 1],
      ["Three", 2],
    ]);
    expect(chunks[2]!.text).toMatch(/F7\.$/);
    expect(chunks.map(({ section_start }) => section_start)).toEqual([0, 0, chunks[2]!.char_start]);
    const { text, blocks } = extracted;
    const blank = document([
      ["paragraph", " ", undefined, 1],
      ["paragraph", "A first line.", undefined, 1],
      ["paragraph", "A second line.", undefined, 1],
    ]);
    const parted = createChunker({ max_tokens: 24, overlap_tokens: 0, strategy: "page" });
    const half = blank.blocks[1]!.char_end;
    const of = [
      ...parted.push({ text: blank.text.slice(0, half), blocks: blank.blocks.slice(0, 2) }),
      ...parted.push({ text: blank.text.slice(half), blocks: blank.blocks.slice(2) }),
      ...parted.end(),
    ];
    expect(of.map(({ text }) => text)).toEqual(["A first line.\n\nA second line."]);
    const pageless = { text, blocks: blocks.map((block) => ({ ...block, page: null })) };
    const given = { max_tokens: 24, overlap_tokens: 0, count_tokens: byWords };
    expect(chunkText(pageless, { ...given, strategy: "page" })).toEqual(chunkText(pageless, given));
  });
});

test("nothing in, nothing out; nonsense is refused", () => {
  expect(chunkText(document([]), { max_tokens: 10, overlap_tokens: 0 })).toEqual([]);
  expect(chunkText(document([["paragraph", " \n "]]), { max_tokens: 10, overlap_tokens: 0 })).toEqual([]);
  expect(() => chunkText(document([]), { max_tokens: 0, overlap_tokens: 0 })).toThrow(RangeError);
  expect(() => chunkText(document([]), { max_tokens: 10, overlap_tokens: -1 })).toThrow(RangeError);
});
