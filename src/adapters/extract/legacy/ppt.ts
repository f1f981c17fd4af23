/**
 * PPT ([MS-PPT]): a stream of records inside records. Slides are found as PowerPoint finds them, by the last edit's
 * directory; a title or a body may stand in the outline, to which the slide then only refers.
 */
import iconv from "iconv-lite";
import { openCompound } from "../cfb.ts";
import { encrypted, malformed } from "../limits.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import { aboutCompound } from "./properties.ts";

const LIST = 0x0ff0;
const PERSIST = 0x03f3;
const HEADER = 0x0f9f;
const CHARS = 0x0fa0;
const BYTES = 0x0fa8;
const OUTLINE_REF = 0x0f9e;
const SLIDE_ATOM = 0x03ef;
const USER_EDIT = 0x0ff5;
const DIRECTORY = 0x1772;
const ENCRYPTED_TOKEN = 0xf3d1c4df;
const MOST_DEPTH = 60;

/** Kinds of texts that matter here. */
const NOTES = 2;
const TITLES = new Set([0, 6]);
const BODIES = new Set([1, 7, 8]);

interface RecordHeader {
  type: number;
  instance: number;
  isContainer: boolean;
  start: number;
  end: number;
}

interface Text {
  kind: number;
  text: string;
}

/** What the outline has of one slide. */
interface Entry {
  persist: number;
  id: number;
  texts: Text[];
}

export async function readPpt({ bytes, filename, progress }: ReaderInput) {
  progress(0, null);
  const file = openCompound(bytes, filename);
  const stream = file.read("PowerPoint Document");
  if (stream === undefined) throw malformed(filename, "it lacks its main part");
  const user = file.read("Current User");
  if (user !== undefined && user.length >= 16 && user.readUInt32LE(12) === ENCRYPTED_TOKEN)
    throw encrypted(filename);
  const builder = createTextBuilder();
  let pages = 0;
  let firstTitle: string | null = null;
  try {
    const { offsets, document } = directoryOf(stream, user);
    const slides = outlineOf(stream, document, 0);
    const notes = new Map(outlineOf(stream, document, 2).map((entry) => [entry.id, entry]));
    pages = slides.length;
    for (const [index, entry] of slides.entries()) {
      progress(index, pages);
      const title = addSlide(builder, stream, offsets, entry, notes, index + 1);
      firstTitle ??= title;
    }
  } catch (error) {
    if (error instanceof RangeError) throw malformed(filename, "its slides can't be found", error);
    throw error;
  }
  progress(pages, pages);
  const { title, facts } = aboutCompound(file);
  return builder.finish(filename, { title: title ?? firstTitle, facts, page_count: pages });
}

function headerAt(stream: Buffer, at: number): RecordHeader {
  const flags = stream.readUInt16LE(at);
  const start = at + 8;
  return {
    type: stream.readUInt16LE(at + 2),
    instance: flags >> 4,
    isContainer: (flags & 0xf) === 0xf,
    start,
    end: Math.min(stream.length, start + stream.readUInt32LE(at + 4)),
  };
}

function* recordsIn(stream: Buffer, from: number, to: number): Generator<RecordHeader> {
  for (let at = from; at + 8 <= to; ) {
    const record = headerAt(stream, at);
    yield record;
    at = record.end;
  }
}

/** Where each persistent object lies, later edits before earlier ones, and which of them is the document. */
function directoryOf(
  stream: Buffer,
  user: Buffer | undefined,
): { offsets: Map<number, number>; document: number } {
  const offsets = new Map<number, number>();
  let document: number | undefined;
  let edit = user === undefined || user.length < 20 ? lastEdit(stream) : user.readUInt32LE(16);
  for (let steps = 0; edit !== 0 && steps < 1_000; steps++) {
    const record = headerAt(stream, edit);
    if (record.type !== USER_EDIT) break;
    document ??= stream.readUInt32LE(record.start + 16);
    const directory = headerAt(stream, stream.readUInt32LE(record.start + 12));
    if (directory.type !== DIRECTORY) break;
    for (let at = directory.start; at + 4 <= directory.end; ) {
      const run = stream.readUInt32LE(at);
      const first = run & 0xfffff;
      const count = run >>> 20;
      at += 4;
      for (let index = 0; index < count && at + 4 <= directory.end; index++, at += 4) {
        if (!offsets.has(first + index)) offsets.set(first + index, stream.readUInt32LE(at));
      }
    }
    edit = stream.readUInt32LE(record.start + 8);
  }
  const at = document === undefined ? undefined : offsets.get(document);
  if (at === undefined) throw new RangeError("no document");
  return { offsets, document: at };
}

function lastEdit(stream: Buffer): number {
  let found = 0;
  let at = 0;
  for (const record of recordsIn(stream, 0, stream.length)) {
    if (record.type === USER_EDIT) found = at;
    at = record.end;
  }
  return found;
}

/** @param instance 0 for slides, 2 for notes */
function outlineOf(stream: Buffer, document: number, instance: number): Entry[] {
  const { start, end } = headerAt(stream, document);
  const entries: Entry[] = [];
  for (const list of recordsIn(stream, start, end)) {
    if (list.type !== LIST || list.instance !== instance) continue;
    let kind = -1;
    for (const record of recordsIn(stream, list.start, list.end)) {
      if (record.type === PERSIST) {
        entries.push({
          persist: stream.readUInt32LE(record.start),
          id: stream.readUInt32LE(record.start + 12),
          texts: [],
        });
      } else if (record.type === HEADER) {
        kind = stream.readUInt32LE(record.start);
        entries.at(-1)?.texts.push({ kind, text: "" });
      } else if (record.type === CHARS || record.type === BYTES) {
        const text = entries.at(-1)?.texts.at(-1);
        if (text !== undefined) text.text = textOf(stream, record);
      }
    }
  }
  return entries;
}

function textOf(stream: Buffer, { type, start, end }: RecordHeader): string {
  const bytes = stream.subarray(start, end);
  const text = type === CHARS ? bytes.toString("utf16le") : iconv.decode(bytes, "latin1");
  return text.replace(/\v/g, "\n");
}

/** All texts in the boxes of a slide; those that stand in the outline are taken from there. */
function textsIn(stream: Buffer, at: number, outline: readonly Text[]): { texts: Text[]; notes: number } {
  const texts: Text[] = [];
  let notes = 0;
  const visit = (from: number, to: number, depth: number) => {
    let kind = -1;
    for (const record of recordsIn(stream, from, to)) {
      if (record.type === HEADER) kind = stream.readUInt32LE(record.start);
      else if (record.type === CHARS || record.type === BYTES)
        texts.push({ kind, text: textOf(stream, record) });
      else if (record.type === OUTLINE_REF) {
        const text = outline[stream.readUInt32LE(record.start)];
        if (text !== undefined) texts.push(text);
      } else if (record.type === SLIDE_ATOM && depth === 0) notes = stream.readUInt32LE(record.start + 16);
      else if ((record.isContainer || record.type === 0xf00d) && depth < MOST_DEPTH) {
        visit(record.start, record.end, depth + 1);
      }
    }
  };
  const { start, end } = headerAt(stream, at);
  visit(start, end, 0);
  return { texts, notes };
}

/** @returns the slide's title */
function addSlide(
  builder: TextBuilder,
  stream: Buffer,
  offsets: ReadonlyMap<number, number>,
  entry: Entry,
  notes: ReadonlyMap<number, Entry>,
  page: number,
): string | null {
  const at = offsets.get(entry.persist);
  const slide = at === undefined ? { texts: [], notes: 0 } : textsIn(stream, at, entry.texts);
  // Old files keep a text in the outline that no box refers to.
  const own = new Set(slide.texts.map(({ text }) => text));
  const texts = [...entry.texts.filter(({ text }) => !own.has(text)), ...slide.texts];
  const titles = texts
    .filter(({ kind }) => TITLES.has(kind))
    .map(({ text }) => text.replace(/\s+/g, " ").trim());
  for (const title of titles) builder.add("heading", title, { level: 1, page });
  for (const { kind, text } of texts) {
    if (TITLES.has(kind)) continue;
    const paragraphs = text.split("\r").filter((paragraph) => paragraph.trim() !== "");
    const isList = BODIES.has(kind) && paragraphs.length > 1;
    // A star alone stands for the number or the date that the slide shows.
    for (const paragraph of paragraphs.filter((one) => one.trim() !== "*")) {
      builder.add(
        isList ? "list_item" : "paragraph",
        isList ? `- ${paragraph.replace(/\s+/g, " ").trim()}` : paragraph,
        { page },
      );
    }
  }
  const said = notes.get(slide.notes);
  const place = said === undefined ? undefined : offsets.get(said.persist);
  if (said !== undefined && place !== undefined) {
    for (const { kind, text } of textsIn(stream, place, said.texts).texts) {
      if (kind === NOTES) builder.add("note", text.replace(/\r/g, "\n").trim(), { page });
    }
  }
  return titles.find((title) => title !== "") ?? null;
}
