/** Lets PDFium read a file where and when it needs it, so that no copy of the whole lies in its memory. */
import type { Pdfium } from "./pdfium.ts";
import type { OpenInput } from "./text-builder.ts";

export interface LentFile {
  /** Where PDFium finds what it needs to know of it: an `FPDF_FILEACCESS`. */
  access: number;
  /** How many bytes PDFium has asked for. */
  bytesRead(): number;
  /** @throws what reading the file threw: PDFium itself takes such bytes for damage */
  check(): void;
  /** To be called when PDFium has closed the document. The file stays open. */
  end(): void;
}

interface Lent {
  file: OpenInput;
  bytesRead: number;
  broken: { error: unknown } | undefined;
}

/**
 * The library's table of functions is as long as it was built, and full but for its first place, which stands for "no
 * function". Nothing else is called through that place.
 */
const PLACE = 0;
/** PDFium asks for some hundred bytes at a time, mostly near the last ones. */
const BLOCK = 64 * 1024;

const lent = new Map<number, Lent>();
let next = 1;

export function lendFile(pdfium: Pdfium, file: OpenInput): LentFile {
  if (pdfium.table.get(PLACE) === null) pdfium.table.set(PLACE, asWasm(readerOf(pdfium)));
  const entry: Lent = { file: inBlocks(file), bytesRead: 0, broken: undefined };
  const id = next++;
  lent.set(id, entry);
  const access = pdfium._malloc(12);
  pdfium.HEAPU32.set([file.size_bytes, PLACE, id], access >> 2);
  return {
    access,
    bytesRead: () => entry.bytesRead,
    check() {
      if (entry.broken !== undefined) throw entry.broken.error;
    },
    end() {
      lent.delete(id);
      pdfium._free(access);
    },
  };
}

/** Node has it; the types of a browser that declare it are not wanted here. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: Record<string, object>) => { exports: { f?: unknown } };
};

type ReadBlock = (id: number, position: number, at: number, size: number) => number;

/** `m_GetBlock` of fpdfview.h: 1 when all of it was read. Nothing may be thrown through PDFium. */
function readerOf(pdfium: Pdfium): ReadBlock {
  return (id, position, at, size) => {
    const entry = lent.get(id);
    if (entry === undefined) return 0;
    try {
      const [from, length] = [at >>> 0, size >>> 0];
      entry.bytesRead += length;
      const target = pdfium.HEAPU8.subarray(from, from + length);
      return entry.file.read(target, position >>> 0) === length ? 1 : 0;
    } catch (error) {
      entry.broken ??= { error };
      return 0;
    }
  };
}

/** Keeps the last block that was read. */
function inBlocks(file: OpenInput): OpenInput {
  const block = new Uint8Array(BLOCK);
  let start = 0;
  let length = 0;
  return {
    ...file,
    read(into, position) {
      if (into.length >= BLOCK) return file.read(into, position);
      let done = 0;
      while (done < into.length) {
        const from = position + done;
        if (from < start || from >= start + length) {
          start = from - (from % BLOCK);
          length = file.read(block, start);
          if (from >= start + length) break;
        }
        const part = block.subarray(from - start, Math.min(length, from - start + into.length - done));
        into.set(part, done);
        done += part.length;
      }
      return done;
    },
  };
}

/** Tables hold functions of WebAssembly only: a module that hands on one that it is given (4 × i32 → i32). */
function asWasm(read: ReadBlock): unknown {
  const module = new WebAssembly.Module(
    // biome-ignore format: a section a line
    new Uint8Array([
      0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
      /* type */ 0x01, 0x09, 0x01, 0x60, 0x04, 0x7f, 0x7f, 0x7f, 0x7f, 0x01, 0x7f,
      /* import "e" "f" */ 0x02, 0x07, 0x01, 0x01, 0x65, 0x01, 0x66, 0x00, 0x00,
      /* export "f" */ 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00,
    ]),
  );
  return new WebAssembly.Instance(module, { e: { f: read } }).exports.f;
}
