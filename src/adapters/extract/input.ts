/** A reader's input: a file that is read when and as far as it is needed, or bytes that are there already. */
import { closeSync, createReadStream, openSync, readFileSync, readSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { OpenInput, ReaderInput } from "./text-builder.ts";

const PIECE = 256 * 1024;

export async function fileContent(
  path: string,
): Promise<Pick<ReaderInput, "bytes" | "size_bytes" | "pieces" | "open">> {
  const { size } = await stat(path);
  let whole: Uint8Array | undefined;
  return {
    get bytes() {
      whole ??= readFileSync(path);
      return whole;
    },
    size_bytes: size,
    pieces: () => createReadStream(path, { highWaterMark: PIECE }) as AsyncIterable<Uint8Array>,
    open: () => openFile(path, size),
  };
}

/** The bytes from the beginning. @param tell hears how many of them have come by, before each piece is given */
export async function* countedPieces(
  { pieces }: Pick<ReaderInput, "pieces">,
  tell: (done: number) => void,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const piece of pieces()) {
    done += piece.byteLength;
    tell(done);
    yield piece;
  }
}

function openFile(path: string, size_bytes: number): OpenInput {
  const file = openSync(path, "r");
  return {
    size_bytes,
    read(into, position) {
      let done = 0;
      while (done < into.length) {
        const read = readSync(file, into, done, into.length - done, position + done);
        if (read === 0) break;
        done += read;
      }
      return done;
    },
    close: () => closeSync(file),
  };
}

/** The first bytes of a file, no more than so many. */
export async function headOf(path: string, size: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** @param progress default: nobody wants to know */
export function bytesInput(
  bytes: Uint8Array,
  filename: string,
  progress: ReaderInput["progress"] = () => {},
): ReaderInput {
  return {
    bytes,
    size_bytes: bytes.byteLength,
    async *pieces() {
      for (let at = 0; at < bytes.byteLength; at += PIECE) yield bytes.subarray(at, at + PIECE);
    },
    open: () => openBytes(bytes),
    filename,
    progress,
  };
}

export function openBytes(bytes: Uint8Array): OpenInput {
  return {
    size_bytes: bytes.byteLength,
    read(into, position) {
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    close() {},
  };
}
