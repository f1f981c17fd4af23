/** Scanned pages and pictures, read by OCR. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type Bitmap, turned } from "../../../src/adapters/extract/bitmap.ts";
import { readImage } from "../../../src/adapters/extract/image.ts";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { readPdf } from "../../../src/adapters/extract/pdf.ts";
import { openPdf } from "../../../src/adapters/extract/pdf-document.ts";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";
import { type Line, makePdf } from "../../fixtures/pdf.ts";
import { makePng, makeTiff } from "../../fixtures/pictures.ts";
import { blocksOf, fixturePath, read } from "./reading.ts";

const TIMEOUT = 120_000;

const printed: Line[] = [
  ["F2", 24, 72, 760, "Harbour Notice"],
  ["F1", 12, 72, 715, "Boats longer than thirty metres wait outside the"],
  ["F1", 12, 72, 699, "lower gates until the keeper raises the green flag."],
];
const words =
  "Boats longer than thirty metres wait outside the lower gates until the keeper raises the green flag.";
let picture: Bitmap;

beforeAll(async () => {
  const document = await openPdf(makePdf("", [printed]), "printed.pdf");
  picture = document.render(1, 120);
  document.close();
});

/** A page of text, then a scan. */
const mixed = () =>
  makePdf("Notices", [[["F1", 12, 72, 700, "This page has a text layer of its own."]], []], {
    pictures: { 2: picture },
  });

test(
  "a scanned page is read where it stands, with its headings; progress counts it",
  async () => {
    const steps: [number, number | null][] = [];
    const extracted = await readPdf(bytesInput(mixed(), "mixed.pdf", (...step) => steps.push(step)));
    expect(blocksOf(extracted)).toEqual([
      ["paragraph", "This page has a text layer of its own."],
      ["heading1", "Harbour Notice"],
      ["paragraph", words],
    ]);
    expect(extracted.blocks.map(({ page }) => page)).toEqual([1, 2, 2]);
    expect(steps).toEqual([
      [0, 2],
      [1, 2],
      [2, 2],
    ]);
  },
  TIMEOUT,
);

test(
  "a page that was kept is not read again",
  async () => {
    const kept = new Map<number, string>();
    const first = await readPdf({
      ...bytesInput(mixed(), "mixed.pdf"),
      pages: { kept: new Map(), keep: (page, content) => void kept.set(page, content) },
    });
    expect([...kept.keys()]).toEqual([2]);
    const altered = new Map([[2, kept.get(2)!.replace("Harbour", "Kept")]]);
    const second = await readPdf({
      ...bytesInput(mixed(), "mixed.pdf"),
      pages: { kept: altered, keep: () => expect.unreachable("the page was read again") },
    });
    expect(second.text).toBe(first.text.replace("Harbour", "Kept"));
  },
  TIMEOUT,
);

test(
  "pictures: PNG, one that lies on its side, and each page of a TIFF",
  async () => {
    const upright = await read(readImage, makePng(picture), "notice.png");
    expect(upright).toMatchObject({ page_count: 1, title: "Harbour Notice" });
    expect(upright.text).toContain(words);
    const lying = await read(readImage, makePng(turned(picture, 1)), "lying.png");
    expect(lying.text).toContain("Harbour Notice");
    const both = await read(readImage, makeTiff([picture, picture]), "notices.tiff");
    expect(both.page_count).toBe(2);
    expect(both.blocks.filter(({ kind }) => kind === "heading").map(({ page }) => page)).toEqual([1, 2]);
  },
  TIMEOUT,
);

test(
  "a TIFF whose strips are packed as JPEG, as scanners make them",
  async () => {
    // Of sample.pdf: pdftoppm -tiff -tiffcompression jpeg -gray -r 150 -W 900 -H 400. 25 strips, tables of their own.
    const scan = await read(readImage, readFileSync(fixturePath("scan-jpeg.tiff")), "scan.tiff");
    expect(scan.page_count).toBe(1);
    expect(scan.text).toContain("Close the lower gates before you open the upper sluices.");
  },
  TIMEOUT,
);

test(
  "what is no picture, and pictures where no language is named, are typed failures",
  async () => {
    await expect(read(readImage, Buffer.from("\x89PNG\r\n\x1a\nbroken"), "broken.png")).rejects.toMatchObject(
      {
        code: "malformed_document",
        message: expect.stringContaining("broken.png"),
      },
    );
    const off = (bytes: Uint8Array) => ({ ...bytesInput(bytes, "notice.png"), ocr_languages: [] });
    await expect(readImage(off(makePng(picture)))).rejects.toMatchObject({
      code: "unsupported_media_type",
    });
    const scan = makePdf("Scan", [[]], { pictures: { 1: picture } });
    await expect(readPdf(off(scan))).rejects.toMatchObject({ code: "empty_document" });
  },
  TIMEOUT,
);

test(
  "in the extraction child, within its limits, pages come to be kept",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-ocr-"));
    const path = join(folder, "mixed.pdf");
    writeFileSync(path, mixed());
    const extractor = createProcessExtractor({ timeout_ms: TIMEOUT, memory_mb: 256, size: 1 });
    try {
      const source = { path, media_type: "application/pdf", filename: "mixed.pdf" };
      const pages: number[] = [];
      const signal = new AbortController().signal;
      const cache = { kept: new Map<number, string>(), keep: (page: number) => void pages.push(page) };
      const { text } = await extractor.extract(source, () => {}, signal, { pages: cache });
      expect(text).toContain(words);
      expect(pages).toEqual([2]);
    } finally {
      await extractor.close();
      rmSync(folder, { recursive: true });
    }
  },
  TIMEOUT,
);
