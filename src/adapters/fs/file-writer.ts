/** Writing a stream to a file in large pieces: one buffer is filled while the other is on its way to the disk. */
import type { FileHandle } from "node:fs/promises";

/** Bytes that go to the disk in one call; network chunks are smaller, and each call costs. */
export const WRITE_BYTES = 256 * 1024;
/** Write buffers kept for the next writer; more are made when more write at once. */
const SPARE_BUFFERS = 32;

export interface FileWriter {
  /** Copies the chunk. Resolves when the next may come; undefined: at once. */
  take(chunk: Uint8Array): Promise<void> | undefined;
  /** Writes what is left. @returns the position behind the last byte */
  end(): Promise<number>;
  /** Lets go of the buffers; to be called once, in the end, also after a failure. */
  release(): Promise<void>;
}

export interface FileWriterOptions {
  /** Where in the file the first byte goes. */
  position: number;
  /** Called with each piece, in order, while it is being written. */
  onPiece?(bytes: Uint8Array): void;
}

/** @param disk runs an operation on the disk, and says what its failure means */
export function createFileWriters(disk: (operation: () => Promise<void>) => Promise<void>) {
  const spare: Buffer[] = [];

  return function openWriter(file: FileHandle, { position, onPiece }: FileWriterOptions): FileWriter {
    let filling = spare.pop() ?? Buffer.allocUnsafeSlow(WRITE_BYTES);
    let resting = spare.pop() ?? Buffer.allocUnsafeSlow(WRITE_BYTES);
    let filled = 0;
    let at = position;
    let writing: Promise<void> = Promise.resolve();

    async function flush(): Promise<void> {
      await writing;
      const bytes = filling.subarray(0, filled);
      const place = at;
      writing = disk(() => writeAll(file, bytes, place));
      // Awaited before the next flush and at the end; until then, nobody else needs to hear of it.
      writing.catch(() => {});
      onPiece?.(bytes);
      at += filled;
      filled = 0;
      [filling, resting] = [resting, filling];
    }

    async function takeLarge(chunk: Uint8Array): Promise<void> {
      for (let taken = 0; taken < chunk.length; ) {
        const piece = chunk.subarray(taken, taken + WRITE_BYTES - filled);
        filling.set(piece, filled);
        filled += piece.length;
        taken += piece.length;
        if (filled === WRITE_BYTES) await flush();
      }
    }

    return {
      take(chunk) {
        if (filled + chunk.length >= WRITE_BYTES) return takeLarge(chunk);
        filling.set(chunk, filled);
        filled += chunk.length;
        return undefined;
      },
      async end() {
        if (filled > 0) await flush();
        await writing;
        return at;
      },
      async release() {
        // Not before the disk is done with them; an error of that write was thrown before, or comes after another.
        await writing.catch(() => {});
        if (spare.length < SPARE_BUFFERS) spare.push(filling, resting);
      },
    };
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}
