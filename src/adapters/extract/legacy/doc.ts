/** DOC ([MS-DOC]), as Word 97 and all later ones write it: headings by style, lists, tables, notes, boxes. */
import { SluiceError } from "../../../errors.ts";
import { openCompound } from "../cfb.ts";
import { encrypted, malformed } from "../limits.ts";
import { linkText } from "../links.ts";
import { addGrid } from "../table.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import { type DocFile, parseDoc } from "./doc-file.ts";
import { aboutCompound } from "./properties.ts";

/** How the files of Word 97 and all later ones begin. */
const WORD_97 = 0xa5ec;
/** Bits of the file information block (2.5.2). */
const ENCRYPTED = 0x0100;
const OTHER_TABLE = 0x0200;

export async function readDoc({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const file = openCompound(bytes, filename);
  const main = file.read("WordDocument");
  if (main === undefined || main.length < 32) throw malformed(filename, "it lacks its main part");
  if (main.readUInt16LE(0) !== WORD_97) {
    throw new SluiceError(
      "unsupported_media_type",
      `${filename} is from Word 95 or older, which can't be read. Save it as .docx and upload that copy; where LibreOffice is installed (SLUICE_SOFFICE) it is read as it is.`,
    );
  }
  const flags = main.readUInt16LE(10);
  if (flags & ENCRYPTED) throw encrypted(filename);
  const table = file.read(flags & OTHER_TABLE ? "1Table" : "0Table");
  if (table === undefined) throw malformed(filename, "it lacks the part that orders its text");
  const builder = createTextBuilder();
  let firstHeading: string | null = null;
  try {
    firstHeading = addDocument(builder, parseDoc(main, table));
  } catch (error) {
    if (error instanceof RangeError) throw malformed(filename, "its text can't be put together", error);
    throw error;
  }
  progress(bytes.byteLength, bytes.byteLength);
  const { title, facts } = aboutCompound(file);
  return builder.finish(filename, { title: title ?? firstHeading, facts });
}

/** @returns the first heading */
function addDocument(builder: TextBuilder, file: DocFile): string | null {
  const { text, lengths } = file;
  const { body, footnotes, heads, comments, endnotes, boxes } = lengths;
  const afterNotes = body + footnotes + heads;
  const notes = [
    ...notesOf(file, "footnote", body, footnotes),
    ...notesOf(file, "comment", afterNotes, comments),
    ...notesOf(file, "endnote", afterNotes + comments, endnotes),
  ].sort((a, b) => a.mark - b.mark);
  const title = addParagraphs(builder, file, 0, Math.min(body, text.length), notes);
  const from = afterNotes + comments + endnotes;
  addParagraphs(builder, file, from, Math.min(from + boxes, text.length), []);
  return title;
}

interface Note {
  mark: number;
  label: string;
  text: string;
}

function notesOf(file: DocFile, kind: keyof DocFile["notes"], from: number, length: number): Note[] {
  if (length === 0) return [];
  const { marks, texts } = file.notes[kind];
  return marks.slice(0, -1).map((mark, index) => {
    const text = file.text.slice(from + (texts[index] ?? length), from + (texts[index + 1] ?? length));
    const label = kind === "comment" ? "" : `[^${kind === "endnote" ? "e" : ""}${index + 1}]`;
    return { mark, label, text: shown(text.replaceAll("\r", " ")).replace(/\s+/g, " ").trim() };
  });
}

function addParagraphs(
  builder: TextBuilder,
  file: DocFile,
  from: number,
  to: number,
  notes: Note[],
): string | null {
  const waiting = [...notes];
  let title: string | null = null;
  let rows: string[][] = [];
  let row: string[] = [];
  let cell: string[] = [];
  const flushTable = () => {
    if (cell.some((part) => part !== "")) row.push(cell.join(" "));
    if (row.length > 0) rows.push(row);
    if (rows.length > 0) addGrid(builder, rows);
    rows = [];
    row = [];
    cell = [];
  };
  let start = from;
  for (let at = from; at < to; at++) {
    const code = file.text.charCodeAt(at);
    if (code !== 13 && code !== 7 && code !== 12) continue;
    const source = file.text.slice(start, at);
    const begun = start;
    start = at + 1;
    const { heading, list, inTable, endsRow } = file.paragraphAt(at);
    const here: Note[] = [];
    while (waiting[0] !== undefined && waiting[0].mark < at) here.push(waiting.shift()!);
    const words = shown(source, here, begun).trim();
    if (inTable || code === 7) {
      if (endsRow) {
        rows.push(row);
        row = [];
        cell = [];
      } else if (code === 7) {
        row.push([...cell, words].filter((part) => part !== "").join(" "));
        cell = [];
      } else cell.push(words);
    } else {
      flushTable();
      if (heading !== undefined && words.length <= 1_000) {
        if (heading === 1 && words !== "") title ??= words;
        builder.add("heading", words.replace(/\s+/g, " "), { level: heading });
      } else if (list !== undefined && words !== "")
        builder.add("list_item", `${"  ".repeat(list)}- ${words}`);
      else builder.add("paragraph", words);
    }
    for (const { label, text } of here) {
      if (text !== "") builder.add("footnote", label === "" ? `Comment: ${text}` : `${label}: ${text}`);
    }
  }
  flushTable();
  builder.add("paragraph", shown(file.text.slice(start, to)));
  return title;
}

/** Text without the marks of fields and pictures; of a field its result is shown, with the address where it is a link. */
function shown(source: string, notes: readonly Note[] = [], from = 0): string {
  const fields: { instruction: string; at: number | undefined }[] = [];
  let text = "";
  for (let index = 0; index < source.length; index++) {
    const code = source.charCodeAt(index);
    const open = fields.at(-1);
    if (code === 0x13) fields.push({ instruction: "", at: undefined });
    else if (code === 0x14 && open !== undefined) open.at = text.length;
    else if (code === 0x15 && open !== undefined) {
      fields.pop();
      if (open.at === undefined) continue;
      const address = /HYPERLINK\s+"([^"]+)"/.exec(open.instruction)?.[1];
      text = text.slice(0, open.at) + linkText(text.slice(open.at), address);
    } else if (open !== undefined && open.at === undefined) open.instruction += source[index];
    else if (code === 2 || code === 5) text += notes.find(({ mark }) => mark === from + index)?.label ?? "";
    else if (code === 11) text += "\n";
    else if (code === 0x1e) text += "-";
    else if (code >= 32 || code === 9) text += source[index];
  }
  return text;
}
