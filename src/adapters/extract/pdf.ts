/** PDF, page by page. What the pages hold is put in lines by pdf-lines.ts and in blocks by pdf-blocks.ts. */
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { PDFDocumentLoadingTask, PDFDocumentProxy } from "pdfjs-dist/types/src/display/api.d.ts";
import { SluiceError } from "../../errors.ts";
import { blocksOfPages } from "./pdf-blocks.ts";
import { type Line, linesOfItems } from "./pdf-lines.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";

export async function readPdf({ bytes, filename, progress }: ReaderInput) {
  const task = await open(bytes);
  try {
    const document = await task.promise.catch((error: unknown) => {
      throw openingError(filename, error);
    });
    const total = document.numPages;
    progress(0, total);
    const pages: Line[][] = [];
    let damaged: unknown;
    for (let number = 1; number <= total; number++) {
      try {
        pages.push(await linesOfPage(document, number));
      } catch (error) {
        // One bad page does not take the others along; a document of nothing else is malformed.
        damaged = error;
        pages.push([]);
      }
      progress(number, total);
      // Lets this process answer and be stopped: pdf.js alone never waits for anything.
      await setImmediate();
    }
    const builder = createTextBuilder();
    const blocks = blocksOfPages(pages);
    if (blocks.length === 0 && damaged !== undefined) throw malformed(filename, damaged);
    for (const { kind, text, level, page } of blocks) {
      builder.add(kind, text, { page, ...(level === null ? {} : { level }) });
    }
    const title = (await titleOf(document)) ?? blocks.find((block) => block.level === 1)?.text ?? null;
    return builder.finish(filename, { page_count: total, title });
  } finally {
    await task.destroy();
  }
}

async function open(bytes: Uint8Array): Promise<PDFDocumentLoadingTask> {
  // Drawing classes that pdf.js asks for when it loads and never uses for text. These stand-ins spare a native library.
  const scope = globalThis as Record<string, unknown>;
  for (const name of ["DOMMatrix", "ImageData", "Path2D"]) scope[name] ??= class {};
  const pdfjs = await import("pdfjs-dist/legacy/build/pdf.mjs");
  const root = dirname(
    dirname(dirname(fileURLToPath(import.meta.resolve("pdfjs-dist/legacy/build/pdf.mjs")))),
  );
  return pdfjs.getDocument({
    // A copy, because pdf.js takes what it is given and refuses Buffers.
    data: new Uint8Array(bytes),
    cMapUrl: `${join(root, "cmaps")}/`,
    cMapPacked: true,
    standardFontDataUrl: `${join(root, "standard_fonts")}/`,
    wasmUrl: `${join(root, "wasm")}/`,
    useSystemFonts: false,
    disableFontFace: true,
    isEvalSupported: false,
    useWorkerFetch: false,
    enableXfa: false,
    verbosity: pdfjs.VerbosityLevel.ERRORS,
  });
}

async function linesOfPage(document: PDFDocumentProxy, number: number): Promise<Line[]> {
  const page = await document.getPage(number);
  try {
    const { items } = await page.getTextContent();
    return linesOfItems(items, page.getViewport({ scale: 1 }).transform as number[]);
  } finally {
    page.cleanup();
  }
}

function openingError(filename: string, error: unknown): SluiceError {
  if (error instanceof Error && error.name === "PasswordException") {
    return new SluiceError(
      "encrypted_document",
      `${filename} opens only with a password. Remove the protection and upload it again.`,
      { cause: error },
    );
  }
  return malformed(filename, error);
}

function malformed(filename: string, error: unknown): SluiceError {
  const reason = error instanceof Error ? error.message : String(error);
  return new SluiceError(
    "malformed_document",
    `${filename} is no readable PDF (${reason}). Save it again with a PDF program and upload that copy.`,
    { cause: error },
  );
}

/** The title in the document's properties, unless a program put the name of a file there. */
async function titleOf(document: PDFDocumentProxy): Promise<string | null> {
  // Properties are a courtesy: a document whose properties are broken still has its text.
  const info = await document.getMetadata().then(
    (metadata) => metadata.info as Record<string, unknown>,
    () => ({}) as Record<string, unknown>,
  );
  const title = typeof info.Title === "string" ? info.Title.trim() : "";
  const isUseless =
    title.length < 3 ||
    /^untitled|^microsoft word|^slide 1$|\.(docx?|pdf|indd|tex|dvi|qxd|pptx?|rtf|odt)$/i.test(title);
  return isUseless ? null : title;
}
