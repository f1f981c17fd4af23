/** Pictures as one byte of grey a pixel: what reading letters out of them needs. Pure. */
import { inflateSync } from "node:zlib";

export interface Bitmap {
  width: number;
  height: number;
  /** Row by row. */
  grey: Uint8Array;
}

/** A quarter turn clockwise, so many times. */
export function turned({ width, height, grey }: Bitmap, turns: number): Bitmap {
  if (turns === 0) return { width, height, grey };
  const isFlat = turns % 2 === 0;
  const out = new Uint8Array(grey.length);
  const [wide, high] = isFlat ? [width, height] : [height, width];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [toX, toY] =
        turns === 1
          ? [height - 1 - y, x]
          : turns === 2
            ? [width - 1 - x, height - 1 - y]
            : [y, width - 1 - x];
      out[toY * wide + toX] = grey[y * width + x]!;
    }
  }
  return { width: wide, height: high, grey: out };
}

/** Larger or smaller; every pixel is a mixture of the four that lie around its place. */
export function scaled({ width, height, grey }: Bitmap, factor: number): Bitmap {
  const wide = Math.max(1, Math.round(width * factor));
  const high = Math.max(1, Math.round(height * factor));
  const out = new Uint8Array(wide * high);
  for (let y = 0; y < high; y++) {
    const fromY = Math.min(height - 1, Math.max(0, (y + 0.5) / factor - 0.5));
    const top = Math.floor(fromY);
    const below = Math.min(height - 1, top + 1) * width;
    const down = fromY - top;
    for (let x = 0; x < wide; x++) {
      const fromX = Math.min(width - 1, Math.max(0, (x + 0.5) / factor - 0.5));
      const left = Math.floor(fromX);
      const right = Math.min(width - 1, left + 1);
      const over = fromX - left;
      const upper = grey[top * width + left]! * (1 - over) + grey[top * width + right]! * over;
      const lower = grey[below + left]! * (1 - over) + grey[below + right]! * over;
      out[y * wide + x] = Math.round(upper * (1 - down) + lower * down);
    }
  }
  return { width: wide, height: high, grey: out };
}

/** As a PGM file (netpbm), the plainest that Tesseract reads. */
export function toPgm({ width, height, grey }: Bitmap): Uint8Array {
  return Buffer.concat([Buffer.from(`P5\n${width} ${height}\n255\n`, "latin1"), grey]);
}

/** A PNG of grey, or of black and white, without interlacing, as Leptonica writes it (RFC 2083). */
export function fromGreyPng(png: Uint8Array): Bitmap {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const bits = bytes[24]!;
  if (bits > 8 || bytes[25] !== 0 || bytes[28] !== 0) throw new Error("not a plain grey PNG");
  const parts: Buffer[] = [];
  for (let at = 8; at + 8 < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString("latin1", at + 4, at + 8) === "IDAT")
      parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const stride = Math.ceil((width * bits) / 8);
  const rows = inflateSync(Buffer.concat(parts), { maxOutputLength: (stride + 1) * height });
  const packed = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) unfilter(rows, y * (stride + 1), packed, y * stride, stride);
  if (bits === 8) return { width, height, grey: packed };
  const grey = new Uint8Array(width * height);
  const most = 2 ** bits - 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      const value = (packed[y * stride + (bit >> 3)]! >> (8 - bits - (bit & 7))) & most;
      grey[y * width + x] = (value * 255) / most;
    }
  }
  return { width, height, grey };
}

function unfilter(rows: Uint8Array, from: number, grey: Uint8Array, to: number, width: number): void {
  const filter = rows[from];
  for (let x = 0; x < width; x++) {
    const left = x > 0 ? grey[to + x - 1]! : 0;
    const up = to > 0 ? grey[to + x - width]! : 0;
    const corner = x > 0 && to > 0 ? grey[to + x - width - 1]! : 0;
    const guess =
      filter === 1
        ? left
        : filter === 2
          ? up
          : filter === 3
            ? (left + up) >> 1
            : filter === 4
              ? paeth(left, up, corner)
              : 0;
    grey[to + x] = rows[from + 1 + x]! + guess;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Darker than this is ink. */
const INK = 128;
/** Rules are at most so many pixels thick; so long a part of the shorter side is no letter's stroke. */
const RULE_WIDTH = 8;
const RULE_LENGTH = 1 / 14;

/**
 * The picture without its straight lines, or undefined where it has none: Tesseract takes the frames of tables for parts
 * of their letters.
 */
export function withoutRules({ width, height, grey }: Bitmap): Bitmap | undefined {
  const out = Uint8Array.from(grey);
  const least = Math.max(40, Math.round(Math.min(width, height) * RULE_LENGTH));
  wipe(grey, out, { count: height, step: width }, { count: width, step: 1 }, least);
  wipe(grey, out, { count: width, step: 1 }, { count: height, step: width }, least);
  return Buffer.compare(grey, out) === 0 ? undefined : { width, height, grey: out };
}

interface Axis {
  count: number;
  step: number;
}

/** Paints lines along one axis over with what lies beside them. */
function wipe(grey: Uint8Array, out: Uint8Array, across: Axis, along: Axis, least: number): void {
  for (let line = 0; line < across.count; line++) {
    const start = line * across.step;
    let from = 0;
    for (let at = 0; at <= along.count; at++) {
      if (at < along.count && grey[start + at * along.step]! < INK) continue;
      if (at - from >= least) {
        for (let dark = from; dark < at; dark++) paint(grey, out, start + dark * along.step, line, across);
      }
      from = at + 1;
    }
  }
}

function paint(grey: Uint8Array, out: Uint8Array, pixel: number, line: number, { count, step }: Axis): void {
  let above = 1;
  while (above <= RULE_WIDTH && line - above >= 0 && grey[pixel - above * step]! < INK) above++;
  let below = 1;
  while (below <= RULE_WIDTH && line + below < count && grey[pixel + below * step]! < INK) below++;
  if (above + below - 1 > RULE_WIDTH) return;
  // Beyond the blurred edge.
  const up = line - above - 1 >= 0 ? grey[pixel - (above + 1) * step]! : 255;
  const down = line + below + 1 < count ? grey[pixel + (below + 1) * step]! : 255;
  const value = Math.max(up, down);
  for (let offset = -above; offset <= below; offset++) {
    const place = line + offset;
    if (place >= 0 && place < count) out[pixel + offset * step] = value;
  }
}
