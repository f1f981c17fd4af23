/** What holds of the chunks of any text. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Block, type ChunkDraft, chunkStrategies } from "../../src/chunk.ts";
import { chunkText, createChunker } from "../../src/pipeline/chunker.ts";
import { estimateTokens } from "../../src/pipeline/tokens.ts";
import { byWords, document, type Part, words } from "./texts.ts";

describe("always", () => {
  const token = fc.oneof(
    { weight: 12, arbitrary: fc.stringMatching(/^[a-zA-Z]{1,9}[.,!?]?$/) },
    { weight: 2, arbitrary: fc.constantFrom("Dr.", "“Ja!”", "naïve", "Größe", "§", "—", "2.5", "e.g.") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "한국어로",
        "😀👍🏽",
        "a\u0301\u0302",
        "x".repeat(300),
        "https://example.org/a/b?c=d",
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom("中文没有空格。也没有词", "ภาษาไทยไม่มีการเว้นวรรค") },
  );
  const space = fc.constantFrom(" ", " ", " ", "\n", "  ", "\t", "\u00a0", "\r\n");
  const body = fc
    .array(fc.tuple(token, space), { maxLength: 60 })
    .map((pairs) => pairs.map(([word, gap]) => word + gap).join(""));
  const kind = fc.constantFrom<Block["kind"]>(
    "heading",
    "paragraph",
    "paragraph",
    "paragraph",
    "list_item",
    "table",
    "code",
    "quote",
  );
  const part = fc.tuple(
    kind,
    body,
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 9 }),
  ) as fc.Arbitrary<Part>;
  const documents = fc
    .tuple(fc.array(part, { maxLength: 12 }), fc.constantFrom("\n\n", "\n\n---\n\n", " "))
    .map(([parts, separator]) => document(parts, separator));
  const counters = fc.constantFrom<((text: string) => number) | undefined>(
    undefined,
    undefined,
    byWords,
    // Does not add up, and charges for white space, as real tokenizers do.
    (text) => 2 + Math.ceil(text.length / 3),
  );
  const options = fc.record({
    max_tokens: fc.integer({ min: 4, max: 60 }),
    overlap_tokens: fc.integer({ min: 0, max: 40 }),
    count_tokens: counters,
  });

  test("exact slices, trimmed, in order, within budget, covering every block", () => {
    fc.assert(
      fc.property(documents, options, (extracted, given) => {
        const count = given.count_tokens ?? estimateTokens;
        const chunks = chunkText(extracted, given);
        const covered = new Uint8Array(extracted.text.length);
        for (const [index, chunk] of chunks.entries()) {
          expect(chunk.text).toBe(extracted.text.slice(chunk.char_start, chunk.char_end));
          expect(chunk.text).toBe(chunk.text.trim());
          expect(chunk.text.isWellFormed()).toBe(true);
          expect(chunk.token_count).toBe(count(chunk.text));
          expect(chunk.token_count).toBeLessThanOrEqual(given.max_tokens);
          const before = chunks[index - 1];
          expect(chunk.char_start).toBeGreaterThan(before?.char_start ?? -1);
          expect(chunk.char_end).toBeGreaterThan(before?.char_end ?? 0);
          covered.fill(1, chunk.char_start, chunk.char_end);
          const home = extracted.blocks.findLast(({ char_start }) => char_start <= chunk.char_start);
          expect(chunk.page).toBe(home?.page);
        }
        for (const block of extracted.blocks) {
          for (let at = block.char_start; at < block.char_end; at++) {
            if (covered[at] === 0) expect(extracted.text[at]).toMatch(/\s/);
          }
        }
        expect(chunkText(extracted, given)).toEqual(chunks);
      }),
      { numRuns: 500 },
    );
  });

  test("no word is cut that fits the budget", () => {
    fc.assert(
      fc.property(documents, options, (extracted, given) => {
        const count = given.count_tokens ?? estimateTokens;
        const edges = new Set(
          chunkText(extracted, given).flatMap((chunk) => [chunk.char_start, chunk.char_end]),
        );
        for (const block of extracted.blocks) {
          for (const match of extracted.text.slice(block.char_start, block.char_end).matchAll(/\S+/g)) {
            const word = match[0];
            if (count(word) > given.max_tokens || /[\u0e00-\u0e7f\u4e00-\u9fff]/.test(word)) continue;
            for (let at = 1; at < word.length; at++) {
              expect(edges.has(block.char_start + match.index + at)).toBe(false);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("tables with headers too: within budget, covered, and a header only below its own table's", () => {
    const cell = fc.oneof(fc.stringMatching(/^[a-z]{0,9}$/), fc.stringMatching(/^\d{1,12}$/), body);
    const line = fc
      .array(cell, { minLength: 2, maxLength: 4 })
      .map((cells) => `| ${cells.map((one) => one.replace(/[\s|]+/g, " ").trim()).join(" | ")} |`);
    const rows = fc.array(line, { minLength: 2, maxLength: 30 });
    const tables = fc.array(
      rows.map((lines): Part => ["table", [lines[0], "| --- | --- |", ...lines.slice(1)].join("\n")]),
      { minLength: 1, maxLength: 3 },
    );
    const strategies = fc.constantFrom(...chunkStrategies);
    fc.assert(
      fc.property(tables, options, strategies, (parts, given, strategy) => {
        const { text, blocks } = document(parts);
        const count = given.count_tokens ?? estimateTokens;
        const heads = blocks.map((block) => ({
          ...block,
          head: text.slice(block.char_start, block.char_end).split("\n").slice(0, 2).join("\n"),
        }));
        const covered = new Uint8Array(text.length);
        for (const chunk of chunkText({ text, blocks }, { ...given, strategy })) {
          expect(chunk.text).toBe(text.slice(chunk.char_start, chunk.char_end));
          const whole = chunk.header === null ? chunk.text : `${chunk.header}\n${chunk.text}`;
          expect(chunk.token_count).toBe(count(whole));
          expect(chunk.token_count).toBeLessThanOrEqual(given.max_tokens);
          const home = heads.findLast(({ char_start }) => char_start <= chunk.char_start)!;
          if (chunk.header !== null) {
            expect(chunk.header).toBe(home.head);
            expect(chunk.char_start).toBeGreaterThan(home.char_start + home.head.length);
          }
          covered.fill(1, chunk.char_start, chunk.char_end);
        }
        for (let at = 0; at < text.length; at++) if (covered[at] === 0) expect(text[at]).toMatch(/\s/);
      }),
      { numRuns: 300 },
    );
  });

  test("however the text is parted at its blocks, the chunks are the same, by every strategy", () => {
    const cutsAt = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: 1,
      maxLength: 8,
    });
    const pages = fc.boolean();
    fc.assert(
      fc.property(
        documents,
        options,
        fc.constantFrom(...chunkStrategies),
        cutsAt,
        pages,
        ({ text, blocks: found }, given, strategy, steps, hasPages) => {
          const blocks = hasPages ? found : found.map((block) => ({ ...block, page: null }));
          const chunker = createChunker({ ...given, strategy });
          const chunks: ChunkDraft[] = [];
          let [at, next] = [0, 0];
          for (let step = 0; next < blocks.length; step++) {
            const [count, share] = steps[step % steps.length]!;
            const own = blocks.slice(next, next + Math.max(count, step % steps.length === 0 ? 1 : 0));
            next += own.length;
            // Somewhere between the last block and the next one.
            const [low, high] = [own.at(-1)?.char_end ?? at, blocks[next]?.char_start ?? text.length];
            const to = Math.max(at, low + Math.floor((high - low) * share));
            chunks.push(...chunker.push({ text: text.slice(at, to), blocks: own }));
            at = to;
          }
          chunks.push(...chunker.push({ text: text.slice(at), blocks: [] }), ...chunker.end());
          expect(chunks).toEqual(chunkText({ text, blocks }, { ...given, strategy }));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a section without an end is held no longer than its chunks need", () => {
    const body = `${words(200)}. `;
    const chunker = createChunker({ max_tokens: 100, overlap_tokens: 20 });
    let at = 0;
    let pending = 0;
    for (let part = 0; part < 200; part++) {
      const block: Block = {
        kind: "paragraph",
        level: null,
        page: null,
        ...(part === 0 ? {} : { continues: true }),
        char_start: at,
        char_end: at + body.length,
      };
      at += body.length;
      const end = chunker.push({ text: body, blocks: [block] }).at(-1)?.char_end ?? 0;
      pending = Math.max(pending, at - end);
    }
    expect(pending).toBeLessThan(2 * body.length);
  });

  test("work grows with the text, not faster", () => {
    // Counted characters stand for time: they are the same on every machine.
    const cost = (text: string) => {
      let counted = 0;
      chunkText(document([["paragraph", text]]), {
        max_tokens: 200,
        overlap_tokens: 60,
        count_tokens: (part) => {
          counted += part.length;
          return estimateTokens(part);
        },
      });
      return counted;
    };
    for (const unit of ["No sentence is like another one. ", "word ", "letters", "中文没有空格", "e\u0301"]) {
      const one = unit.repeat(Math.ceil(40_000 / unit.length));
      expect(cost(one)).toBeLessThan(40 * one.length);
      expect(cost(one.repeat(4))).toBeLessThan(4.5 * cost(one));
    }
  });

  test("a part of many blocks costs each of them the same", () => {
    const looked = (count: number) => {
      const extracted = document(
        Array.from({ length: count }, (): Part => ["paragraph", "Just a few words."]),
      );
      let calls = 0;
      const count_tokens = (part: string) => {
        calls += 1 + part.length;
        return estimateTokens(part);
      };
      for (const strategy of chunkStrategies) {
        chunkText(extracted, { max_tokens: 200, overlap_tokens: 60, count_tokens, strategy });
      }
      return calls;
    };
    expect(looked(20_000)).toBeLessThan(10.5 * looked(2_000));
  });
});
