import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readDocx } from "../../../src/adapters/extract/ooxml/docx.ts";
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

test.each([
  ["cut in half", readFileSync(fixturePath("sample.docx")).subarray(0, 1_500)],
  ["no zip", Buffer.from("hello there")],
  ["two bytes", Buffer.from("PK")],
])("malformed: %s", async (_, bytes) => {
  await expect(read(readDocx, bytes, "bad.docx")).rejects.toMatchObject({
    code: "malformed_document",
    message: expect.stringContaining("bad.docx"),
  });
});
