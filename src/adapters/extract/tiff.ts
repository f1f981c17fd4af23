/** TIFF (revision 6.0): its pages one by one, and those packed as JPEG as files of that kind, which decoders know. */

const MOST_PAGES = 5_000;
/** Tags of a page's directory. */
const HEIGHT = 257;
const COMPRESSION = 259;
const PHOTOMETRIC = 262;
const STRIP_OFFSETS = 273;
const ROWS_PER_STRIP = 278;
const STRIP_BYTES = 279;
const JPEG_TABLES = 347;
/** JPEG as Technical Note 2 has it; the kind of revision 6.0 itself is as good as extinct. */
const NEW_JPEG = 7;
const RGB = 2;
const MOST_STRIPS = 100_000;

/**
 * Each page as a file that begins with that page; any other file as it is. The header tells where the first page's
 * directory lies, and each directory where the next one does (section 2). Each is made when it is asked for: together
 * they may be many times the file.
 */
export function pagesOfTiff(bytes: Uint8Array): (() => Uint8Array)[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const order = buffer.length < 8 ? 0 : buffer.readUInt32BE(0);
  const little = order === 0x49492a00;
  if (!little && order !== 0x4d4d002a) return [() => bytes];
  const read16 = (at: number) => (little ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at));
  const read32 = (at: number) => (little ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at));
  const starts = new Set<number>();
  let at = read32(4);
  while (at !== 0 && at + 2 <= buffer.length && !starts.has(at) && starts.size < MOST_PAGES) {
    starts.add(at);
    const next = at + 2 + 12 * read16(at);
    at = next + 4 <= buffer.length ? read32(next) : 0;
  }
  if (starts.size === 0) return [() => bytes];
  return [...starts].map((start) => () => {
    const jpeg = jpegOf(buffer, (tag) => valuesOf(buffer, start, tag, read16, read32));
    if (jpeg !== undefined) return jpeg;
    if (starts.size === 1) return bytes;
    const page = Buffer.from(buffer);
    if (little) page.writeUInt32LE(start, 4);
    else page.writeUInt32BE(start, 4);
    return page;
  });
}

type Read = (at: number) => number;

/** A field's numbers, or the bytes of one without a type: they stand in the directory itself, or where it says. */
function valuesOf(buffer: Buffer, start: number, tag: number, read16: Read, read32: Read): number[] {
  const count = read16(start);
  for (let index = 0; index < count; index++) {
    const at = start + 2 + 12 * index;
    if (at + 12 > buffer.length) break;
    if (read16(at) !== tag) continue;
    const size = { 3: 2, 4: 4 }[read16(at + 2)] ?? 1;
    const length = read32(at + 4);
    const from = length * size <= 4 ? at + 8 : read32(at + 8);
    if (length > MOST_STRIPS || from + length * size > buffer.length) return [];
    const read = { 1: (place: number) => buffer[place] as number, 2: read16, 4: read32 }[size] as Read;
    return Array.from({ length }, (_, place) => read(from + place * size));
  }
  return [];
}

/**
 * A page's strips are JPEG files of their own without tables, those stand once for all. One picture comes of them by
 * calling each strip a restart interval: as at a restart, nothing in a strip depends on what was before it.
 *
 * @returns undefined where the page is packed otherwise, or in a way that this does not hold for
 */
function jpegOf(buffer: Buffer, values: (tag: number) => number[]): Buffer | undefined {
  if (values(COMPRESSION)[0] !== NEW_JPEG) return undefined;
  const offsets = values(STRIP_OFFSETS);
  const lengths = values(STRIP_BYTES);
  const [height = 0] = values(HEIGHT);
  const [rows = height] = values(ROWS_PER_STRIP);
  const strips = offsets.map((offset, index) =>
    stripOf(buffer.subarray(offset, offset + (lengths[index] ?? 0))),
  );
  const [first] = strips;
  if (first === undefined || strips.includes(undefined)) return undefined;
  const { frame, scan } = first;
  if (height > 0xffff || frame.length < 13) return undefined;
  const whole = Buffer.from(frame);
  whole.writeUInt16BE(height, 5);
  const interval =
    Math.ceil(whole.readUInt16BE(7) / unitOf(frame).width) * Math.ceil(rows / unitOf(frame).height);
  if (strips.length > 1 && (interval > 0xffff || rows % unitOf(frame).height !== 0)) return undefined;
  // Without it, three colours are taken for brightness and two differences.
  const adobe = Buffer.from("ffee000e41646f626500640000000000", "hex");
  const restart = Buffer.from([0xff, 0xdd, 0, 4, interval >> 8, interval & 0xff]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    ...(values(PHOTOMETRIC)[0] === RGB ? [adobe] : []),
    // Between their own start and end.
    Buffer.from(values(JPEG_TABLES)).subarray(2, -2),
    ...first.tables,
    whole,
    ...(strips.length > 1 ? [restart] : []),
    scan,
    ...strips.flatMap((strip, index) =>
      index === 0 ? [strip!.data] : [Buffer.from([0xff, 0xd0 + ((index - 1) % 8)]), strip!.data],
    ),
    Buffer.from([0xff, 0xd9]),
  ]);
}

/** The pixels that a scan goes by, from the largest sampling factors (ITU-T T.81, A.2.4). */
function unitOf(frame: Buffer): { width: number; height: number } {
  const components = frame[9] as number;
  let [across, down] = [1, 1];
  for (let index = 0; index < components && 11 + 3 * index < frame.length; index++) {
    const factors = frame[11 + 3 * index] as number;
    // A scan of one component goes by single blocks whatever its factors are.
    if (components > 1) [across, down] = [Math.max(across, factors >> 4), Math.max(down, factors & 15)];
  }
  return { width: 8 * across, height: 8 * down };
}

/** The segments of a strip: what describes the picture, what begins its data, and the data. */
function stripOf(strip: Buffer) {
  const tables: Buffer[] = [];
  let frame: Buffer | undefined;
  for (let at = 2; at + 4 <= strip.length && strip[at] === 0xff; ) {
    const marker = strip[at + 1] as number;
    const end = at + 2 + strip.readUInt16BE(at + 2);
    if (end > strip.length) return undefined;
    const segment = strip.subarray(at, end);
    if (marker === 0xda) {
      const last = strip.lastIndexOf(Buffer.from([0xff, 0xd9]));
      const data = strip.subarray(end, last > end ? last : strip.length);
      return frame === undefined ? undefined : { tables, frame, scan: segment, data };
    }
    // Sequential pictures only: others have more than one scan. Restarts of its own would be counted with ours.
    if (marker === 0xc0 || marker === 0xc1) frame = segment;
    else if (marker === 0xdd || (marker >= 0xc2 && marker <= 0xcf && marker !== 0xc4)) return undefined;
    else if (marker === 0xdb || marker === 0xc4) tables.push(segment);
    at = end;
  }
  return undefined;
}
