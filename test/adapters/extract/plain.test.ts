import { expect, test } from "vitest";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { readPlainText } from "../../../src/adapters/extract/plain.ts";
import { blocksOf, read, readFixture } from "./reading.ts";

test("paragraphs are parted by blank lines", async () => {
  const extracted = await readFixture(readPlainText, "sample.txt");
  expect(blocksOf(extracted)).toEqual([
    ["paragraph", "The ferry runs from dawn to dusk.\nIt does not run in fog."],
    ["list_item", "1. Ring the bell.\n2. Wait at the white post."],
    ["paragraph", "Crossing takes a quarter of an hour."],
  ]);
  expect(extracted).toMatchObject({ page_count: null, title: null });
});

test("form feeds begin pages", async () => {
  const extracted = await read(readPlainText, "one\r\n\r\nstill one\f\ftwo blank before\f");
  expect(extracted.blocks.map(({ page }) => page)).toEqual([1, 1, 3]);
  expect(extracted.page_count).toBe(3);
});

test("NUL, control characters and broken surrogates do not come through", async () => {
  const source = Buffer.concat([
    Buffer.from("a\0b\u0007c "),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from(" d"),
  ]);
  const { text } = await read(readPlainText, source);
  expect(text).toMatch(/^abc .* d$/);
  expect(text.isWellFormed()).toBe(true);
});

test.each(["", " \n\t\n", "\0\0\0", "\ufeff"])("nothing in it: %j", async (source) => {
  await expect(read(readPlainText, source, "void.txt")).rejects.toMatchObject({
    code: "empty_document",
    message: expect.stringContaining("void.txt"),
  });
});

test("progress ends at the file's size", async () => {
  const seen: unknown[] = [];
  const bytes = Buffer.from("some words");
  await readPlainText(bytesInput(bytes, "a", (...step) => seen.push(step)));
  expect(seen.at(-1)).toEqual([10, 10]);
});
