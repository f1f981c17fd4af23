/** What the readers get out of real files, against what programs by others do, and how fast. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createProcessExtractor } from "../src/adapters/extract/process-extractor.ts";
import { SluiceError } from "../src/errors.ts";
import { detectMediaType, HEAD_BYTES } from "../src/intake/media-type.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import {
  type IndependentReader,
  libreOfficeSheets,
  libreOfficeSlides,
  libreOfficeText,
  pdftotext,
} from "./independent-readers.ts";
import { median, rounded } from "./statistics.ts";
import { type Likeness, likeness } from "./token-f1.ts";

const OOXML = "application/vnd.openxmlformats-officedocument";
const ODF = "application/vnd.oasis.opendocument";

const formats: readonly { name: string; types: readonly string[]; other: IndependentReader }[] = [
  { name: "PDF", types: ["application/pdf"], other: pdftotext },
  { name: "DOCX", types: [`${OOXML}.wordprocessingml.document`], other: libreOfficeText },
  { name: "ODT", types: [`${ODF}.text`], other: libreOfficeText },
  { name: "RTF", types: ["application/rtf", "text/rtf"], other: libreOfficeText },
  { name: "DOC", types: ["application/msword"], other: libreOfficeText },
  { name: "XLSX", types: [`${OOXML}.spreadsheetml.sheet`], other: libreOfficeSheets },
  { name: "ODS", types: [`${ODF}.spreadsheet`], other: libreOfficeSheets },
  { name: "XLS", types: ["application/vnd.ms-excel"], other: libreOfficeSheets },
  { name: "PPTX", types: [`${OOXML}.presentationml.presentation`], other: libreOfficeSlides },
  { name: "ODP", types: [`${ODF}.presentation`], other: libreOfficeSlides },
  { name: "PPT", types: ["application/vnd.ms-powerpoint"], other: libreOfficeSlides },
];

interface RealFile {
  path: string;
  filename: string;
  media_type: string;
  bytes: number;
}

/** Ours of a file: its text, or the code of the error. */
interface Reading {
  file: RealFile;
  text: string | undefined;
  error: string | undefined;
  pages: number;
}

export async function extractFidelity({ corpus, quick, folder, say }: Context): Promise<Table[]> {
  if (corpus === undefined) throw new Error("extract needs real files: --corpus DIR");
  const files = await findFiles(corpus);
  const extractor = createProcessExtractor({
    timeout_ms: 120_000,
    memory_mb: 512,
    size: 1,
    ocr_languages: [],
  });
  const speeds: Row[] = [];
  const worst: (Row & { f1: number })[] = [];
  const versions = new Set<string>();
  try {
    // The child's start is not theirs to pay, nor ours: it stays for all files.
    const [first] = files;
    if (first !== undefined) await extractor.extract(first, () => {}, never).catch(() => undefined);
    for (const { name, types, other } of formats) {
      const chosen = files
        .filter(({ media_type }) => types.includes(media_type))
        .slice(0, quick ? 3 : undefined);
      if (chosen.length === 0) continue;
      say(`  ${name}: ${chosen.length} files`);
      const started = performance.now();
      const readings: Reading[] = [];
      for (const file of chosen) readings.push(await readOurs(file));
      const seconds = (performance.now() - started) / 1_000;
      const theirs =
        other.version === undefined
          ? undefined
          : other.read(
              chosen.map(({ path }) => path),
              folder("other"),
            );
      versions.add(
        theirs === undefined ? `${other.name} is not installed` : `${other.name} ${other.version}`,
      );
      const alike = readings.map(({ text, file }, place) => {
        const given = theirs?.texts[place];
        const measure = text === undefined || given === undefined ? undefined : likeness(text, given);
        if (measure !== undefined) worst.push({ file: file.filename, format: name, ...measured(measure) });
        return measure;
      });
      const scores = alike.filter((each) => each !== undefined).map(({ f1 }) => f1);
      const bytes = chosen.reduce((sum, file) => sum + file.bytes, 0);
      const pages = readings.reduce((sum, reading) => sum + reading.pages, 0);
      const perSecond = (what: number, time: number | undefined) =>
        time === undefined || what === 0 ? null : rounded(what / time);
      speeds.push({
        format: name,
        files: chosen.length,
        "we read": readings.filter(({ text }) => text !== undefined).length,
        "they read": theirs === undefined ? null : theirs.texts.filter((text) => text !== undefined).length,
        compared: scores.length,
        f1_median: scores.length === 0 ? null : rounded(median(scores)),
        f1_lowest: scores.length === 0 ? null : rounded(Math.min(...scores)),
        ours_s: rounded(seconds),
        theirs_s: theirs === undefined ? null : rounded(theirs.seconds),
        "ours_mb/s": perSecond(bytes / 1e6, seconds),
        "theirs_mb/s": perSecond(bytes / 1e6, theirs?.seconds),
        "ours_pages/s": perSecond(pages, seconds),
        "theirs_pages/s": perSecond(pages, theirs?.seconds),
        other: other.name,
      });
    }
  } finally {
    await extractor.close();
  }
  return [
    {
      title: `Words of ${corpus} as we read them and as others do`,
      rows: speeds,
      notes: [
        `compared with ${[...versions].join(", ")}`,
        "F1 of words as a bag: neither order nor layout counts. No OCR: what has no text layer has no words here.",
        "Seconds are of all files of a format, one after another: ours through a warm extraction child, pdftotext a",
        "process a file, LibreOffice one run for all, its start included (slides: without the way from PDF to text).",
      ],
    },
    {
      title: "The files that differ most",
      rows: worst.sort((one, other) => one.f1 - other.f1).slice(0, 15),
      notes: ["recall: of their words we have; precision: of our words they have"],
    },
  ];

  async function readOurs(file: RealFile): Promise<Reading> {
    try {
      const { text, page_count } = await extractor.extract(file, () => {}, never);
      return { file, text, error: undefined, pages: page_count ?? 0 };
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return { file, text: undefined, error: error.code, pages: 0 };
    }
  }
}

const never = new AbortController().signal;

function measured({ f1, recall, precision }: Likeness) {
  return { f1: rounded(f1), recall: rounded(recall), precision: rounded(precision) };
}

async function findFiles(corpus: string): Promise<RealFile[]> {
  const entries = readdirSync(corpus, { recursive: true, withFileTypes: true });
  const files: RealFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = readFileSync(path);
    const media_type = await detectMediaType(bytes.subarray(0, HEAD_BYTES), basename(path));
    files.push({ path, filename: entry.name, media_type, bytes: bytes.length });
  }
  return files.sort((one, other) => (one.filename < other.filename ? -1 : 1));
}
