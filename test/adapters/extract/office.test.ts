/** The samples of every office format: structure, places and facts. */
import { describe, expect, test } from "vitest";
import { readEpub } from "../../../src/adapters/extract/epub.ts";
import { readDoc } from "../../../src/adapters/extract/legacy/doc.ts";
import { readPpt } from "../../../src/adapters/extract/legacy/ppt.ts";
import { readXls } from "../../../src/adapters/extract/legacy/xls.ts";
import { readOds } from "../../../src/adapters/extract/odf/sheet.ts";
import { readOdp } from "../../../src/adapters/extract/odf/slides.ts";
import { readOdt } from "../../../src/adapters/extract/odf/text.ts";
import { readPptx } from "../../../src/adapters/extract/ooxml/pptx.ts";
import { readXlsx } from "../../../src/adapters/extract/ooxml/xlsx.ts";
import { makeXlsx } from "../../fixtures/ooxml.ts";
import { excelParts, makeOdf, sheetRow } from "../../fixtures/samples.ts";
import { blocksOf, read, readFixture } from "./reading.ts";

const facts = {
  author: "Ada Lock",
  authored_at: "2024-03-01T08:00:00Z",
  modified_at: "2024-03-02T09:30:00Z",
};

test("PPTX: slides as pages, title first, bullets, tables, charts, notes", async () => {
  const extracted = await readFixture(readPptx, "sample.pptx");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Locks and Weirs"],
    ["paragraph", "For lock keepers"],
    ["heading1", "Before opening"],
    ["list_item", "- Close the lower gates"],
    ["list_item", "  - Check the ropes"],
    ["list_item", "- Wait"],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Punt | 2 |\n| Barge | 12 |"],
    ["paragraph", "Boats a year"],
    ["table", "|  | Boats |\n| --- | --- |\n| 2022 | 310 |\n| 2023 | 288 |"],
    ["note", "Tell of the flood of 1953."],
  ]);
  expect(extracted.blocks.map(({ page }) => page)).toEqual([1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
  expect(extracted).toMatchObject({ title: "Locks", page_count: 2, facts: { ...facts, language: "en-GB" } });
});

describe("XLSX", () => {
  test("sheets under their names, tables with their rows, dates as ISO", async () => {
    const extracted = await readFixture(readXlsx, "sample.xlsx");
    expect(blocksOf(extracted)).toEqual([
      ["heading1", "Tolls"],
      ["paragraph", "Tolls of 2024"],
      [
        "table",
        "| Boat | Date | Passed | Share |\n| --- | --- | --- | --- |\n| Punt | 2024-03-01 | TRUE | 12.5% |\n| Barge \\| tug | 2024-03-02T12:00:00 | FALSE | 0.3 |",
      ],
      ["heading1", "Notes"],
      ["paragraph", "Paid at the gate"],
    ]);
    expect(extracted.blocks.map(({ page, sheet, row }) => [page, sheet, row])).toEqual([
      [1, "Tolls", undefined],
      [1, "Tolls", 1],
      [1, "Tolls", 3],
      [3, "Notes", undefined],
      [3, "Notes", 7],
    ]);
    expect(extracted).toMatchObject({ page_count: 3, facts });
  });

  test("every line of a table is the next row, also after the columns have been settled", async () => {
    const rows = Array.from({ length: 2_000 }, (_, index) =>
      sheetRow(
        index + 1,
        `<c><v>${index + 1}</v></c>`,
        `<c><v>${index * 2}</v></c>`,
        index === 1_500 ? '<c r="H1501"><v>7</v></c>' : "",
      ),
    );
    const { text, blocks } = await read(readXlsx, makeXlsx([["Long", rows.join("")]], excelParts));
    const table = blocks[1]!;
    const lines = text.slice(table.char_start, table.char_end).split("\n");
    expect(table.row).toBe(1);
    expect(lines).toHaveLength(2_001);
    expect(lines[1_501]).toBe("| 1501 | 3000 | 7 |");
  });

  test("a gap parts two tables, but not a head from its body", async () => {
    const pair = (index: number, a: string, b: string) =>
      sheetRow(index, `<c t="str"><v>${a}</v></c>`, `<c t="str"><v>${b}</v></c>`);
    const body = [1, 3, 4, 5, 6, 8, 9].map((index) => pair(index, `a${index}`, `b${index}`)).join("");
    const extracted = await read(readXlsx, makeXlsx([["S", body]], excelParts));
    const tables = extracted.blocks.filter(({ kind }) => kind === "table");
    expect(tables.map(({ row }) => row)).toEqual([1, 8]);
    const lines = extracted.text.slice(tables[0]!.char_start, tables[0]!.char_end).split("\n");
    expect(lines).toEqual([
      "| a1 | b1 |",
      "| --- | --- |",
      "|  |  |",
      "| a3 | b3 |",
      "| a4 | b4 |",
      "| a5 | b5 |",
      "| a6 | b6 |",
    ]);
  });
});

test("XLS", async () => {
  const extracted = await readFixture(readXls, "sample.xls");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Tolls"],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Punt | 2 |\n| Barge | 12 |"],
  ]);
  expect(extracted.blocks[1]).toMatchObject({ page: 1, sheet: "Tolls", row: 1 });
});

test("ODT: headings, notes, links, lists, tables, facts", async () => {
  const extracted = await readFixture(readOdt, "sample.odt");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Weirs"],
    ["paragraph", "A weir[^1] raises  water, see [the register](https://example.org/weirs)."],
    ["footnote", "[^1]: From Old English."],
    ["list_item", "1. Look"],
    ["list_item", "  - left"],
    ["list_item", "2. Walk"],
    ["table", "| Weir | Height |\n| --- | --- |\n| Upper | 2 m |"],
  ]);
  expect(extracted).toMatchObject({
    title: "Weirs",
    facts: { author: "Ada Lock", authored_at: "2024-03-01T08:00:00.123", language: "en-GB" },
  });
});

test("ODS: a million repeated empty rows cost nothing", async () => {
  const extracted = await readFixture(readOds, "sample.ods");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Levels"],
    ["table", "| Day | Level |\n| --- | --- |\n| 2024-03-01 | 1.2 |"],
  ]);
  expect(extracted.blocks[1]).toMatchObject({ page: 1, sheet: "Levels", row: 1 });
});

test("ODP: title first, notes last", async () => {
  expect(blocksOf(await readFixture(readOdp, "sample.odp"))).toEqual([
    ["heading1", "Floods"],
    ["list_item", "- Rain"],
    ["note", "Pause here."],
  ]);
});

test("an ODF file with a password", async () => {
  const locked = makeOdf("text", "<office:text/>", "", [
    ["META-INF/manifest.xml", "<manifest><file-entry><encryption-data/></file-entry></manifest>"],
  ]);
  await expect(read(readOdt, locked)).rejects.toMatchObject({ code: "encrypted_document" });
});

test("EPUB: chapters in the order of the spine", async () => {
  const extracted = await readFixture(readEpub, "sample.epub");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "First"],
    ["paragraph", "Up the locks."],
    ["heading1", "Second"],
    ["paragraph", "Down the locks."],
  ]);
  expect(extracted).toMatchObject({
    title: "The Canal",
    facts: { author: "Ada Lock", authored_at: "1998", language: "en" },
  });
});

test("DOC: headings by style, lists, tables, links", async () => {
  const extracted = await readFixture(readDoc, "sample.doc");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "The lock keeper's diary"],
    ["paragraph", "Frost on the [gates](https://example.org/gates)."],
    ["list_item", "- oil"],
    ["list_item", "  - grease"],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Punt | 2 |"],
    ["paragraph", "So be it."],
  ]);
  expect(extracted.title).toBe("The lock keeper's diary");
});

test("PPT: titles from the outline, texts of the slide, notes", async () => {
  const extracted = await readFixture(readPpt, "sample.ppt");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Sluices"],
    ["list_item", "- Open"],
    ["list_item", "- Wait long"],
    ["note", "Speak slowly."],
  ]);
  expect(extracted).toMatchObject({ title: "Sluices", page_count: 1 });
});
