/** Pictures of text, by OCR. A TIFF may hold many pages. */
import { SluiceError } from "../../errors.ts";
import { createOcrPages } from "./ocr-pages.ts";
import { runsOfPicture } from "./ocr-runs.ts";
import { blocksOfPages, type PageContent } from "./pdf-blocks.ts";
import { linesOfRuns } from "./pdf-lines.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";

/** Pictures seldom say how large they are. On a page of this many points across, headings show all the same. */
const PAGE_WIDTH = 595;
const MOST_PAGES = 5_000;

export async function readImage({
  bytes,
  filename,
  progress,
  ocr_languages = ["eng"],
  pages: cache,
}: ReaderInput) {
  if (ocr_languages.length === 0) {
    throw new SluiceError(
      "unsupported_media_type",
      `${filename} is a picture, and SLUICE_OCR_LANGUAGES names no language to read it in.`,
    );
  }
  const files = pagesOf(bytes);
  const ocr = createOcrPages(ocr_languages, cache);
  const pages: PageContent[] = files.map(() => ({ lines: [], height: 1, comments: [] }));
  let done = 0;
  let failure: unknown;
  progress(0, files.length);
  const tell = () => progress(++done, files.length);
  for (const [index, file] of files.entries()) {
    await ocr.read(
      index + 1,
      () => ({ file, orientation: orientationOf(file) }),
      (result) => {
        const { runs, height } = runsOfPicture(result, (result.width * 72) / PAGE_WIDTH);
        pages[index] = { lines: linesOfRuns(runs), height, comments: [] };
        tell();
      },
      (error) => {
        failure = error;
        tell();
      },
    );
  }
  await ocr.finish();
  const blocks = blocksOfPages(pages);
  if (blocks.length === 0 && failure !== undefined) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    throw new SluiceError(
      "malformed_document",
      `${filename} can't be opened as a picture (${reason}). Save it again as PNG and upload that copy.`,
      { cause: failure },
    );
  }
  const builder = createTextBuilder();
  for (const { kind, text, level, page } of blocks) {
    builder.add(kind, text, { page, ...(level === null ? {} : { level }) });
  }
  const title = blocks.find(({ level, page }) => level === 1 && page === 1)?.text ?? null;
  return builder.finish(filename, { page_count: files.length, title });
}

/**
 * The pages of a TIFF, each as a file that begins with that page; any other file as it is. A TIFF's header tells where
 * its first page's directory lies, and each directory where the next one does (TIFF 6.0, section 2).
 */
function pagesOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const order = bytes.length < 8 ? 0 : view.getUint32(0);
  const little = order === 0x49492a00;
  if (!little && order !== 0x4d4d002a) return [bytes];
  const starts = new Set<number>();
  let at = view.getUint32(4, little);
  while (at !== 0 && at + 2 <= bytes.length && !starts.has(at) && starts.size < MOST_PAGES) {
    starts.add(at);
    const next = at + 2 + 12 * view.getUint16(at, little);
    at = next + 4 <= bytes.length ? view.getUint32(next, little) : 0;
  }
  if (starts.size < 2) return [bytes];
  return [...starts].map((start) => {
    const page = Uint8Array.from(bytes);
    new DataView(page.buffer).setUint32(4, start, little);
    return page;
  });
}

/** How a camera was held: Exif's orientation, from 1 to 8, which a JPEG has in its first segments (Exif 2.3, 4.6.4). */
function orientationOf(bytes: Uint8Array): number {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64 * 1024));
  const start = head.indexOf("Exif\0\0", 0, "latin1") + 6;
  if (head[0] !== 0xff || head[1] !== 0xd8 || start < 6 || start + 10 > head.length) return 1;
  const little = head.toString("latin1", start, start + 2) === "II";
  const read16 = (at: number) => (little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const directory = start + (little ? head.readUInt32LE(start + 4) : head.readUInt32BE(start + 4));
  if (directory + 2 > head.length) return 1;
  for (let entry = 0; entry < read16(directory); entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > head.length) break;
    if (read16(at) !== 0x0112) continue;
    const orientation = read16(at + 8);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  }
  return 1;
}
