/** Which reader reads which media type. A reader's libraries load when the first such document comes. */
import { SluiceError } from "../../errors.ts";
import type { Reader } from "./text-builder.ts";

const plainText = async () => (await import("./plain.ts")).readPlainText;
const image = async () => (await import("./image.ts")).readImage;

const readers: Readonly<Record<string, () => Promise<Reader>>> = {
  "text/plain": plainText,
  "text/markdown": async () => (await import("./markdown.ts")).readMarkdown,
  "text/html": async () => (await import("./html.ts")).readHtml,
  "application/xhtml+xml": async () => (await import("./html.ts")).readHtml,
  "application/pdf": async () => (await import("./pdf.ts")).readPdf,
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": async () =>
    (await import("./docx.ts")).readDocx,
  "image/png": image,
  "image/jpeg": image,
  "image/tiff": image,
  "image/webp": image,
  "text/csv": plainText,
  "text/tab-separated-values": plainText,
  "text/x-rst": plainText,
  "text/x-org": plainText,
  "text/x-tex": plainText,
  "application/json": plainText,
  "application/x-ndjson": plainText,
  "application/xml": plainText,
  "application/yaml": plainText,
  "application/toml": plainText,
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
    throw new SluiceError(
      "unsupported_media_type",
      `${filename} is ${media_type}, which can't be read. Convert it to plain text, Markdown, HTML, PDF or DOCX.`,
    );
  }
  return load();
}

function loaderOf(media_type: string): (() => Promise<Reader>) | undefined {
  const type = media_type.split(";")[0]!.trim().toLowerCase();
  if (Object.hasOwn(readers, type)) return readers[type];
  return type.startsWith("text/") ? plainText : undefined;
}
