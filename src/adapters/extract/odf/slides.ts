/** ODP: each slide with its title, texts, tables, and what its speaker is to say. */
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
import { addOdfBlock, createReading, type OdfReading } from "./blocks.ts";
import { noteStyle, openOdf } from "./package.ts";

export async function readOdp({ bytes, filename, progress }: ReaderInput) {
  progress(0, null);
  const document = await openOdf(bytes, filename);
  const builder = createTextBuilder();
  const reading = createReading(builder, document.styles);
  reading.page = 0;
  const isUnit = (name: string) => name === "style" || name === "list-style" || name === "page";
  for await (const element of unitsOf(document.content(), filename, isUnit)) {
    if (element.name !== "page") noteStyle(document.styles, element);
    else {
      reading.page++;
      addSlide(reading, element);
      progress(reading.page, null);
    }
  }
  const { facts, title } = document;
  return builder.finish(filename, { title: title ?? reading.title, facts, page_count: reading.page });
}

/** Slide numbers and dates; in LibreOffice's files they stand as "<number>", under the notes too. */
const isCounter = (node: XmlElement) =>
  /^(page-number|date-time)$/.test(attributeOf(node, "presentation:class") ?? "");

function addSlide(reading: OdfReading, page: XmlElement): void {
  const { builder } = reading;
  const place = { page: reading.page };
  const children = page.children.filter((node) => isElement(node)).filter((node) => !isCounter(node));
  const isTitle = (node: XmlElement) => attributeOf(node, "presentation:class") === "title";
  for (const frame of children.filter(isTitle)) {
    const text = descendantsOf(frame, "p").map(textOf).join(" ").replace(/\s+/g, " ").trim();
    if (text !== "") reading.title ??= text;
    builder.add("heading", text, { ...place, level: 1 });
  }
  for (const child of children) {
    if (!isTitle(child) && child.name !== "notes") addOdfBlock(reading, child);
  }
  for (const notes of childrenOf(page, "notes")) {
    const lines = notes.children
      .filter((node) => isElement(node))
      .filter((node) => !isCounter(node))
      .flatMap((frame) => descendantsOf(frame, "p"))
      .map((line) => textOf(line).trim());
    builder.add("note", lines.filter((line) => line !== "").join("\n"), place);
  }
}
