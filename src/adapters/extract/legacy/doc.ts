/** DOC ([MS-DOC]): the words, the notes and the boxes. The library tells neither headings nor tables from paragraphs. */
import WordExtractor from "word-extractor";
import { SluiceError } from "../../../errors.ts";
import { openCompound } from "../cfb.ts";
import { encrypted, malformed } from "../limits.ts";
import { addGrid } from "../table.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import { aboutCompound } from "./properties.ts";

/** Bits of the file information block ([MS-DOC] 2.5.2). */
const ENCRYPTED = 0x0100;
/** How the files of Word 97 and all later ones begin. */
const WORD_97 = 0xa5ec;

export async function readDoc({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const file = openCompound(bytes, filename);
  const stream = file.read("WordDocument");
  if (stream === undefined || stream.length < 32) throw malformed(filename, "it lacks its main part");
  if (stream.readUInt16LE(10) & ENCRYPTED) throw encrypted(filename);
  file.verify();
  if (stream.readUInt16LE(0) !== WORD_97) {
    throw new SluiceError(
      "unsupported_media_type",
      `${filename} is from Word 95 or older, which can't be read. Save it as .docx and upload that copy; where LibreOffice is installed (SLUICE_SOFFICE) it is read as it is.`,
    );
  }
  let document: Awaited<ReturnType<WordExtractor["extract"]>>;
  try {
    document = await new WordExtractor().extract(Buffer.from(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw malformed(filename, `its text can't be put together (${reason})`, error);
  }
  const builder = createTextBuilder();
  addLines(builder, document.getBody());
  addLines(builder, document.getTextboxes({ includeHeadersAndFooters: false }));
  for (const notes of [document.getFootnotes(), document.getEndnotes(), document.getAnnotations()]) {
    for (const note of notes.split("\n")) builder.add("footnote", note);
  }
  progress(bytes.byteLength, bytes.byteLength);
  const { title, facts } = aboutCompound(file);
  return builder.finish(filename, { title, facts });
}

/** Lines with tabs, one after another and of as many cells, were rows of a table. */
function addLines(builder: TextBuilder, text: string): void {
  let rows: string[][] = [];
  const flush = () => {
    if (rows.length > 1) addGrid(builder, rows);
    else for (const row of rows) builder.add("paragraph", row.join("\t"));
    rows = [];
  };
  for (const line of text.split(/\r\n?|\n/)) {
    const cells = line.replace(/\t$/, "").split("\t");
    if (cells.length > 1 && cells.some((cell) => cell.trim() !== "")) {
      if (rows.length > 0 && rows[0]!.length !== cells.length) flush();
      rows.push(cells);
      continue;
    }
    flush();
    const words = line.trim();
    builder.add(/^(?:[-*•·]|\d{1,3}[.)])\s+\S/.test(words) ? "list_item" : "paragraph", words);
  }
  flush();
}
