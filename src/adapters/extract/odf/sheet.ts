/** ODS: each sheet under its name, its rows as tables. Repeated rows and cells are written out while they say something. */
import { limitExceeded, limits } from "../limits.ts";
import { createSheetWriter, type SheetWriter, underHeading } from "../sheets/sheet-blocks.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import {
  attributeOf,
  childrenOf,
  descendantsOf,
  isElement,
  textOf,
  unitsOf,
  type XmlElement,
} from "../xml.ts";
import { openOdf } from "./package.ts";

export async function readOds(input: ReaderInput) {
  const { bytes, filename, progress } = input;
  progress(0, null);
  const document = await openOdf(bytes, filename);
  const builder = createTextBuilder(input);
  let page = 0;
  let number = 0;
  let writer: SheetWriter | undefined;
  let comments: string[] = [];
  let under = builder;
  const isMark = (name: string) => name === "table";
  for await (const element of unitsOf(document.content(), filename, (name) => name === "table-row", isMark)) {
    if (element.mark === "open") {
      page++;
      number = 0;
      const place = { page, sheet: attributeOf(element, "table:name") ?? `${page}` };
      under = underHeading(builder, place.sheet, place);
      writer = createSheetWriter(under, input, place);
      progress(page, null);
    } else if (element.mark === "close") {
      writer?.end();
      for (const comment of comments) under.add("footnote", comment);
      comments = [];
    } else if (writer !== undefined) {
      number = addRow(writer, element, number, comments, filename);
      await builder.handOver();
    }
  }
  const { facts, title } = document;
  return builder.finish(filename, { title, facts, page_count: page });
}

/** @returns the number of the last row that the element stands for */
function addRow(
  writer: SheetWriter,
  row: XmlElement,
  before: number,
  comments: string[],
  filename: string,
): number {
  const cells: string[] = [];
  let column = 0;
  for (const cell of row.children) {
    if (!isElement(cell) || !/^(covered-)?table-cell$/.test(cell.name)) continue;
    const repeated = Number(attributeOf(cell, "number-columns-repeated") ?? 1) || 1;
    const text = shownValue(cell);
    if (text !== "") {
      if (column + repeated > limits.columns) {
        throw limitExceeded(filename, `has more than ${limits.columns} columns in one row`);
      }
      cells.length = column;
      for (let index = 0; index < repeated; index++) cells.push(text);
    }
    for (const note of childrenOf(cell, "annotation")) {
      const words = descendantsOf(note, "p").map(textOf).join(" ").trim();
      if (words !== "") comments.push(`Row ${before + 1}, column ${column + 1}: ${words}`);
    }
    column += repeated;
  }
  const repeated = Number(attributeOf(row, "number-rows-repeated") ?? 1) || 1;
  if (cells.length > 0) {
    for (let index = 1; index <= repeated; index++) writer.row(before + index, cells);
  }
  return before + repeated;
}

/** Dates as ISO 8601; everything else as the sheet shows it. */
function shownValue(cell: XmlElement): string {
  const type = attributeOf(cell, "office:value-type");
  const date = type === "date" ? attributeOf(cell, "office:date-value") : undefined;
  if (date !== undefined) return date.replace(/T00:00:00$/, "");
  return childrenOf(cell, "p").map(textOf).join(" ").trim();
}
