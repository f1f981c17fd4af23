import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readDocx } from "../../../src/adapters/extract/docx.ts";
import { blocksOf, fixturePath, read, readFixture } from "./reading.ts";

test("headings by style, paragraphs, tables", async () => {
  const extracted = await readFixture(readDocx, "sample.docx");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Tide Tables"],
    ["heading1", "Reading them"],
    ["paragraph", "High water comes twice a day, fifty minutes later than the day before."],
    ["heading2", "At the harbour"],
    [
      "table",
      "| Day | High water | Height |\n| --- | --- | --- |\n| Monday | 06:12 | 4.1 m |\n| Tuesday | 07:02 | 4.3 m |",
    ],
    ["paragraph", "Heights are above chart datum & rounded."],
  ]);
  expect(extracted).toMatchObject({ title: "Tide Tables", page_count: null });
  expect(extracted.blocks.every(({ page }) => page === null)).toBe(true);
});

const container = Buffer.concat([Buffer.from("d0cf11e0a1b11ae1", "hex"), Buffer.alloc(600)]);
test.each([
  ["malformed_document", "cut in half", readFileSync(fixturePath("sample.docx")).subarray(0, 1_500)],
  ["malformed_document", "no zip", Buffer.from("hello there")],
  ["malformed_document", "two bytes", Buffer.from("PK")],
  ["malformed_document", "an old .doc", container],
  [
    "encrypted_document",
    "a password",
    Buffer.concat([container, Buffer.from("EncryptedPackage", "utf16le")]),
  ],
])("%s: %s", async (code, _, bytes) => {
  await expect(read(readDocx, bytes, "bad.docx")).rejects.toMatchObject({
    code,
    message: expect.stringContaining("bad.docx"),
  });
});
