/** What stands in texts and on slides of OpenDocument files: headings, paragraphs, lists, tables, notes. */
import { linkText } from "../links.ts";
import { addGrid } from "../table.ts";
import type { TextBuilder } from "../text-builder.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  descendantsOf,
  isElement,
  textOf,
  type XmlElement,
} from "../xml.ts";
import { markOf, type OdfStyles, styleName } from "./package.ts";

export interface OdfReading {
  builder: TextBuilder;
  styles: OdfStyles;
  page: number;
  /** The first heading of the first level. */
  title: string | null;
  /** Lines of code so far: each is a paragraph. */
  code: string[];
  /** How far each list has counted, for those that go on after a break. */
  counts: Map<string, number>;
}

export function createReading(builder: TextBuilder, styles: OdfStyles): OdfReading {
  return { builder, styles, page: 1, title: null, code: [], counts: new Map() };
}

interface Around {
  notes: string[];
  boxes: XmlElement[];
}

const MOST_SPAN = 64;

/** Appends whatever an element of a body is, or holds. */
export function addOdfBlock(reading: OdfReading, element: XmlElement): void {
  const { builder } = reading;
  switch (element.name) {
    case "h":
    case "p":
      addParagraph(reading, element);
      break;
    case "list":
      flushCode(reading);
      addList(reading, element, undefined, []);
      break;
    case "table":
      flushCode(reading);
      addTable(reading, element);
      break;
    case "soft-page-break":
      reading.page++;
      break;
    // Not the text of the document: former states of it, and lists of what stands elsewhere in it.
    case "tracked-changes":
    case "table-of-content":
    case "index-title":
    case "alphabetical-index":
    case "desc":
    case "forms":
    case "event-listeners":
    case "notes":
      break;
    case "annotation":
      builder.add("footnote", commentText(element), { page: reading.page });
      break;
    default:
      for (const child of element.children) if (isElement(child)) addOdfBlock(reading, child);
  }
}

function addParagraph(reading: OdfReading, element: XmlElement): void {
  const { builder, styles } = reading;
  const around: Around = { notes: [], boxes: [] };
  const { page } = reading;
  const text = inlineText(reading, element, around).trim();
  const style = styleName(styles, attributeOf(element, "text:style-name"));
  if (element.name === "p" && /preformatted|source|code/.test(style)) {
    reading.code.push(inlineText(reading, element, { notes: [], boxes: [] }));
  } else {
    flushCode(reading);
    const level = element.name === "h" ? Number(attributeOf(element, "outline-level") ?? 1) || 1 : undefined;
    const isTitle = element.name === "p" && style === "title";
    if (level !== undefined || isTitle) {
      if (text !== "" && (level ?? 1) === 1) reading.title ??= text;
      builder.add("heading", text, { level: level ?? 1, page });
    } else builder.add(/quot/.test(style) ? "quote" : "paragraph", text, { page });
  }
  addAround(reading, around);
}

function addAround(reading: OdfReading, { notes, boxes }: Around): void {
  for (const box of boxes) addOdfBlock(reading, box);
  for (const note of notes) reading.builder.add("footnote", note, { page: reading.page });
}

export function flushCode(reading: OdfReading): void {
  const lines = reading.code.splice(0);
  if (lines.length > 0) reading.builder.add("code", lines.join("\n"), { page: reading.page });
}

/** White space is one space, as the format has it; what shall be more is written as elements. */
function inlineText(reading: OdfReading, parent: XmlElement, around: Around): string {
  let text = "";
  for (const node of parent.children) {
    if (!isElement(node)) {
      text += node.replace(/[ \t\r\n]+/g, " ");
      continue;
    }
    switch (node.name) {
      case "s":
        text += " ".repeat(Math.min(200, Number(attributeOf(node, "c") ?? 1) || 1));
        break;
      case "tab":
        text += "\t";
        break;
      case "line-break":
        text += "\n";
        break;
      case "soft-page-break":
        reading.page++;
        break;
      case "a":
        text += linkText(inlineText(reading, node, around), attributeOf(node, "href"));
        break;
      case "note": {
        const mark = textOf(childOf(node, "note-citation")).trim();
        const body = descendantsOf(childOf(node, "note-body"), "p").map((line) =>
          inlineText(reading, line, around),
        );
        text += `[^${mark}]`;
        around.notes.push(`[^${mark}]: ${body.join(" ").trim()}`);
        break;
      }
      case "annotation":
        around.notes.push(commentText(node));
        break;
      case "frame":
      case "custom-shape":
      case "g":
        around.boxes.push(node);
        break;
      case "ruby-text":
      case "bibliography-mark":
      case "annotation-end":
        break;
      default:
        text += inlineText(reading, node, around);
    }
  }
  return text;
}

function commentText(annotation: XmlElement): string {
  const by = textOf(childOf(annotation, "creator")).trim();
  const words = descendantsOf(annotation, "p").map(textOf).join(" ").trim();
  return words === "" ? "" : `Comment${by === "" ? "" : ` by ${by}`}: ${words}`;
}

function addList(
  reading: OdfReading,
  list: XmlElement,
  inherited: string | undefined,
  above: readonly number[],
): void {
  const { builder, styles, counts } = reading;
  const style = attributeOf(list, "text:style-name") ?? inherited;
  const levels = style === undefined ? undefined : styles.lists.get(style);
  const key = `${style}:${above.length}`;
  const goesOn =
    attributeOf(list, "continue-numbering") === "true" || attributeOf(list, "continue-list") !== undefined;
  let number = (goesOn ? counts.get(key) : undefined) ?? (levels?.get(above.length + 1)?.start ?? 1) - 1;
  for (const item of list.children) {
    if (!isElement(item) || (item.name !== "list-item" && item.name !== "list-header")) continue;
    if (item.name === "list-item") number = Number(attributeOf(item, "start-value")) || number + 1;
    const numbers = [...above, number];
    let mark = item.name === "list-item" ? markOf(levels, numbers) : "";
    for (const child of item.children) {
      if (!isElement(child)) continue;
      if (child.name === "list") addList(reading, child, style, numbers);
      else if (child.name === "h") addParagraph(reading, child);
      else if (child.name === "p") {
        const around: Around = { notes: [], boxes: [] };
        const { page } = reading;
        const text = inlineText(reading, child, around).trim();
        if (text !== "") {
          const indent = "  ".repeat(above.length);
          builder.add("list_item", `${indent}${mark === "" ? "" : `${mark} `}${text}`, { page });
          mark = "";
        }
        addAround(reading, around);
      } else addOdfBlock(reading, child);
    }
  }
  counts.set(key, number);
}

/** Rows wherever they are grouped. */
export function rowsIn(table: XmlElement): XmlElement[] {
  return table.children
    .filter((node) => isElement(node))
    .flatMap((node) =>
      node.name === "table-row" ? [node] : /^table-.*row/.test(node.name) ? rowsIn(node) : [],
    );
}

function addTable(reading: OdfReading, table: XmlElement): void {
  const rows = rowsIn(table);
  const cells = rows.map((row) =>
    row.children.filter((node) => isElement(node)).filter(({ name }) => /^(covered-)?table-cell$/.test(name)),
  );
  const real = cells.flat().filter(({ name }) => name === "table-cell");
  if (real.length === 1 || real.some((cell) => childrenOf(cell, "h").length > 0)) {
    for (const cell of real)
      for (const child of cell.children) if (isElement(child)) addOdfBlock(reading, child);
    return;
  }
  const { page } = reading;
  const around: Around = { notes: [], boxes: [] };
  const grid = cells.map((row) =>
    row.flatMap((cell) => {
      const repeated = Math.min(MOST_SPAN, Number(attributeOf(cell, "number-columns-repeated") ?? 1) || 1);
      const text = cell.name === "table-cell" ? cellText(reading, cell, around) : "";
      return Array<string>(repeated).fill(text);
    }),
  );
  addGrid(reading.builder, grid, { page });
  addAround(reading, around);
}

function cellText(reading: OdfReading, cell: XmlElement, around: Around): string {
  return cell.children
    .filter((node) => isElement(node))
    .map((node) => {
      if (node.name === "p" || node.name === "h") return inlineText(reading, node, around);
      return descendantsOf(node, "p")
        .map((line) => inlineText(reading, line, around))
        .join(node.name === "table" ? ", " : " ");
    })
    .filter((text) => text.trim() !== "")
    .join(" ");
}
