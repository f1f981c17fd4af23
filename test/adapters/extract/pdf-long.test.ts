/** PDFs of hundreds of pages: read in windows, handed over part by part, and as good at the end as at the beginning. */
import { expect, test } from "vitest";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { readPdf } from "../../../src/adapters/extract/pdf.ts";
import { openPdf } from "../../../src/adapters/extract/pdf-document.ts";
import type { ReaderInput } from "../../../src/adapters/extract/text-builder.ts";
import type { ExtractedPart } from "../../../src/chunk.ts";
import { type Line, makePdf } from "../../fixtures/pdf.ts";
import { blocksOf, read } from "./reading.ts";

const CHAPTER = 20;
const LINES = 36;

/** The word that is cut at the end of each of a paragraph's lines, the last of its page too. */
const cut = (page: number, line: number) => (line % 3 === 0 ? `harbour${page}mas-` : "harbour master");

const isChapter = (page: number) => page % CHAPTER === 1;
const chapter = (page: number) => `Chapter ${Math.ceil(page / CHAPTER)}`;

/** A page of a book: its title or the chapter's name above, a number below, on some a chapter's heading. */
function bookPage(page: number): Line[] {
  const head = page % 2 === 0 ? "The Book of Long Canals" : `On the water of ${chapter(page)}`;
  const text = Array.from({ length: LINES }, (_, line): Line => {
    const begin = line % 3 === 1 ? "ter" : `Boat ${page} of line ${line}`;
    return [
      "F1",
      11,
      60,
      700 - 16 * line,
      `${begin} ${"waits for the lock and its ".repeat(2)}${cut(page, line)}`,
    ];
  });
  return [
    ["F1", 9, 60, 810, head],
    ...(isChapter(page) ? [["F2", 18, 60, 750, chapter(page)] satisfies Line] : []),
    ...text,
    ["F1", 9, 290, 30, `${page}`],
  ];
}

const book = (pages: number, first = 1) =>
  makePdf(
    "",
    Array.from({ length: pages }, (_, index) => bookPage(first + index)),
  );

/** What came in parts, and how many pages had been read when each came. */
async function readInParts(bytes: Uint8Array, options: Partial<ReaderInput> = {}) {
  let done = 0;
  const parts: ExtractedPart[] = [];
  const doneAt: number[] = [];
  const rest = await readPdf({
    ...bytesInput(bytes, "book.pdf", (pages) => {
      done = pages;
    }),
    part: async (part) => {
      parts.push(part);
      doneAt.push(done);
    },
    ...options,
  });
  const all = [...parts, rest];
  const whole = {
    ...rest,
    text: all.map(({ text }) => text).join(""),
    blocks: all.flatMap(({ blocks }) => blocks),
  };
  return { whole, parts, doneAt };
}

test("a book of 400 pages comes in parts while it is read, the same as without them", async () => {
  const bytes = book(400);
  const { whole, parts, doneAt } = await readInParts(bytes);
  expect(parts.length).toBeGreaterThan(1);
  expect(doneAt[0]).toBeLessThan(300);
  expect(whole).toEqual(await read(readPdf, bytes));
  const again = await readInParts(bytes);
  expect(again.parts).toEqual(parts);
});

test("running heads and page numbers are left out, headings and paragraphs found, on each of 400 pages", async () => {
  const { whole } = await readInParts(book(400));
  expect(whole.title).toBe("Chapter 1");
  expect(whole.page_count).toBe(400);
  const blocks = blocksOf(whole).map((block, index) => [whole.blocks[index]!.page, ...block]);
  const sentence = (page: number) =>
    Array.from({ length: LINES }, (_, line) => {
      const middle = "waits for the lock and its ".repeat(2);
      const begin = line % 3 === 1 ? "ter" : `Boat ${page} of line ${line}`;
      const end = line % 3 === 0 ? `harbour${page}mas` : "harbour master ";
      return `${begin} ${middle}${end}`;
    })
      .join("")
      .trimEnd();
  expect(blocks).toEqual(
    Array.from({ length: 400 }, (_, index) => index + 1).flatMap((page) => [
      ...(isChapter(page) ? [[page, "heading1", chapter(page)]] : []),
      [page, "paragraph", sentence(page)],
    ]),
  );
});

test("up to 200 pages are judged as a whole", async () => {
  const pages = Array.from({ length: 200 }, (_, index): Line[] => [
    // Three times at one place: a running head, but nobody knows before the last page.
    ...(index === 0 || index === 99 || index === 199
      ? [["F1", 9, 60, 810, "A head that is seldom set"] satisfies Line]
      : []),
    ...bookPage(index + 1).slice(1),
  ]);
  const { whole, doneAt } = await readInParts(makePdf("", pages));
  expect(whole.text).not.toContain("seldom");
  expect(doneAt.every((done) => done === 200)).toBe(true);
});

test("the outline names headings behind the first pages, at levels that fit those before", async () => {
  const pages = Array.from({ length: 300 }, (_, index): Line[] => [
    ["F1", 11, 60, 760, `Lock ${index + 1} and its gates`],
    ["F1", 11, 60, 600, "The gates of this lock open to the west, and no boat may lie before them."],
  ]);
  const extracted = await read(
    readPdf,
    makePdf("", pages, {
      outline: [
        ["Lock 1 and its gates", 1],
        ["Lock 150 and its gates", 150],
        ["Lock 299 and its gates", 299],
      ],
    }),
  );
  const headings = extracted.blocks.filter(({ kind }) => kind === "heading");
  expect(headings.map(({ page, level }) => [page, level])).toEqual([
    [1, 1],
    [150, 1],
    [299, 1],
  ]);
});

test("a damaged page takes no other along", async () => {
  const bytes = Buffer.from(
    book(300).toString("latin1").replace("\n305 0 obj\n<<", "\n305 0 obj\n()"),
    "latin1",
  );
  // Object 305 is page 150.
  const { whole } = await readInParts(bytes);
  const seen = new Set(whole.blocks.map(({ page }) => page));
  expect([149, 150, 151, 300].map((page) => seen.has(page))).toEqual([true, false, true, true]);
  expect(whole.page_count).toBe(300);
});

test("beyond a thousand pages PDFium begins anew, and nobody can tell", async () => {
  const pages = Array.from({ length: 1_100 }, (_, index): Line[] => [
    [
      "F1",
      11,
      60,
      700,
      `What lock ${index + 1} costs a boat is written here, and who may pass it for nothing.`,
    ],
  ]);
  const { whole } = await readInParts(makePdf("Tolls", pages));
  expect(blocksOf(whole)).toEqual(pages.map(([line]) => ["paragraph", line![4]]));
  expect(whole.title).toBe("Tolls");
});

test("the file is read where it is needed, and closed", async () => {
  const bytes = book(3);
  const seen = { open: 0, most: 0 };
  const input = bytesInput(bytes, "book.pdf");
  const extracted = await readPdf({
    ...input,
    get bytes(): Uint8Array {
      throw new Error("the whole file was asked for");
    },
    open() {
      seen.open++;
      const file = input.open();
      return { ...file, close: () => void seen.open-- };
    },
  });
  expect(extracted).toEqual(await read(readPdf, bytes));
  expect(seen.open).toBe(0);
});

test("a file that can't be read any more is not taken for a damaged one", async () => {
  const bytes = book(400);
  const broken = new Error("EIO: i/o error, read");
  let done = 0;
  const input = bytesInput(bytes, "book.pdf", (pages) => {
    done = pages;
  });
  const reading = readPdf({
    ...input,
    open: () => {
      const file = input.open();
      const fail = () => {
        throw broken;
      };
      return { ...file, read: (into, position) => (done > 100 ? fail() : file.read(into, position)) };
    },
  });
  await expect(reading).rejects.toBe(broken);
});

test("pages wait for a scanned one before them, and stand behind it", { timeout: 60_000 }, async () => {
  const printed: Line[] = [["F2", 24, 72, 760, "Harbour Notice"]];
  const document = await openPdf(makePdf("", [printed]), "printed.pdf");
  const picture = document.render(1, 120);
  document.close();
  const texts = Array.from({ length: 50 }, (_, index) => `Boat ${index} has a text layer of its own.`);
  const pages = [[], ...texts.map((text): Line[] => [["F1", 11, 60, 700, text]])];
  const extracted = await read(readPdf, makePdf("", pages, { pictures: { 1: picture } }));
  expect(blocksOf(extracted).map(([, text]) => text)).toEqual(["Harbour Notice", ...texts]);
});
