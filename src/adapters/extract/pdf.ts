/**
 * PDF, page by page. pdf-document.ts opens it, pdf-runs.ts finds the words of a page, pdf-lines.ts puts them in lines,
 * pdf-groups.ts lines in groups, and pdf-blocks.ts tells what each group is.
 */
import { setImmediate } from "node:timers/promises";
import { SluiceError } from "../../errors.ts";
import { createOcrPages, type OcrPages } from "./ocr-pages.ts";
import { runsOfPicture } from "./ocr-runs.ts";
import type { OcrResult } from "./ocr-thread.ts";
import { createPageBlocks, type PageContent, type PagePart, type PdfBlock } from "./pdf-blocks.ts";
import { type Annotation, openPdf, type PdfDocument, type PdfPage } from "./pdf-document.ts";
import { factsOf, titleOf } from "./pdf-facts.ts";
import { type Line, linesOfRuns } from "./pdf-lines.ts";
import { isBetter, needsOcr, resolutionFor } from "./pdf-ocr.ts";
import { malformed } from "./pdf-open.ts";
import type { Run } from "./pdf-runs.ts";
import { partsOf } from "./pdf-tags.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";

/** Endless page trees say that they have millions. */
const MOST_PAGES = 20_000;
/** Pages that may wait for one before them that OCR is still reading. */
const MOST_WAITING = 32;

export async function readPdf(input: ReaderInput) {
  const file = input.open();
  try {
    const document = await openPdf(file, input.filename);
    const { ocr_languages = ["eng"], pages } = input;
    const ocr = ocr_languages.length === 0 ? undefined : createOcrPages(ocr_languages, pages);
    try {
      return await readDocument(document, input, ocr);
    } finally {
      // Nobody hears of this document's pages when it is over.
      await ocr?.idle();
      document.close();
    }
  } finally {
    file.close();
  }
}

async function readDocument(document: PdfDocument, input: ReaderInput, ocr: OcrPages | undefined) {
  const { filename, progress } = input;
  const total = document.page_count;
  if (total > MOST_PAGES) throw tooLong(filename, total);
  progress(0, total);
  const blocks = createPageBlocks(total, document.outline());
  const builder = createTextBuilder(input);
  /** Pages whose turn has not come: OCR reads several at once, and is done with them in any order. */
  const waiting: { content?: PageContent }[] = [];
  let language = "";
  let firstHeading: string | undefined;
  let isEmpty = true;
  let done = 0;
  let damaged: unknown;
  const tell = () => progress(++done, total);

  function write(settled: readonly PdfBlock[]): void {
    for (const { kind, text, level, page } of settled) {
      builder.add(kind, text, { page, ...(level === null ? {} : { level }) });
      if (level === 1 && page === 1) firstHeading ??= text;
      isEmpty = false;
    }
  }
  /** Takes the pages whose turn has come, until no more than so many wait. */
  async function settle(most: number): Promise<void> {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (next.content === undefined) {
        if (waiting.length <= most) return;
        await ocr?.next();
        continue;
      }
      waiting.shift();
      write(blocks.add(next.content));
      await builder.handOver();
    }
  }

  for (let index = 0; index < total; index++) {
    const place: { content?: PageContent } = {};
    let own: PageContent = { lines: [], height: 1, comments: [] };
    waiting.push(place);
    // One bad page does not take the others along; a document of nothing else is malformed.
    const fail = (error: unknown) => {
      place.content ??= own;
      damaged = error;
      tell();
    };
    try {
      const page = document.page(index + 1);
      language ||= page.language;
      own = contentOf(page);
      if (ocr === undefined || !needsOcr(page)) {
        place.content = own;
        tell();
      } else {
        const use = (result: OcrResult) => {
          const picture = runsOfPicture(result, resolutionOf(result, page));
          place.content = isBetter(picture.runs, page) ? contentOf({ ...page, ...picture, tags: [] }) : own;
          tell();
        };
        await ocr.read(index + 1, () => document.render(index + 1, resolutionFor(page)), use, fail);
      }
    } catch (error) {
      fail(error);
    }
    document.refresh();
    await settle(MOST_WAITING);
    // Lets this process answer and be stopped: PDFium alone never waits for anything.
    await setImmediate();
  }
  await settle(0);
  write(blocks.end());
  if (isEmpty && (damaged !== undefined || total === 0)) {
    throw malformed(filename, damaged instanceof Error ? damaged.message : "it has no pages");
  }
  const title = titleOf(document) ?? firstHeading ?? null;
  const facts = factsOf(document, language);
  return builder.finish(filename, { page_count: total, title, facts, pictures: true });
}

/** Pixels an inch; the picture may have been turned. */
function resolutionOf(picture: { width: number; height: number }, page: PdfPage): number {
  return (Math.max(picture.width, picture.height) * 72) / Math.max(page.width, page.height);
}

function tooLong(filename: string, pages: number): SluiceError {
  return new SluiceError(
    "limit_exceeded",
    `${filename} has ${pages} pages; at most ${MOST_PAGES} are read. Split it and upload the parts.`,
  );
}

/** Tags that leave out more of a page's text than this are no guide to it. */
const TAGGED_SHARE = 0.8;

function contentOf(page: PdfPage): PageContent {
  const { height, annotations } = page;
  const comments = annotations.filter(({ kind }) => kind === "comment").map(({ text }) => text);
  const written = annotations.filter(({ kind }) => kind !== "comment");
  const parts = written.length === 0 ? taggedParts(page) : undefined;
  if (parts !== undefined) {
    const lines = parts.flatMap((part) => [...part.lines, ...(part.rows?.flat(2) ?? [])]);
    return { lines, parts, height, comments };
  }
  const lines = linesOfRuns(page.runs);
  for (const annotation of written) write(lines, annotation);
  return { lines, height, comments };
}

/** The page's parts as its tags have them; undefined where it has none, or none to be trusted. */
function taggedParts({ runs, tags }: PdfPage): PagePart[] | undefined {
  if (tags.length === 0) return undefined;
  const byMark = Map.groupBy(runs, ({ mark }) => mark);
  const linesOf = (marks: readonly number[]): Line[] => {
    const own: Run[] = [];
    for (const mark of marks) {
      own.push(...(byMark.get(mark) ?? []));
      byMark.delete(mark);
    }
    return linesOfRuns(own);
  };
  const marked = runs.filter(({ mark }) => mark >= 0).length;
  if (marked < runs.length * TAGGED_SHARE) return undefined;
  const parts = partsOf(tags).map(
    ({ kind, level, marks, rows, alternative }): PagePart => ({
      kind,
      level,
      lines: linesOf(marks),
      ...(rows === undefined ? {} : { rows: rows.map((row) => row.map(linesOf)) }),
      ...(alternative === undefined ? {} : { alternative }),
    }),
  );
  byMark.delete(-1);
  const missed = [...byMark.values()].reduce((sum, { length }) => sum + length, 0);
  return missed > marked * (1 - TAGGED_SHARE) ? undefined : parts;
}

/** Puts what was filled in, or written on the page, behind the words that it stands beside. */
function write(lines: Line[], { text, x, right, y, down }: Annotation): void {
  const middle = (y + down) / 2;
  const size = Math.min(12, Math.max(6, (down - y) * 0.7));
  const word = { text: text.replace(/\s*[\r\n]+\s*/g, " "), x, right };
  const beside = lines
    .filter(
      (line) =>
        line.turn === 0 &&
        line.right <= x + line.size &&
        Math.abs(line.y - line.size * 0.3 - middle) < line.size,
    )
    .sort((a, b) => b.right - a.right)[0];
  if (beside !== undefined) {
    beside.text += ` ${word.text}`;
    // Not pushed: in a line of one piece the two are the same array.
    beside.words = [...beside.words, word];
    beside.cells = [...beside.cells, word];
    beside.right = Math.max(beside.right, right);
    return;
  }
  const above = lines.findLastIndex((line) => line.turn === 0 && line.y <= middle);
  lines.splice(above + 1, 0, {
    text: word.text,
    words: [word],
    cells: [word],
    x,
    right,
    y: middle + size * 0.3,
    size,
    font: "",
    bold: false,
    turn: 0,
    raised: false,
  });
}
