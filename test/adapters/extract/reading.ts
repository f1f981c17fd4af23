/** What the readers' tests share. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import type { Reader } from "../../../src/adapters/extract/text-builder.ts";
import type { ExtractedText } from "../../../src/chunk.ts";

export const fixturePath = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));

export function read(reader: Reader, source: string | Uint8Array, filename = "file"): Promise<ExtractedText> {
  const bytes = typeof source === "string" ? Buffer.from(source) : source;
  return reader(bytesInput(bytes, filename));
}

export const readFixture = (reader: Reader, name: string) =>
  read(reader, readFileSync(fixturePath(name)), name);

/** Blocks as [kind and level, text], after checking that they are in order and within the text. */
export function blocksOf({ text, blocks }: ExtractedText): [string, string][] {
  let end = 0;
  return blocks.map(({ kind, level, char_start, char_end }) => {
    expect(char_start).toBeGreaterThanOrEqual(end);
    expect(char_end).toBeGreaterThan(char_start);
    expect(char_end).toBeLessThanOrEqual(text.length);
    end = char_end;
    return [`${kind}${level ?? ""}`, text.slice(char_start, char_end)];
  });
}
