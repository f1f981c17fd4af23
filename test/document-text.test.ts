import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createTextReader,
  encodePart,
  namesOfParts,
  partsIn,
  readPart,
  type StoredPart,
  textBytes,
} from "../src/document-text.ts";

/** A text in parts, and a store that has them. */
function stored(texts: string[]) {
  const blobs = new Map<string, Buffer>();
  const parts: StoredPart[] = [];
  let opened = 0;
  for (const [index, text] of texts.entries()) {
    const key = `t1/part-${index}`;
    const char_start = parts.at(-1)?.char_end ?? 0;
    blobs.set(key, encodePart({ text, blocks: [] }));
    parts.push({ key, char_start, char_end: char_start + text.length, sha256: "" });
  }
  const open = async (key: string) => {
    opened += 1;
    const bytes = blobs.get(key)!;
    return (async function* () {
      for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
    })();
  };
  return { parts, open, opened: () => opened };
}

/** Also with line ends at their beginning, and letters of two code units; but cut between none of these. */
const texts = fc.array(
  fc.string({ unit: fc.constantFrom("a", "\n", "é", "€", "😀"), minLength: 1, maxLength: 8 }),
  { minLength: 1, maxLength: 6 },
);

test("a stretch of a text in parts is what it would be of the whole", async () => {
  await fc.assert(
    fc.asyncProperty(texts, fc.nat(50), fc.nat(50), async (pieces, one, other) => {
      const whole = pieces.join("");
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const { parts, open } = stored(pieces);
      const bytes: Uint8Array[] = [];
      for await (const piece of textBytes(open, parts, from, to)) bytes.push(piece);
      // Half a letter goes as a replacement character.
      expect(Buffer.concat(bytes).toString()).toBe(whole.slice(from, to).toWellFormed());
      expect(await createTextReader(open, parts).slice(from, to)).toBe(whole.slice(from, to));
      const all: Uint8Array[] = [];
      for await (const piece of textBytes(open, parts)) all.push(piece);
      expect(Buffer.concat(all).toString()).toBe(whole);
    }),
  );
});

test("whoever reads on opens each part once", async () => {
  const pieces = Array.from({ length: 20 }, (_, n) => `part ${n} of the text `);
  const { parts, open, opened } = stored(pieces);
  const whole = pieces.join("");
  const text = createTextReader(open, parts);
  for (let at = 0; at < whole.length; at += 5)
    expect(await text.slice(at, at + 8)).toBe(whole.slice(at, at + 8));
  expect(opened()).toBe(pieces.length);
});

test("a checkpoint names parts, among other things; and none where it is another stage's", async () => {
  const { parts, open } = stored(["one", "two"]);
  expect(partsIn({ title: "x", pages_0_key: "t1/pages", ...namesOfParts(parts) })).toEqual(parts);
  expect(partsIn({ chunks_created: 3 })).toEqual([]);
  expect(partsIn()).toEqual([]);
  expect(await readPart(open, parts[1]!)).toEqual({ text: "two", blocks: [] });
});
