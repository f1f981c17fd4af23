/** Opens a PDF with PDFium, and closes it. */
import { SluiceError } from "../../errors.ts";
import { encrypted, limitExceeded } from "./limits.ts";
import type { Pdfium } from "./pdfium.ts";
import { lendFile } from "./pdfium-file.ts";
import type { OpenInput } from "./text-builder.ts";

/** A document that PDFium has open, as its functions name it. */
export interface Opened {
  document: number;
  /** What its form's fields and its drawing go by. */
  form: number;
  /** The names of its fonts, by their pointers. */
  fonts: Map<number, string>;
  /** Of its file, so many bytes. */
  bytesRead(): number;
  /** @throws what reading its file threw */
  check(): void;
  close(): void;
}

const PASSWORD_NEEDED = 4;
/** PDFium counts a file's bytes in 32 bits. */
const LARGEST = 0xffff_ffff;

/** @throws SluiceError encrypted_document, malformed_document, limit_exceeded */
export function openWith(pdfium: Pdfium, file: OpenInput, filename: string): Opened {
  if (file.size_bytes > LARGEST) throw limitExceeded(filename, `is larger than ${LARGEST} bytes`);
  const lent = lendFile(pdfium, file);
  const document = pdfium._FPDF_LoadCustomDocument(lent.access, 0);
  if (document === 0) {
    const code = pdfium._FPDF_GetLastError();
    lent.end();
    lent.check();
    throw code === PASSWORD_NEEDED ? encrypted(filename) : malformed(filename);
  }
  // A form's fields are known only to those who say that they would fill it in.
  const formInfo = pdfium._malloc(256);
  pdfium.HEAPU8.fill(0, formInfo, formInfo + 256);
  pdfium.HEAPU32[formInfo >> 2] = 2;
  const form = pdfium._FPDFDOC_InitFormFillEnvironment(document, formInfo);
  return {
    document,
    form,
    fonts: new Map(),
    bytesRead: lent.bytesRead,
    check: lent.check,
    close() {
      pdfium._FPDFDOC_ExitFormFillEnvironment(form);
      pdfium._FPDF_CloseDocument(document);
      pdfium._free(formInfo);
      lent.end();
    },
  };
}

export function malformed(filename: string, reason = "its structure can't be found"): SluiceError {
  return new SluiceError(
    "malformed_document",
    `${filename} is no readable PDF (${reason}). Save it again with a PDF program and upload that copy.`,
  );
}
