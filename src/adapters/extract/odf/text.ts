/** ODT. Pages are those that the program counted when it last saved the file; some save none. */
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import { unitsOf } from "../xml.ts";
import { addOdfBlock, createReading, flushCode } from "./blocks.ts";
import { noteStyle, openOdf } from "./package.ts";

const units = new Set(
  "style list-style h p list table tracked-changes table-of-content alphabetical-index soft-page-break forms frame custom-shape g".split(
    " ",
  ),
);

export async function readOdt({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const document = await openOdf(bytes, filename);
  const builder = createTextBuilder();
  const reading = createReading(builder, document.styles);
  for await (const element of unitsOf(document.content(), filename, (name) => units.has(name))) {
    if (element.name === "style" || element.name === "list-style") noteStyle(document.styles, element);
    else addOdfBlock(reading, element);
  }
  flushCode(reading);
  progress(bytes.byteLength, bytes.byteLength);
  const { facts, title } = document;
  const pages = reading.page > 1 ? reading.page : undefined;
  const extracted = builder.finish(filename, { title: title ?? reading.title, facts, page_count: pages });
  if (pages !== undefined) return extracted;
  return { ...extracted, blocks: extracted.blocks.map((block) => ({ ...block, page: null })) };
}
