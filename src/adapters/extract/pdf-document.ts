/** An open PDF: its properties, its outline and its pages, one at a time. */
import type { Bitmap } from "./bitmap.ts";
import { openBytes } from "./input.ts";
import { openWith } from "./pdf-open.ts";
import { type Frame, frameOf, type PageText, readRuns, sizeOf, upright } from "./pdf-runs.ts";
import { readTags, type Tag } from "./pdf-tags.ts";
import { loadPdfium, type Pdfium, readString, withMemory, withName } from "./pdfium.ts";
import type { OpenInput } from "./text-builder.ts";

export interface OutlineEntry {
  title: string;
  level: number;
  /** From 1; undefined where it leads elsewhere. */
  page: number | undefined;
}

/** What somebody filled in, or wrote upon the page, and where. */
export interface Annotation {
  kind: "value" | "text" | "comment";
  text: string;
  x: number;
  right: number;
  y: number;
  down: number;
}

/** The pictures on a page. */
export interface Pictures {
  /** The share of the page that they take. */
  share: number;
  /** Pixels an inch of the largest; 0 where there is none. */
  resolution: number;
}

export interface PdfPage extends PageText {
  width: number;
  height: number;
  tags: Tag[];
  /** As its tags name it; empty where they don't. */
  language: string;
  annotations: Annotation[];
  pictures: Pictures;
  /** How many things it draws, pieces of text among them. */
  objects: number;
}

export interface PdfDocument {
  page_count: number;
  /** A text of its properties, such as `Title`; empty where there is none. */
  property(name: string): string;
  outline(): OutlineEntry[];
  /** @throws Error when the page is damaged */
  page(number: number): PdfPage;
  /** The page as a picture with so many pixels an inch, fewer where that would be too large. */
  render(number: number, resolution: number): Bitmap;
  /**
   * To be called between pages of a long document: lets go of what PDFium keeps of those that were read.
   *
   * @throws what reading the file threw, where that is what made a page look damaged
   */
  refresh(): void;
  close(): void;
}

/** After so many bytes read, or so many pages, PDFium begins anew. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_PAGES = 1_000;
/** A page of letter size at 300 pixels an inch. */
const MOST_PIXELS = 8_500_000;
const MOST_ENTRIES = 20_000;

/** @throws SluiceError encrypted_document, malformed_document, limit_exceeded */
export async function openPdf(source: OpenInput | Uint8Array, filename: string): Promise<PdfDocument> {
  const pdfium = await loadPdfium();
  const file = source instanceof Uint8Array ? openBytes(source) : source;
  let opened = openWith(pdfium, file, filename);
  const page_count = pdfium._FPDF_GetPageCount(opened.document);
  const isTagged = pdfium._FPDFCatalog_IsTagged(opened.document) === 1;
  let toOpen = opened.bytesRead();
  let pages = 0;

  function withPage<T>(number: number, use: (page: number, frame: Frame) => T): T {
    const page = pdfium._FPDF_LoadPage(opened.document, number - 1);
    if (page === 0) throw new Error(`page ${number} can't be loaded`);
    try {
      return use(page, frameOf(pdfium, page));
    } finally {
      pdfium._FPDF_ClosePage(page);
    }
  }

  return {
    page_count,
    property: (name) =>
      withName(pdfium, name, (tag) =>
        readString(pdfium, (at, size) => pdfium._FPDF_GetMetaText(opened.document, tag, at, size)),
      ),
    outline: () => readOutline(pdfium, opened.document),
    page(number) {
      pages++;
      return withPage(number, (page, frame) => ({
        ...readRuns(pdfium, page, frame, opened.fonts),
        ...sizeOf(frame),
        ...(isTagged ? readTags(pdfium, page) : { tags: [], language: "" }),
        annotations: readAnnotations(pdfium, page, opened.form, frame),
        pictures: picturesOf(pdfium, page, frame),
        objects: pdfium._FPDFPage_CountObjects(page),
      }));
    },
    render: (number, resolution) =>
      withPage(number, (page, frame) => render(pdfium, page, opened.form, frame, resolution)),
    refresh() {
      opened.check();
      // PDFium keeps every object of the file that it has come by until the document is closed.
      const read = opened.bytesRead() - toOpen;
      // A file without a table of its objects is searched for them as a whole: not more often than it is read.
      if (read < toOpen || (read < MOST_BYTES && pages < MOST_PAGES)) return;
      const again = openWith(pdfium, file, filename);
      opened.close();
      opened = again;
      toOpen = opened.bytesRead();
      pages = 0;
    },
    close: () => opened.close(),
  };
}

function readOutline(pdfium: Pdfium, document: number): OutlineEntry[] {
  const entries: OutlineEntry[] = [];
  // A list may lead back into itself.
  const seen = new Set<number>();
  const open: [bookmark: number, level: number][] = [[pdfium._FPDFBookmark_GetFirstChild(document, 0), 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [bookmark, level] = next;
    if (bookmark === 0 || seen.has(bookmark) || entries.length >= MOST_ENTRIES) continue;
    seen.add(bookmark);
    let target = pdfium._FPDFBookmark_GetDest(document, bookmark);
    if (target === 0) {
      const action = pdfium._FPDFBookmark_GetAction(bookmark);
      if (action !== 0) target = pdfium._FPDFAction_GetDest(document, action);
    }
    const index = target === 0 ? -1 : pdfium._FPDFDest_GetDestPageIndex(document, target);
    entries.push({
      title: readString(pdfium, (at, size) => pdfium._FPDFBookmark_GetTitle(bookmark, at, size)),
      level,
      page: index < 0 ? undefined : index + 1,
    });
    open.push([pdfium._FPDFBookmark_GetNextSibling(document, bookmark), level]);
    open.push([pdfium._FPDFBookmark_GetFirstChild(document, bookmark), level + 1]);
  }
  return entries;
}

/** PDFium's numbers of annotations, form fields and flags (fpdf_annot.h, fpdf_formfill.h). */
const TEXT = 1;
const FREE_TEXT = 3;
const MARKUPS = new Set([9, 10, 11, 12, 13]);
const WIDGET = 20;
const HIDDEN = 2;
const CHECKBOX = 2;
const RADIO = 3;
const VALUES = new Set([4, 5, 6]);
const MOST_ANNOTATIONS = 5_000;

function readAnnotations(pdfium: Pdfium, page: number, form: number, frame: Frame): Annotation[] {
  const found: Annotation[] = [];
  const count = Math.min(MOST_ANNOTATIONS, pdfium._FPDFPage_GetAnnotCount(page));
  for (let index = 0; index < count; index++) {
    const annotation = pdfium._FPDFPage_GetAnnot(page, index);
    if (annotation === 0) continue;
    try {
      const content = contentOf(pdfium, annotation, form);
      if (content === undefined || content.text.trim() === "") continue;
      if ((pdfium._FPDFAnnot_GetFlags(annotation) & HIDDEN) !== 0) continue;
      const place = withMemory(pdfium, 16, (at) => {
        pdfium._FPDFAnnot_GetRect(annotation, at);
        const floats = pdfium.HEAPF32;
        return upright(
          frame,
          floats[at >> 2]!,
          floats[(at >> 2) + 3]!,
          floats[(at >> 2) + 2]!,
          floats[(at >> 2) + 1]!,
        );
      });
      found.push({ ...content, text: content.text.trim(), ...place });
    } finally {
      pdfium._FPDFPage_CloseAnnot(annotation);
    }
  }
  return found;
}

function contentOf(
  pdfium: Pdfium,
  annotation: number,
  form: number,
): Pick<Annotation, "kind" | "text"> | undefined {
  const subtype = pdfium._FPDFAnnot_GetSubtype(annotation);
  if (subtype === WIDGET) {
    const type = pdfium._FPDFAnnot_GetFormFieldType(form, annotation);
    if (type === CHECKBOX || type === RADIO) {
      // What it looks like. PDFium's own answer is no, unless the page is on show.
      const state = stringOf(pdfium, annotation, "AS");
      return { kind: "value", text: state === "" || state === "Off" ? "[ ]" : "[x]" };
    }
    if (!VALUES.has(type)) return undefined;
    const text = readString(pdfium, (at, size) =>
      pdfium._FPDFAnnot_GetFormFieldValue(form, annotation, at, size),
    );
    return { kind: "value", text };
  }
  if (subtype !== TEXT && subtype !== FREE_TEXT && !MARKUPS.has(subtype)) return undefined;
  const text = stringOf(pdfium, annotation, "Contents");
  return { kind: subtype === FREE_TEXT ? "text" : "comment", text };
}

/** Empty where it has none. */
function stringOf(pdfium: Pdfium, annotation: number, name: string): string {
  return withName(pdfium, name, (key) =>
    readString(pdfium, (at, size) => pdfium._FPDFAnnot_GetStringValue(annotation, key, at, size)),
  );
}

const PICTURE = 3;
const FORM = 5;
const MOST_OBJECTS = 2_000;

function picturesOf(pdfium: Pdfium, page: number, frame: Frame): Pictures {
  const area = Math.max(1, (frame.right - frame.left) * (frame.top - frame.bottom));
  const count = Math.min(MOST_OBJECTS, pdfium._FPDFPage_CountObjects(page));
  return withMemory(pdfium, 16, (at) => {
    let covered = 0;
    let largest = 0;
    let resolution = 0;
    for (let index = 0; index < count; index++) {
      const object = pdfium._FPDFPage_GetObject(page, index);
      const type = pdfium._FPDFPageObj_GetType(object);
      if (type !== PICTURE && type !== FORM) continue;
      if (pdfium._FPDFPageObj_GetBounds(object, at, at + 4, at + 8, at + 12) === 0) continue;
      const [left, bottom, right, top] = pdfium.HEAPF32.subarray(at >> 2, (at >> 2) + 4);
      const [width, height] = [Math.max(0, right! - left!), Math.max(0, top! - bottom!)];
      covered += width * height;
      if (type !== PICTURE || width * height <= largest) continue;
      if (pdfium._FPDFImageObj_GetImagePixelSize(object, at, at + 4) === 0) continue;
      largest = width * height;
      // Both sides together: it may lie turned on the page.
      const pixels = pdfium.HEAPU32[at >> 2]! + pdfium.HEAPU32[(at >> 2) + 1]!;
      resolution = pixels / ((width + height) / 72);
    }
    return { share: covered / area, resolution };
  });
}

const GREY = 1;
const WITH_ANNOTATIONS = 1;
const AS_GREY = 8;

function render(pdfium: Pdfium, page: number, form: number, frame: Frame, resolution: number): Bitmap {
  const size = sizeOf(frame);
  const wanted = resolution / 72;
  const scale = Math.min(wanted, Math.sqrt(MOST_PIXELS / Math.max(1, size.width * size.height)));
  const width = Math.max(1, Math.round(size.width * scale));
  const height = Math.max(1, Math.round(size.height * scale));
  const bitmap = pdfium._FPDFBitmap_CreateEx(width, height, GREY, 0, 0);
  if (bitmap === 0)
    throw new RangeError(`Allocation failed: PDFium has no room for ${width} × ${height} pixels`);
  try {
    pdfium._FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xffffffff);
    pdfium._FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, WITH_ANNOTATIONS | AS_GREY);
    pdfium._FPDF_FFLDraw(form, bitmap, page, 0, 0, width, height, 0, AS_GREY);
    const stride = pdfium._FPDFBitmap_GetStride(bitmap);
    const start = pdfium._FPDFBitmap_GetBuffer(bitmap);
    const grey = new Uint8Array(width * height);
    for (let row = 0; row < height; row++) {
      grey.set(pdfium.HEAPU8.subarray(start + row * stride, start + row * stride + width), row * width);
    }
    return { width, height, grey };
  } finally {
    pdfium._FPDFBitmap_Destroy(bitmap);
  }
}
