/** Long files: read piece by piece, handed over part by part, and the same text as if they had been read at once. */
import { describe, expect, test } from "vitest";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { readXlsx } from "../../../src/adapters/extract/ooxml/xlsx.ts";
import { readPlainText } from "../../../src/adapters/extract/plain.ts";
import { readCsv } from "../../../src/adapters/extract/sheets/csv.ts";
import { readNdjson } from "../../../src/adapters/extract/text/ndjson.ts";
import type { Reader } from "../../../src/adapters/extract/text-builder.ts";
import type { ExtractedPart } from "../../../src/chunk.ts";
import { makeXlsx } from "../../fixtures/ooxml.ts";
import { sheetRow } from "../../fixtures/samples.ts";
import { read } from "./reading.ts";

const lines = (count: number, line: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => line(n)).join("\n");

const row = (n: number) => `${n},"lock ${n}, lower gate",${(n * 7919) % 1000}`;
const cell = (text: string) => `<c t="inlineStr"><is><t>${text}</t></is></c>`;
const sheet = () =>
  makeXlsx([
    [
      "Tolls",
      sheetRow(1, cell("Day"), cell("Boat")) +
        lines(30_000, (n) => sheetRow(n + 2, cell(`${n}`), cell(`Barge ${n}`))),
    ],
  ]);

const long: [string, Reader, () => Uint8Array][] = [
  ["paragraphs", readPlainText, () => Buffer.from(lines(40_000, (n) => `Paragraph ${n} ends here.\n`))],
  [
    "a log without a blank line",
    readPlainText,
    () => Buffer.from(lines(40_000, (n) => `2026-11-25 line ${n}`)),
  ],
  [
    "one endless line",
    readPlainText,
    () => Buffer.from(lines(300_000, (n) => `word${n}`).replaceAll("\n", " ")),
  ],
  ["a line of nothing but letters", readPlainText, () => Buffer.from("𝔘".repeat(500_000))],
  ["pages", readPlainText, () => Buffer.from(lines(20_000, (n) => `On page ${n}\n\n${"fog ".repeat(20)}\f`))],
  [
    "UTF-16 with Windows' line ends",
    readPlainText,
    () =>
      Buffer.from(
        lines(40_000, (n) => `\ufeffZeile ${n} für Öl\r`),
        "utf16le",
      ),
  ],
  ["CSV", readCsv, () => Buffer.from(`day,place,toll\n${lines(30_000, row)}`)],
  [
    "NDJSON",
    readNdjson,
    () => Buffer.from(lines(60_000, (n) => JSON.stringify({ day: n, boat: `Barge ${n}` }))),
  ],
  [
    "NDJSON that is no table",
    readNdjson,
    () => Buffer.from(lines(250_000, (n) => JSON.stringify(n % 2 ? [n] : { n }))),
  ],
  ["XLSX", readXlsx, sheet],
];

describe.each(long)("%s", (_, reader, make) => {
  test("parts make the same text and blocks, and none of them is large", async () => {
    const bytes = make();
    const whole = await read(reader, bytes);
    const parts: ExtractedPart[] = [];
    const rest = await reader({ ...bytesInput(bytes, "file"), part: async (part) => void parts.push(part) });
    expect(parts.length).toBeGreaterThan(1);
    for (const { text } of parts) expect(text.length).toBeLessThan(2 * 1024 * 1024);
    const all = [...parts, rest];
    expect(all.map(({ text }) => text).join("")).toBe(whole.text);
    expect(all.flatMap(({ blocks }) => blocks)).toEqual(whole.blocks);
    expect({ ...rest, text: "", blocks: [] }).toEqual({ ...whole, text: "", blocks: [] });
  });

  test("nothing lies between the blocks that isn't a line end or the cut of a word", async () => {
    const { text, blocks } = await read(reader, make());
    let end = 0;
    for (const { char_start, char_end, continues } of blocks) {
      const gap = text.slice(end, char_start);
      if (continues) expect(["\n", ""]).toContain(gap);
      else if (end > 0) expect(gap).toBe("\n\n");
      expect(char_end - char_start).toBeLessThanOrEqual(40 * 1024);
      end = char_end;
    }
    expect(end).toBe(text.length);
  });
});

test("what was one paragraph still reads as one", async () => {
  const source = lines(5_000, (n) => `2026-11-25 line ${n} of the log`);
  const { text, blocks } = await read(readPlainText, source);
  expect(text).toBe(source);
  expect(blocks.slice(1).every(({ continues }) => continues)).toBe(true);
  const words = lines(20_000, (n) => `word${n}`).replaceAll("\n", " ");
  expect((await read(readPlainText, words)).text).toBe(words);
});

test("the rows of a long table keep their numbers", async () => {
  const { text, blocks } = await read(readCsv, `day,place,toll\n${lines(30_000, row)}`);
  for (const block of blocks.slice(1)) {
    const first = text.slice(block.char_start, text.indexOf("\n", block.char_start));
    // Row 1 is the header.
    expect(first).toContain(`| ${block.row! - 2} | lock ${block.row! - 2}, lower gate |`);
  }
});
