/** The PDFium library as WebAssembly, and the little that its C interface needs to be called from here. */
import type { PDFium as Vendored } from "@hyzyla/pdfium/dist/vendor/pdfium.d.ts";

type Pointer = number;
type Calls<Names extends string> = Record<Names, (...parameters: number[]) => number>;

/** The part of PDFium that is used. Its package types less than it exports. */
export type Pdfium = Pick<Vendored, "HEAPU8"> & {
  HEAPF32: Float32Array;
  HEAPF64: Float64Array;
  HEAPU16: Uint16Array;
  HEAPU32: Uint32Array;
  /** Its functions, as pointers to them name them. */
  table: { get(place: number): unknown; set(place: number, value: unknown): void };
} & Calls<
    | "_malloc"
    | "_free"
    | "_FPDF_InitLibraryWithConfig"
    | "_FPDF_LoadCustomDocument"
    | "_FPDF_GetLastError"
    | "_FPDF_CloseDocument"
    | "_FPDF_GetPageCount"
    | "_FPDF_GetMetaText"
    | "_FPDF_LoadPage"
    | "_FPDF_ClosePage"
    | "_FPDF_GetPageBoundingBox"
    | "_FPDFPage_GetRotation"
    | "_FPDFPage_CountObjects"
    | "_FPDFPage_GetObject"
    | "_FPDFPageObj_GetType"
    | "_FPDFPageObj_GetBounds"
    | "_FPDFImageObj_GetImagePixelSize"
    | "_FPDFPageObj_GetMarkedContentID"
    | "_FPDFText_LoadPage"
    | "_FPDFText_ClosePage"
    | "_FPDFText_CountChars"
    | "_FPDFText_GetUnicode"
    | "_FPDFText_IsGenerated"
    | "_FPDFText_HasUnicodeMapError"
    | "_FPDFText_GetTextObject"
    | "_FPDFText_GetLooseCharBox"
    | "_FPDFText_GetCharOrigin"
    | "_FPDFText_GetFontSize"
    | "_FPDFText_GetFontWeight"
    | "_FPDFText_GetMatrix"
    | "_FPDFTextObj_GetFont"
    | "_FPDFFont_GetBaseFontName"
    | "_FPDFBookmark_GetFirstChild"
    | "_FPDFBookmark_GetNextSibling"
    | "_FPDFBookmark_GetTitle"
    | "_FPDFBookmark_GetDest"
    | "_FPDFBookmark_GetAction"
    | "_FPDFAction_GetDest"
    | "_FPDFDest_GetDestPageIndex"
    | "_FPDFCatalog_IsTagged"
    | "_FPDF_StructTree_GetForPage"
    | "_FPDF_StructTree_Close"
    | "_FPDF_StructTree_CountChildren"
    | "_FPDF_StructTree_GetChildAtIndex"
    | "_FPDF_StructElement_CountChildren"
    | "_FPDF_StructElement_GetChildAtIndex"
    | "_FPDF_StructElement_GetChildMarkedContentID"
    | "_FPDF_StructElement_GetMarkedContentIdCount"
    | "_FPDF_StructElement_GetMarkedContentIdAtIndex"
    | "_FPDF_StructElement_GetType"
    | "_FPDF_StructElement_GetLang"
    | "_FPDF_StructElement_GetAltText"
    | "_FPDFDOC_InitFormFillEnvironment"
    | "_FPDFDOC_ExitFormFillEnvironment"
    | "_FPDFPage_GetAnnotCount"
    | "_FPDFPage_GetAnnot"
    | "_FPDFPage_CloseAnnot"
    | "_FPDFAnnot_GetSubtype"
    | "_FPDFAnnot_GetRect"
    | "_FPDFAnnot_GetFlags"
    | "_FPDFAnnot_GetStringValue"
    | "_FPDFAnnot_GetFormFieldType"
    | "_FPDFAnnot_GetFormFieldValue"
    | "_FPDF_FFLDraw"
    | "_FPDFBitmap_CreateEx"
    | "_FPDFBitmap_FillRect"
    | "_FPDFBitmap_GetBuffer"
    | "_FPDFBitmap_GetStride"
    | "_FPDFBitmap_Destroy"
    | "_FPDF_RenderPageBitmap"
  >;

let loading: Promise<Pdfium> | undefined;

/** The library of this process. Documents that were closed leave their memory to the next. */
export function loadPdfium(): Promise<Pdfium> {
  loading ??= (async () => {
    const { PDFiumModule } = await import("@hyzyla/pdfium");
    const vendored = await PDFiumModule({});
    const pdfium = unwrapped(vendored);
    pdfium._FPDF_InitLibraryWithConfig(0);
    return pdfium;
  })();
  return loading;
}

/**
 * The library's functions themselves: its package wraps each in checks that take longer than the short ones among them.
 * The views of its memory are looked up each time, since they are others when it has grown.
 */
function unwrapped(vendored: Vendored): Pdfium {
  const functions = vendored.wasmExports as unknown as Record<string, unknown>;
  const pdfium: Record<string, unknown> = {};
  for (const name of Object.keys(vendored)) {
    if (name.startsWith("_")) pdfium[name] = functions[name.slice(1)];
  }
  pdfium.table = functions.__indirect_function_table;
  const views = vendored as unknown as Record<string, unknown>;
  for (const name of ["HEAPU8", "HEAPF32", "HEAPF64", "HEAPU16", "HEAPU32"]) {
    Object.defineProperty(pdfium, name, { get: () => views[name] });
  }
  return pdfium as unknown as Pdfium;
}

/** Lends `use` a piece of PDFium's memory. */
export function withMemory<T>(pdfium: Pdfium, bytes: number, use: (at: Pointer) => T): T {
  const at = pdfium._malloc(bytes);
  if (at === 0) throw new RangeError(`Allocation failed: PDFium has no ${bytes} bytes left`);
  try {
    return use(at);
  } finally {
    pdfium._free(at);
  }
}

/** The most bytes of one string: nothing that is read this way is longer in earnest. */
const LONGEST_STRING = 4 * 1024 * 1024;

/** A string from one of PDFium's functions that write UTF-16 into a buffer and return its size in bytes. */
export function readString(pdfium: Pdfium, write: (buffer: Pointer, bytes: number) => number): string {
  const bytes = write(0, 0);
  if (bytes <= 2 || bytes > LONGEST_STRING) return "";
  return withMemory(pdfium, bytes, (at) => {
    write(at, bytes);
    const units = Buffer.from(pdfium.HEAPU8.buffer, at, bytes - 2);
    return units.toString("utf16le");
  });
}

/** A string of single bytes, written the same way. */
export function readBytes(pdfium: Pdfium, write: (buffer: Pointer, bytes: number) => number): string {
  const bytes = write(0, 0);
  if (bytes <= 1 || bytes > LONGEST_STRING) return "";
  return withMemory(pdfium, bytes, (at) => {
    write(at, bytes);
    return Buffer.from(pdfium.HEAPU8.buffer, at, bytes - 1).toString("utf8");
  });
}

/** A name as a C string, for the length of a call. */
export function withName<T>(pdfium: Pdfium, name: string, use: (at: Pointer) => T): T {
  return withMemory(pdfium, name.length + 1, (at) => {
    pdfium.HEAPU8.set(Buffer.from(`${name}\0`, "latin1"), at);
    return use(at);
  });
}
