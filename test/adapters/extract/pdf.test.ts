import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { readPdf } from "../../../src/adapters/extract/pdf.ts";
import { blocksOf, fixturePath, read, readFixture } from "./reading.ts";

test("headings by size, paragraphs by lines, list items, tables, pages", async () => {
  const extracted = await readFixture(readPdf, "sample.pdf");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "The Lock Keeper's Guide"],
    ["heading2", "1 Filling the chamber"],
    [
      "paragraph",
      "Close the lower gates before you open the upper sluices. Water that runs in at both ends scours the floor, " +
        "and a boat in the chamber can be thrown against the upper sill.",
    ],
    ["paragraph", "Raise each sluice by a third, wait until the boats lie still, then raise it fully."],
    ["heading3", "1.1 What to watch"],
    ["list_item", "• The ropes of every boat, which must slip and never hold."],
    [
      "list_item",
      "• The mark on the wall, which shows when both levels are equal and the gates may be moved.",
    ],
    ["heading2", "2 Tolls"],
    ["paragraph", "The toll is paid before the gates open."],
    [
      "table",
      "| Boat | Length | Toll |\n| --- | --- | --- |\n| Punt | 5 m | 2 crowns |\n| Barge | 30 m | 12 crowns |",
    ],
  ]);
  expect(extracted.blocks.map(({ page }) => page)).toEqual([1, 1, 1, 1, 1, 1, 1, 2, 2, 2]);
  expect(extracted).toMatchObject({ page_count: 2, title: "The Lock Keeper's Guide" });
});

test("a sentence goes on in the next column; a file's name is no title", async () => {
  const extracted = await readFixture(readPdf, "columns.pdf");
  expect(extracted.text).toMatch(
    /^Left one begins .* that it holds continues in the right column .* at all\.$/,
  );
  expect(extracted.title).toBeNull();
});

test("a rotated page reads like an upright one", async () => {
  const { text } = await readFixture(readPdf, "rotated.pdf");
  expect(text).toBe("First line of the page, second line of it.");
});

test("progress counts pages", async () => {
  const seen: unknown[] = [];
  const bytes = readFileSync(fixturePath("sample.pdf"));
  await readPdf(bytesInput(bytes, "sample.pdf", (...step) => seen.push(step)));
  expect(seen).toEqual([
    [0, 2],
    [1, 2],
    [2, 2],
  ]);
  expect(bytes.subarray(0, 5).toString()).toBe("%PDF-"); // the caller's bytes are still there
});

describe("typed failures, which name the file", () => {
  test("no text on any page", async () => {
    await expect(readFixture(readPdf, "blank.pdf")).rejects.toMatchObject({
      code: "empty_document",
      message: expect.stringMatching(/^blank\.pdf holds no text on its 2 pages\. .*SLUICE_OCR_LANGUAGES/),
    });
  });

  test("a password", async () => {
    await expect(readFixture(readPdf, "encrypted.pdf")).rejects.toMatchObject({
      code: "encrypted_document",
      message: expect.stringContaining("encrypted.pdf"),
    });
  });

  test.each([
    ["no PDF at all", Buffer.from("hello")],
    ["cut before its first object", readFileSync(fixturePath("sample.pdf")).subarray(0, 12)],
    ["empty", Buffer.alloc(0)],
  ])("%s", async (_, bytes) => {
    await expect(read(readPdf, bytes, "bad.pdf")).rejects.toMatchObject({
      code: "malformed_document",
      message: expect.stringContaining("bad.pdf"),
    });
  });

  test("a broken cross-reference table is repaired", async () => {
    const broken = Buffer.from(
      readFileSync(fixturePath("sample.pdf"), "latin1").replace(/startxref\n\d+/, "startxref\n7"),
      "latin1",
    );
    expect((await read(readPdf, broken)).text).toContain("Close the lower gates");
  });
});
