import { describe, expect, test } from "vitest";
import { explained, snippet, wordsOf } from "../../src/cli/search.ts";

describe("snippet", () => {
  const filler = "lorem ipsum dolor sit amet ".repeat(30);

  test("leaves a short text whole, on one line and without control characters", () => {
    expect(snippet("One\n\ntwo\u001b[31m three", new Set())).toBe("One two [31m three");
  });

  test("shows the place where most of the words are, cut between words", () => {
    const text = `${filler}a sluice stands here. ${filler}The old sluice of Münster lets boats pass. ${filler}`;
    const shown = snippet(text, wordsOf("munster boats sluice"));
    expect(shown).toContain("old sluice of Münster lets boats pass.");
    expect(shown).toMatch(/^…\S/);
    expect(shown).toMatch(/\S…$/);
    expect(shown.length).toBeLessThanOrEqual(242);
    for (const word of shown.replaceAll("…", "").split(" ")) expect(text.split(" ")).toContain(word);
  });

  test("shows the beginning when no word matches, and the end when the match is there", () => {
    expect(snippet(filler, wordsOf("absent"))).toMatch(/^lorem ipsum/);
    expect(snippet(`${filler}the end`, wordsOf("end"))).toMatch(/the end$/);
  });

  test("cuts a text without spaces", () => {
    const shown = snippet("x".repeat(2_000), new Set());
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.length).toBeLessThanOrEqual(242);
  });
});

test("--explain says which half found a hit, at which place and how well", () => {
  const match = { vector: { rank: 2, score: 0.71349 }, keyword: null };
  expect(explained({ match })).toBe("by meaning: number 2 (0.713); by words: not found");
});
