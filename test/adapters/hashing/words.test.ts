import { describe, expect, test } from "vitest";
import { classify, fold, GAP, LETTER, LONE, stem } from "../../../src/adapters/hashing/words.ts";

function stemOf(text: string): string {
  const word = Uint16Array.from(text, (letter) => letter.charCodeAt(0));
  return String.fromCharCode(...word.subarray(0, stem(word, 0, text.length)));
}

describe("stem", () => {
  test.each([
    ["embed embeds embedded embedding"],
    ["cache caches cached caching"],
    ["party parties"],
    ["study studies studied"],
    ["box boxes"],
    ["class classes"],
    ["process processes processed processing"],
    ["stop stops stopped stopping"],
    ["fall falls falling"],
    ["make makes making"],
  ])("gives the forms of one word one remainder: %s", (forms) => {
    expect(new Set(forms.split(" ").map(stemOf)).size).toBe(1);
  });

  test.each(["bring", "string", "need", "bus", "analysis", "glass", "red", "s", "das"])(
    "leaves %s alone",
    (word) => {
      expect(stemOf(word)).toBe(word);
    },
  );
});

describe("fold", () => {
  test.each([
    ["ÉTUDES", "etudes"],
    ["e\u0301tudes", "etudes"],
    ["ﬁnally", "finally"],
    ["İstanbul", "istanbul"],
    ["Ж", "ж"],
    ["ガラス", "ガラス"],
    ["한글", "한글"],
  ])("%s becomes %s", (text, folded) => {
    expect(fold(text)).toBe(folded);
  });
});

test("characters are gaps, letters or words of their own", () => {
  const kinds = [..." -é7ж漢か𠀀"].map((character) => classify(character.codePointAt(0) as number));
  expect(kinds).toEqual([GAP, GAP, LETTER, LETTER, LETTER, LONE, LONE, LONE]);
});
