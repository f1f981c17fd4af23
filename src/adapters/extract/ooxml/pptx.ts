/** PPTX: each slide with its title, texts in the order of the slide, tables, charts, and what its speaker is to say. */

import { languageTag } from "../facts.ts";
import { malformed } from "../limits.ts";
import { linkText } from "../links.ts";
import { formatted } from "../list-numbers.ts";
import { addGrid } from "../table.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  descendantsOf,
  isElement,
  pathOf,
  textOf,
  type XmlElement,
} from "../xml.ts";
import { addDrawing, drawingsIn, drawnText, runsOf } from "./drawing.ts";
import { aboutPackage, type OfficePackage, openPackage, type Relation } from "./package.ts";

interface Slide {
  office: OfficePackage;
  builder: TextBuilder;
  relations: ReadonlyMap<string, Relation>;
  page: number;
}

export async function readPptx({ bytes, filename, progress }: ReaderInput) {
  const office = await openPackage(bytes, filename, "ppt/presentation.xml");
  const relations = await office.relations(office.main);
  const root = await office.part(office.main);
  const slides = childrenOf(childOf(root, "sldIdLst"), "sldId").flatMap((entry) => {
    const target = relations.get(attributeOf(entry, "r:id") ?? "")?.target;
    return target !== undefined && office.zip.has(target) ? [target] : [];
  });
  if (slides.length === 0 && [...relations.values()].some(({ type }) => type === "slide")) {
    throw malformed(filename, "its list of slides is broken");
  }
  const builder = createTextBuilder();
  let firstTitle: string | undefined;
  let language: string | undefined;
  for (const [index, part] of slides.entries()) {
    progress(index, slides.length);
    const slide: Slide = { office, builder, relations: await office.relations(part), page: index + 1 };
    const tree = await office.part(part);
    const title = await addSlide(slide, tree);
    firstTitle ??= title;
    language ??= languageTag(attributeOf(descendantsOf(tree, "rPr")[0], "lang"));
    await addNotes(slide);
  }
  progress(slides.length, slides.length);
  const { title, facts } = await aboutPackage(office);
  if (language !== undefined) facts.language ??= language;
  return builder.finish(filename, { title: title ?? firstTitle, facts, page_count: slides.length });
}

/** @returns the slide's title */
async function addSlide(slide: Slide, root: XmlElement | undefined): Promise<string | undefined> {
  const shapes = shapesIn(pathOf(root, "cSld", "spTree"));
  const isTitle = (shape: XmlElement) => /^(title|ctrTitle)$/.test(placeholderOf(shape) ?? "");
  const title = shapes
    .filter(isTitle)
    .map((shape) => runsOf(childOf(shape, "txBody")).replace(/\s+/g, " ").trim());
  const { builder, page } = slide;
  for (const text of title) builder.add("heading", text, { level: 1, page });
  for (const shape of shapes) {
    if (isTitle(shape)) continue;
    if (shape.name === "graphicFrame") await addFrame(slide, shape);
    else addTexts(slide, shape);
  }
  return title.find((text) => text !== "");
}

/** Shapes with their groups dissolved. */
function shapesIn(tree: XmlElement | undefined): XmlElement[] {
  const shapes: XmlElement[] = [];
  const visit = (parent: XmlElement) => {
    for (const node of parent.children) {
      if (!isElement(node) || node.name === "Fallback") continue;
      if (node.name === "sp" || node.name === "graphicFrame" || node.name === "cxnSp") shapes.push(node);
      else visit(node);
    }
  };
  if (tree !== undefined) visit(tree);
  return shapes;
}

/** The kind of a placeholder; undefined for a shape of the slide's own. */
function placeholderOf(shape: XmlElement): string | undefined {
  const placeholder = descendantsOf(childOf(shape, "nvSpPr") ?? childOf(shape, "nvGraphicFramePr"), "ph")[0];
  return placeholder === undefined ? undefined : (attributeOf(placeholder, "type") ?? "obj");
}

async function addFrame({ office, builder, relations, page }: Slide, frame: XmlElement): Promise<void> {
  for (const table of descendantsOf(frame, "tbl")) {
    const grid = childrenOf(table, "tr").map((row) =>
      childrenOf(row, "tc").map((cell) => runsOf(childOf(cell, "txBody"))),
    );
    addGrid(builder, grid, { page });
  }
  for (const id of drawingsIn(frame)) {
    const target = relations.get(id)?.target;
    if (target !== undefined) await addDrawing(office, target, builder, { page });
  }
}

function addTexts({ builder, relations, page }: Slide, shape: XmlElement): void {
  const placeholder = placeholderOf(shape);
  if (/^(sldNum|dt|ftr|hdr)$/.test(placeholder ?? "")) return;
  const link = (words: string, run: XmlElement) => {
    const target = relations.get(attributeOf(pathOf(run, "rPr", "hlinkClick"), "r:id") ?? "");
    return linkText(words, target?.external ? target.target : undefined);
  };
  const paragraphs = childrenOf(childOf(shape, "txBody"), "p").map((paragraph) => ({
    text: drawnText(paragraph, link).trim(),
    properties: childOf(paragraph, "pPr"),
  }));
  const filled = paragraphs.filter(({ text }) => text !== "");
  // Bodies have bullets unless they say no; with a single line nobody sees a list.
  const isBody = /^(obj|body)$/.test(placeholder ?? "") && filled.length > 1;
  const counts: number[] = [];
  for (const { text, properties } of filled) {
    const level = Number(attributeOf(properties, "lvl") ?? 0) || 0;
    const numbered = childOf(properties, "buAutoNum");
    counts.length = Math.min(counts.length, level + 1);
    if (numbered === undefined) counts.length = Math.min(counts.length, level);
    const isItem = numbered ?? childOf(properties, "buChar") ?? childOf(properties, "buBlip");
    if (isItem === undefined && (!isBody || childOf(properties, "buNone") !== undefined)) {
      builder.add("paragraph", text, { page });
      continue;
    }
    let mark = "-";
    if (numbered !== undefined) {
      counts[level] =
        counts[level] === undefined ? Number(attributeOf(numbered, "startAt") ?? 1) : counts[level] + 1;
      mark = numberMark(counts[level], attributeOf(numbered, "type") ?? "arabicPeriod");
    }
    builder.add("list_item", `${"  ".repeat(level)}${mark} ${text}`, { page });
  }
}

/** Such as `a)` for `alphaLcParenR`. */
function numberMark(number: number, type: string): string {
  const formats: [RegExp, string][] = [
    [/^alphaLc/, "lowerLetter"],
    [/^alphaUc/, "upperLetter"],
    [/^romanLc/, "lowerRoman"],
    [/^romanUc/, "upperRoman"],
  ];
  const digits = formatted(number, formats.find(([pattern]) => pattern.test(type))?.[1] ?? "decimal");
  if (type.endsWith("ParenBoth")) return `(${digits})`;
  return type.endsWith("ParenR") ? `${digits})` : `${digits}.`;
}

async function addNotes({ office, builder, relations, page }: Slide): Promise<void> {
  for (const { type, target } of relations.values()) {
    if (type === "notesSlide") {
      const shapes = shapesIn(pathOf(await office.part(target), "cSld", "spTree"));
      for (const shape of shapes) {
        if (placeholderOf(shape) === "body")
          builder.add("note", runsOf(childOf(shape, "txBody")).trim(), { page });
      }
    } else if (type === "comments") {
      const root = await office.part(target);
      for (const comment of descendantsOf(root, "cm")) {
        const text = textOf(childOf(comment, "text")).trim() || runsOf(childOf(comment, "txBody")).trim();
        if (text !== "") builder.add("footnote", `Comment: ${text}`, { page });
      }
    }
  }
}
