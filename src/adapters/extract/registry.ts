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
const rtf = async () => (await import("./rtf/rtf.ts")).readRtf;
const xls = async () => (await import("./legacy/xls.ts")).readXls;
const json = async () => (await import("./text/json.ts")).readJson;
const xml = async () => (await import("./text/xml.ts")).readXml;
const code = async () => (await import("./text/code.ts")).readCode;

/** Languages of programs, as src/intake/media-type.ts names them: `text/x-NAME`. */
const programs =
  "python typescript java kotlin scala c c++ csharp go rust ruby php swift shellscript powershell sql lua perl r julia haskell elixir erlang clojure dart vue scss protobuf terraform ini";
const image = async () => (await import("./image.ts")).readImage;

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
  "application/rtf": rtf,
  "text/rtf": rtf,
  "application/msword": async () => (await import("./legacy/doc.ts")).readDoc,
  "application/vnd.ms-powerpoint": async () => (await import("./legacy/ppt.ts")).readPpt,
  "application/vnd.ms-excel": xls,
  "application/vnd.ms-excel.sheet.binary.macroenabled.12": xls,
  "text/csv": csv,
  "text/tab-separated-values": csv,
  "message/rfc822": async () => (await import("./mail/eml.ts")).readEml,
  "application/mbox": async () => (await import("./mail/mbox.ts")).readMbox,
  "multipart/related": async () => (await import("./mail/mht.ts")).readMht,
  "application/vnd.ms-outlook": async () => (await import("./mail/msg.ts")).readMsg,
  "text/x-rst": async () => (await import("./text/rst.ts")).readRst,
  "text/x-org": async () => (await import("./text/org.ts")).readOrg,
  "image/png": image,
  "image/jpeg": image,
  "image/tiff": image,
  "image/webp": image,
  "text/x-tex": plainText,
  "application/json": json,
  "application/x-ndjson": async () => (await import("./text/ndjson.ts")).readNdjson,
  "application/xml": xml,
  "text/xml": xml,
  "application/yaml": code,
  "application/toml": code,
  "text/javascript": code,
  "text/css": code,
  ...Object.fromEntries(programs.split(" ").map((name) => [`text/x-${name}`, code])),
  "application/zip": async () => (await import("./archive.ts")).readArchive,
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
    `${filename} is ${what}, which can't be read. Convert it to PDF, DOCX, HTML or plain text; docs/formats.md lists what is read.`,
  );
}

function loaderOf(media_type: string): (() => Promise<Reader>) | undefined {
  const type = media_type.split(";")[0]!.trim().toLowerCase();
  if (Object.hasOwn(readers, type)) return readers[type];
  // SVG is a picture, whatever it is written in.
  if (type.endsWith("+xml") && !type.startsWith("image/")) return xml;
  if (type.endsWith("+json")) return json;
  return type.startsWith("text/") ? plainText : undefined;
}
