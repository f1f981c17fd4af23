/**
 * DOCX. Pages are those that Word counted when it last saved the file; a file that no Word has laid out has none.
 * Notes and comments follow the paragraph they belong to, so that they are found with it.
 */
import type { Block } from "../../../chunk.ts";
import { decodeBytes } from "../charset.ts";
import { languageTag } from "../facts.ts";
import { addHtml } from "../html.ts";
import { addGrid } from "../table.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  descendantsOf,
  isElement,
  pathOf,
  unitsOf,
  type XmlElement,
} from "../xml.ts";
import { type Numbering, outlineLevel, readNumbering, readStyles, type Styles } from "./docx-styles.ts";
import { type ParagraphText, paragraphText, type TextState } from "./docx-text.ts";
import { addDrawing } from "./drawing.ts";
import { aboutPackage, type OfficePackage, openPackage, relatedPart } from "./package.ts";

/** A document with more kinds of page heads has one for each chapter; their words are the chapters' own. */
const MOST_HEADS = 6;

interface Reading {
  office: OfficePackage;
  builder: TextBuilder;
  styles: Styles;
  numbering: Numbering;
  state: TextState;
  /** Texts of footnotes, endnotes and comments, by type and id. */
  notes: ReadonlyMap<string, string>;
  title: string | null;
  /** Lines of code so far: Word has a paragraph for each. */
  code: string[];
}

export async function readDocx({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const office = await openPackage(bytes, filename, "word/document.xml");
  const related = async (type: string) => office.part(await relatedPart(office, office.main, type));
  const styleRoot = await related("styles");
  const reading: Reading = {
    office,
    builder: createTextBuilder(),
    styles: readStyles(styleRoot),
    numbering: readNumbering(await related("numbering")),
    state: { relations: await office.relations(office.main), fields: [], page: 1 },
    notes: await readNotes(office),
    title: null,
    code: [],
  };
  const { builder, state } = reading;
  const heads = await runningText(reading, "header");
  const feet = await runningText(reading, "footer");
  builder.add("paragraph", heads, { page: 1 });
  for await (const block of unitsOf(office.zip.stream(office.main)!, filename, isBlock)) {
    await addBlock(reading, block);
  }
  flushCode(reading);
  builder.add("paragraph", feet, { page: state.page });
  progress(bytes.byteLength, bytes.byteLength);

  const { title, facts } = await aboutPackage(office);
  const language = attributeOf(pathOf(styleRoot, "docDefaults", "rPrDefault", "rPr", "lang"), "val");
  const tag = languageTag(language);
  if (tag !== undefined) facts.language ??= tag;
  const paged = state.page > 1;
  const extracted = builder.finish(filename, {
    title: title ?? reading.title,
    facts,
    page_count: paged ? state.page : undefined,
  });
  // Without a single break, nobody knows whether the document has one page or hundreds.
  return paged ? extracted : { ...extracted, blocks: extracted.blocks.map(withoutPage) };
}

const isBlock = (name: string) => name === "p" || name === "tbl" || name === "altChunk";
const withoutPage = (block: Block): Block => ({ ...block, page: null });

async function addBlock(reading: Reading, block: XmlElement): Promise<void> {
  if (block.name === "tbl") await addTable(reading, block);
  else if (block.name === "altChunk") addPart(reading, block);
  else await addParagraph(reading, block);
}

/** A page of HTML that a program has put in, and left to Word to turn into paragraphs. */
function addPart({ builder, office, state }: Reading, chunk: XmlElement): void {
  const target = state.relations.get(attributeOf(chunk, "r:id") ?? "")?.target;
  const data = target !== undefined && /\.x?html?$/i.test(target) ? office.zip.read(target) : undefined;
  if (data !== undefined) addHtml(builder, decodeBytes(data));
}

/** Paragraphs and tables below, wherever they are wrapped. */
function blocksIn(parent: XmlElement): XmlElement[] {
  return parent.children
    .filter((node) => isElement(node))
    .flatMap((node) => (isBlock(node.name) ? [node] : blocksIn(node)));
}

async function addParagraph(reading: Reading, paragraph: XmlElement): Promise<void> {
  const { builder, state, styles } = reading;
  const found = paragraphText(paragraph, state);
  const properties = childOf(paragraph, "pPr");
  const style = styles.get(attributeOf(childOf(properties, "pStyle"), "val") ?? "");
  const { text, page } = found;
  const own = outlineLevel(properties);
  const level = own === null ? style?.heading : own;
  const label = text.trim() === "" ? undefined : labelOf(reading, properties, style);
  const name = style?.name ?? "";
  if (/\b(code|preformatted|macro|source)\b/.test(name) && level === undefined) {
    reading.code.push(text);
  } else if (!/^toc \d|^table of figures/.test(name)) {
    flushCode(reading);
    const numbered = label === undefined || label.text === "-" ? text : `${label.text} ${text}`.trim();
    if (level !== undefined && text.length <= 1_000) {
      if (text.trim() !== "" && (level === 1 || name === "title")) reading.title ??= text;
      builder.add("heading", numbered, { level, page });
    } else if (label !== undefined && label.text !== "") {
      builder.add("list_item", `${"  ".repeat(label.level)}${label.text} ${text}`, { page });
    } else builder.add(name.includes("quote") ? "quote" : "paragraph", text, { page });
  }
  await addAround(reading, found);
}

/** Boxes, drawings and notes of a paragraph. */
async function addAround(reading: Reading, { boxes, drawings, notes, page }: ParagraphText): Promise<void> {
  const { builder, office, state } = reading;
  for (const box of boxes) for (const block of blocksIn(box)) await addBlock(reading, block);
  for (const id of drawings) {
    const target = state.relations.get(id)?.target;
    if (target !== undefined) await addDrawing(office, target, builder, { page });
  }
  for (const { type, id } of notes) {
    const text = reading.notes.get(`${type}:${id}`) ?? "";
    if (text === "") continue;
    const mark = type === "comment" ? "" : `[^${type === "endnote" ? "e" : ""}${id}]: `;
    builder.add("footnote", mark + text, { page });
  }
}

function labelOf(
  { numbering }: Reading,
  properties: XmlElement | undefined,
  style: ReturnType<Styles["get"]>,
): { text: string; level: number } | undefined {
  const own = childOf(properties, "numPr");
  const list = attributeOf(childOf(own, "numId"), "val") ?? style?.numbering?.list;
  if (list === undefined || list === "0") return undefined;
  const level = Number(attributeOf(childOf(own, "ilvl"), "val") ?? style?.numbering?.level ?? 0);
  return { text: numbering.label(list, level), level };
}

function flushCode(reading: Reading): void {
  const lines = reading.code.splice(0);
  if (lines.length > 0) reading.builder.add("code", lines.join("\n"), { page: reading.state.page });
}

async function addTable(reading: Reading, table: XmlElement): Promise<void> {
  flushCode(reading);
  const rows = descendantsOf(table, "tr").filter((row) => pathOf(row, "trPr", "del") === undefined);
  const cells = rows.map((row) => descendantsOf(row, "tc"));
  if (isLayout(reading, cells)) {
    for (const cell of cells.flat()) for (const block of blocksIn(cell)) await addBlock(reading, block);
    return;
  }
  const place = { page: reading.state.page };
  const around: ParagraphText[] = [];
  const grid = cells.map((row) =>
    row.flatMap((cell) => {
      const properties = childOf(cell, "tcPr");
      const span = Math.min(64, Number(attributeOf(childOf(properties, "gridSpan"), "val") ?? 1) || 1);
      const merge = childOf(properties, "vMerge");
      const continues = merge !== undefined && attributeOf(merge, "val") !== "restart";
      const text = continues ? "" : cellText(reading, cell, around);
      return [text, ...Array<string>(span - 1).fill("")];
    }),
  );
  addGrid(reading.builder, grid, place);
  for (const found of around) await addAround(reading, found);
}

/** A table that frames a page: of one cell, or with headings in it. */
function isLayout({ styles }: Reading, cells: XmlElement[][]): boolean {
  if (cells.flat().length === 1) return true;
  return cells
    .flat()
    .some((cell) =>
      blocksIn(cell).some(
        (block) =>
          styles.get(attributeOf(pathOf(block, "pPr", "pStyle"), "val") ?? "")?.heading !== undefined,
      ),
    );
}

function cellText(reading: Reading, cell: XmlElement, around: ParagraphText[]): string {
  const parts = blocksIn(cell).map((block) => {
    if (block.name === "tbl") {
      const inner = descendantsOf(block, "tr").map((row) =>
        descendantsOf(row, "tc").map((part) => cellText(reading, part, around)),
      );
      return inner.map((row) => row.filter((text) => text !== "").join(", ")).join("; ");
    }
    const found = paragraphText(block, reading.state);
    const properties = childOf(block, "pPr");
    const style = reading.styles.get(attributeOf(childOf(properties, "pStyle"), "val") ?? "");
    const label = found.text.trim() === "" ? undefined : labelOf(reading, properties, style);
    around.push(found);
    return label === undefined ? found.text : `${label.text} ${found.text}`;
  });
  return parts.filter((text) => text.trim() !== "").join(" ");
}

/** Heads or feet of the pages, each once and without page numbers. */
async function runningText(reading: Reading, type: "header" | "footer"): Promise<string> {
  const { office, state } = reading;
  const found = new Set<string>();
  for (const relation of state.relations.values()) {
    if (relation.type !== type || relation.external) continue;
    const root = await office.part(relation.target);
    if (root === undefined) continue;
    const inner: TextState = { relations: await office.relations(relation.target), fields: [], page: 1 };
    const lines = blocksIn(root).flatMap((block) =>
      (block.name === "tbl" ? descendantsOf(block, "p") : [block]).map(
        (paragraph) => paragraphText(paragraph, inner).text,
      ),
    );
    const text = lines
      .filter((line) => /\p{L}{3}/u.test(line.replace(/\b(page|of|seite|von)\b/gi, "")))
      .join("\n");
    if (text !== "") found.add(text);
  }
  return found.size > MOST_HEADS ? "" : [...found].join("\n");
}

async function readNotes(office: OfficePackage): Promise<Map<string, string>> {
  const notes = new Map<string, string>();
  for (const type of ["footnote", "endnote", "comment"] as const) {
    const part = await relatedPart(office, office.main, `${type}s`);
    const root = await office.part(part);
    if (part === undefined || root === undefined) continue;
    const state: TextState = { relations: await office.relations(part), fields: [], page: 1 };
    for (const note of childrenOf(root, type)) {
      // Separators between text and notes are notes with a type.
      if (attributeOf(note, "type")?.includes("eparator")) continue;
      const words = descendantsOf(note, "p").map((paragraph) => paragraphText(paragraph, state).text.trim());
      const author = type === "comment" ? attributeOf(note, "author") : undefined;
      const text = words.filter((word) => word !== "").join(" ");
      if (text !== "") {
        const by = author ? `Comment by ${author}: ` : type === "comment" ? "Comment: " : "";
        notes.set(`${type}:${attributeOf(note, "id")}`, by + text);
      }
    }
  }
  return notes;
}
