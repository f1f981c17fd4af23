import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { estimateTokens } from "../../src/pipeline/tokens.ts";

describe("estimateTokens", () => {
  test.each([
    ["", 0],
    ["word", 1],
    ["Hello, world!", 4],
    ["internationalization", 4],
    ["Größe", 2],
    ["2024", 2],
    ["中文字", 3],
    ["한국어", 3],
    ["😀😀", 2],
    ["----", 1],
    ["a\u3000b\u00a0c\n", 3],
  ])("%j is %i", (text, tokens) => {
    expect(estimateTokens(text)).toBe(tokens);
  });

  test("adds up over white space", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }), (a, b) => {
        expect(estimateTokens(`${a} ${b}`)).toBe(estimateTokens(a) + estimateTokens(b));
      }),
    );
  });
});
