/** Which reader reads which media type. A reader's libraries load when the first such document comes. */
import { SluiceError } from "../../errors.ts";
import type { Reader } from "./text-builder.ts";

const OOXML = "application/vnd.openxmlformats-officedocument";

const ODF = "application/vnd.oasis.opendocument";

const plainText = async () => (await import("./plain.ts")).readPlainText;
const html = async () => (await import("./html.ts")).readHtml;
const docx = async () => (await import("./ooxml/docx.ts")).readDocx;
const pptx = async () => (await import("./ooxml/pptx.ts")).readPptx;
// What these hold is told when the whole file is there: see container.ts.
const container = async (): Promise<Reader> => (input) => {
  throw unsupported(input.filename, "a container of no known document");
};
const xlsx = async () => (await import("./ooxml/xlsx.ts")).readXlsx;
const csv = async () => (await import("./sheets/csv.ts")).readCsv;
const odt = async () => (await import("./odf/text.ts")).readOdt;
const ods = async () => (await import("./odf/sheet.ts")).readOds;
const odp = async () => (await import("./odf/slides.ts")).readOdp;

const readers: Readonly<Record<string, () => Promise<Reader>>> = {
  "text/plain": plainText,
  "text/markdown": async () => (await import("./markdown.ts")).readMarkdown,
  "text/html": html,
  "application/xhtml+xml": html,
  "application/pdf": async () => (await import("./pdf.ts")).readPdf,
  [`${OOXML}.wordprocessingml.document`]: docx,
  [`${OOXML}.wordprocessingml.template`]: docx,
  "application/vnd.ms-word.document.macroenabled.12": docx,
  "application/vnd.ms-word.template.macroenabled.12": docx,
  [`${OOXML}.presentationml.presentation`]: pptx,
  [`${OOXML}.presentationml.template`]: pptx,
  [`${OOXML}.presentationml.slideshow`]: pptx,
  "application/vnd.ms-powerpoint.presentation.macroenabled.12": pptx,
  "application/vnd.ms-powerpoint.slideshow.macroenabled.12": pptx,
  [`${OOXML}.spreadsheetml.sheet`]: xlsx,
  [`${OOXML}.spreadsheetml.template`]: xlsx,
  "application/vnd.ms-excel.sheet.macroenabled.12": xlsx,
  "application/vnd.ms-excel.template.macroenabled.12": xlsx,
  [`${ODF}.text`]: odt,
  [`${ODF}.text-template`]: odt,
  [`${ODF}.spreadsheet`]: ods,
  [`${ODF}.spreadsheet-template`]: ods,
  [`${ODF}.presentation`]: odp,
  [`${ODF}.presentation-template`]: odp,
  "application/epub+zip": async () => (await import("./epub.ts")).readEpub,
  "text/csv": csv,
  "text/tab-separated-values": csv,
  "message/rfc822": async () => (await import("./mail/eml.ts")).readEml,
  "application/vnd.ms-outlook": async () => (await import("./mail/msg.ts")).readMsg,
  "text/x-rst": plainText,
  "text/x-org": plainText,
  "text/x-tex": plainText,
  "application/json": plainText,
  "application/x-ndjson": plainText,
  "application/xml": plainText,
  "application/yaml": plainText,
  "application/toml": plainText,
  "application/zip": container,
  "application/x-cfb": container,
};

/** The media types by name. Every other `text/…` is read as plain text too: see `canRead`. */
export const mediaTypes: ReadonlySet<string> = new Set(Object.keys(readers));

/** Whether documents of this media type can be read; parameters are ignored. */
export function canRead(media_type: string): boolean {
  return loaderOf(media_type) !== undefined;
}

/** @throws SluiceError unsupported_media_type */
export async function readerOf(media_type: string, filename: string): Promise<Reader> {
  const load = loaderOf(media_type);
  if (load === undefined) {
    throw unsupported(filename, media_type);
  }
  return load();
}

function unsupported(filename: string, what: string): SluiceError {
  return new SluiceError(
    "unsupported_media_type",
    `${filename} is ${what}, which can't be read. Convert it to plain text, Markdown, HTML, PDF or DOCX.`,
  );
}

function loaderOf(media_type: string): (() => Promise<Reader>) | undefined {
  const type = media_type.split(";")[0]!.trim().toLowerCase();
  if (Object.hasOwn(readers, type)) return readers[type];
  return type.startsWith("text/") ? plainText : undefined;
}
