/** XLSX: each sheet under its name, its rows as tables. Rows are read one by one, so that a million of them fit. */
import { limitExceeded, limits } from "../limits.ts";
import { builtInKind, kindOfFormat, type NumberKind, numberText } from "../sheets/cell-values.ts";
import { createSheetWriter, type SheetWriter, underHeading } from "../sheets/sheet-blocks.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  descendantsOf,
  isElement,
  parseEvents,
  textOf,
  unitsOf,
  type XmlElement,
} from "../xml.ts";
import { addDrawing, drawingsIn, runsOf } from "./drawing.ts";
import { aboutPackage, type OfficePackage, openPackage, relatedPart } from "./package.ts";

interface Workbook {
  office: OfficePackage;
  strings: string[];
  /** For each cell style, how its numbers read. */
  kinds: NumberKind[];
  from1904: boolean;
}

export async function readXlsx(input: ReaderInput) {
  const { bytes, filename, progress } = input;
  const office = await openPackage(bytes, filename, "xl/workbook.xml");
  const root = await office.part(office.main);
  const relations = await office.relations(office.main);
  const sheets = childrenOf(childOf(root, "sheets"), "sheet").flatMap((sheet) => {
    const part = relations.get(attributeOf(sheet, "r:id") ?? "")?.target;
    return part !== undefined && office.zip.has(part)
      ? [{ part, name: attributeOf(sheet, "name") ?? "" }]
      : [];
  });
  const workbook: Workbook = {
    office,
    strings: await readStrings(office),
    kinds: readKinds(await office.part(await relatedPart(office, office.main, "styles"))),
    from1904: /^(1|true)$/.test(attributeOf(childOf(root, "workbookPr"), "date1904") ?? ""),
  };
  const builder = createTextBuilder(input);
  const total = sheets.reduce((sum, { part }) => sum + office.zip.size(part), 0);
  let done = 0;
  const counted = async function* (pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      yield piece;
      done += piece.length;
      progress(Math.min(done, total), total);
    }
  };
  progress(0, total);
  for (const [index, { part, name }] of sheets.entries()) {
    const place = { page: index + 1, sheet: name };
    // A heading over nothing says nothing: it waits for the sheet's first text.
    const under = underHeading(builder, name, place);
    await addRows(workbook, counted(office.zip.stream(part)!), under, createSheetWriter(under, input, place));
    await addAround(office, part, under, place);
  }
  progress(total, total);
  const { title, facts } = await aboutPackage(office);
  return builder.finish(filename, { title, facts, page_count: sheets.length });
}

async function readStrings(office: OfficePackage): Promise<string[]> {
  const part = await relatedPart(office, office.main, "sharedStrings");
  const stream = part === undefined ? undefined : office.zip.stream(part);
  const strings: string[] = [];
  if (stream === undefined) return strings;
  for await (const item of unitsOf(stream, office.filename, (name) => name === "si"))
    strings.push(richText(item));
  return strings;
}

/** Without the readings that Japanese texts carry. */
function richText(item: XmlElement): string {
  return item.children
    .filter((node) => isElement(node))
    .map((node) => (node.name === "t" ? textOf(node) : node.name === "r" ? textOf(childOf(node, "t")) : ""))
    .join("");
}

function readKinds(root: XmlElement | undefined): NumberKind[] {
  const formats = new Map<string, NumberKind>();
  for (const format of childrenOf(childOf(root, "numFmts"), "numFmt")) {
    formats.set(attributeOf(format, "numFmtId") ?? "", kindOfFormat(attributeOf(format, "formatCode") ?? ""));
  }
  return childrenOf(childOf(root, "cellXfs"), "xf").map((style) => {
    const id = attributeOf(style, "numFmtId") ?? "0";
    return formats.get(id) ?? builtInKind(Number(id));
  });
}

async function addRows(
  workbook: Workbook,
  sheet: AsyncIterable<Uint8Array>,
  builder: TextBuilder,
  writer: SheetWriter,
): Promise<void> {
  const { filename } = workbook.office;
  let ready: { number: number; cells: string[] }[] = [];
  let number = 0;
  let cells: string[] = [];
  let column = -1;
  let cell: { type: string; style: number; value: string } | undefined;
  let inValue = false;

  const events = {
    open(name: string, attributes: Readonly<Record<string, string>>) {
      if (name === "row") {
        number = Number(attributes.r) || number + 1;
        cells = [];
        column = -1;
      } else if (name === "c") {
        column = attributes.r === undefined ? column + 1 : columnOf(attributes.r);
        if (column >= limits.columns) {
          throw limitExceeded(filename, `has more than ${limits.columns} columns in one row`);
        }
        cell = { type: attributes.t ?? "n", style: Number(attributes.s ?? 0), value: "" };
      } else if (name === "v" || name === "t") inValue = cell !== undefined;
      else if (name === "rPh") cell = undefined;
    },
    text(text: string) {
      if (inValue && cell !== undefined) cell.value += text;
    },
    close(name: string) {
      if (name === "v" || name === "t") inValue = false;
      else if (name === "c") {
        if (cell !== undefined && cell.value !== "") cells[column] = shownValue(workbook, cell);
        cell = undefined;
      } else if (name === "row") ready.push({ number, cells });
    },
  };
  for await (const _ of parseEvents(sheet, filename, events)) {
    for (const row of ready) writer.row(row.number, row.cells);
    ready = [];
    await builder.handOver();
  }
  writer.end();
}

function shownValue(
  { strings, kinds, from1904 }: Workbook,
  { type, style, value }: { type: string; style: number; value: string },
): string {
  switch (type) {
    case "s":
      return strings[Number(value)] ?? "";
    case "b":
      return value === "1" || value === "true" ? "TRUE" : "FALSE";
    case "n": {
      const number = Number(value);
      return Number.isNaN(number) ? value : numberText(number, kinds[style] ?? "plain", from1904);
    }
    default:
      return value;
  }
}

/** From 0: `C7` is 2. */
function columnOf(reference: string): number {
  let column = 0;
  for (let index = 0; index < reference.length; index++) {
    const code = reference.charCodeAt(index) | 32;
    if (code < 97 || code > 122) break;
    column = column * 26 + code - 96;
  }
  return column - 1;
}

/** Comments, text boxes and charts of a sheet. */
async function addAround(
  office: OfficePackage,
  part: string,
  builder: TextBuilder,
  place: { page: number; sheet: string },
): Promise<void> {
  for (const { type, target, external } of (await office.relations(part)).values()) {
    if (external) continue;
    if (type === "comments") {
      for (const comment of descendantsOf(await office.part(target), "comment")) {
        const text = richText(childOf(comment, "text") ?? comment).trim();
        if (text !== "") builder.add("footnote", `${attributeOf(comment, "ref")}: ${text}`, place);
      }
    } else if (type === "drawing") {
      const root = await office.part(target);
      for (const body of descendantsOf(root, "txBody")) builder.add("paragraph", runsOf(body), place);
      const relations = await office.relations(target);
      for (const frame of descendantsOf(root, "graphicFrame")) {
        for (const id of drawingsIn(frame)) {
          const drawn = relations.get(id)?.target;
          if (drawn !== undefined) await addDrawing(office, drawn, builder, place);
        }
      }
    }
  }
}
