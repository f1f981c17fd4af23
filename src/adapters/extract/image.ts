/** Pictures of text, by OCR. A TIFF may hold many pages. */
import { SluiceError } from "../../errors.ts";
import { createOcrPages } from "./ocr-pages.ts";
import { runsOfPicture } from "./ocr-runs.ts";
import { blocksOfPages, type PageContent } from "./pdf-blocks.ts";
import { linesOfRuns } from "./pdf-lines.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";
import { pagesOfTiff } from "./tiff.ts";

/** Pictures seldom say how large they are. On a page of this many points across, headings show all the same. */
const PAGE_WIDTH = 595;

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
  const files = pagesOfTiff(bytes);
  const ocr = createOcrPages(ocr_languages, cache);
  const pages: PageContent[] = files.map(() => ({ lines: [], height: 1, comments: [] }));
  let done = 0;
  let failure: unknown;
  progress(0, files.length);
  const tell = () => progress(++done, files.length);
  for (const [index, fileOf] of files.entries()) {
    await ocr.read(
      index + 1,
      () => {
        const file = fileOf();
        return { file, orientation: orientationOf(file) };
      },
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
  return builder.finish(filename, { page_count: files.length, title, pictures: true });
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
