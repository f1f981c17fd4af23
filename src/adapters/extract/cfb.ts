/**
 * Compound files ([MS-CFB]): the container of the old Office formats, of Outlook's messages and of encrypted packages.
 * Every chain of sectors is followed under a limit, since a damaged one can lead in circles.
 */
import { malformed } from "./limits.ts";

export interface CompoundFile {
  /** Names of the streams and storages right below the root. */
  readonly names: ReadonlySet<string>;
  /** A stream right below the root. */
  read(name: string): Buffer | undefined;
  /**
   * Follows every stream to its end, for libraries that would follow a damaged one for ever.
   * @throws SluiceError malformed_document
   */
  verify(): void;
}

const SIGNATURE = "d0cf11e0a1b11ae1";
const LAST_SECTOR = 0xfffffff8;
const HEADER = 512;
const SMALL_STREAM = 4096;
const SMALL_SECTOR = 64;
/** The kind of an entry that holds bytes. */
const STREAM = 2;

export function isCompound(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).toString("hex") === SIGNATURE;
}

interface DirectoryEntry {
  name: string;
  type: number;
  left: number;
  right: number;
  child: number;
  start: number;
  size: number;
}

/** @throws SluiceError malformed_document */
export function openCompound(bytes: Uint8Array, filename: string): CompoundFile {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = (cause?: unknown) => malformed(filename, "its container is damaged or cut off", cause);
  if (buffer.length < HEADER || !isCompound(buffer)) throw broken();
  const guarded = <T>(step: () => T) => {
    try {
      return step();
    } catch (error) {
      if (error instanceof RangeError) throw broken(error);
      throw error;
    }
  };
  const file = guarded(() => parseCompound(buffer));
  return {
    names: file.names,
    read: (name) => guarded(() => file.read(name)),
    verify: () => guarded(file.verify),
  };
}

function parseCompound(buffer: Buffer): CompoundFile {
  const shift = buffer.readUInt16LE(30);
  if (shift !== 9 && shift !== 12) throw new RangeError("sector size");
  const size = 1 << shift;
  const sector = (index: number) => {
    const at = (index + 1) * size;
    if (index >= LAST_SECTOR || at >= buffer.length) throw new RangeError(`sector ${index}`);
    return buffer.subarray(at, at + size);
  };
  const most = Math.ceil(buffer.length / size);
  const fat = fatOf(buffer, sector, size, most);
  const chain = (start: number, table: (index: number) => number, limit: number) => {
    const found: number[] = [];
    for (let index = start; index < LAST_SECTOR; index = table(index)) {
      if (found.length > limit) throw new RangeError("a chain of sectors is a ring");
      found.push(index);
    }
    return found;
  };
  const next = (index: number) => fat[index] ?? LAST_SECTOR;
  const stream = (start: number) => Buffer.concat(chain(start, next, most).map(sector));

  const entries = directoryOf(stream(buffer.readUInt32LE(48)));
  const root = entries[0];
  if (root === undefined) throw new RangeError("no root");
  const below = childrenOf(entries, root.child);
  let small: { data: Buffer; fat: Buffer } | undefined;
  const smallChain = (start: number) => {
    small ??= { data: stream(root.start), fat: stream(buffer.readUInt32LE(60)) };
    const { fat: table } = small;
    const following = (index: number) =>
      index * 4 + 4 <= table.length ? table.readUInt32LE(index * 4) : LAST_SECTOR;
    return chain(start, following, SMALL_STREAM / SMALL_SECTOR);
  };
  return {
    names: new Set(below.keys()),
    read(name) {
      // Names differ in nothing but case between programs.
      const entry =
        below.get(name) ?? [...below.values()].find((one) => one.name.toLowerCase() === name.toLowerCase());
      if (entry === undefined || entry.type !== STREAM) return undefined;
      if (entry.size >= SMALL_STREAM) return stream(entry.start).subarray(0, entry.size);
      const pieces = smallChain(entry.start);
      const parts = pieces.map((index) =>
        small!.data.subarray(index * SMALL_SECTOR, (index + 1) * SMALL_SECTOR),
      );
      return Buffer.concat(parts).subarray(0, entry.size);
    },
    verify() {
      let used = 0;
      for (const [index, { type, start, size: length, left, right, child }] of entries.entries()) {
        for (const next of [left, right, child]) {
          if (next === index) throw new RangeError("an entry is its own neighbour");
        }
        if (type !== STREAM) continue;
        if (length >= SMALL_STREAM) {
          const sectors = chain(start, next, most);
          used += sectors.length;
          if (sectors.length * size < length) throw new RangeError("a stream is cut off");
        } else if (length > 0 && smallChain(start).length * SMALL_SECTOR < length) {
          throw new RangeError("a stream is cut off");
        }
        if (used > most) throw new RangeError("streams share their sectors");
      }
      if (isRing(entries)) throw new RangeError("the directory is a ring");
    },
  };
}

/** Whether two entries lead to the same one: a sound directory is a tree. */
function isRing(entries: readonly DirectoryEntry[]): boolean {
  const seen = new Set<number>();
  for (const { type, left, right, child } of entries) {
    if (type === 0) continue;
    for (const next of [left, right, child]) {
      if (next >= LAST_SECTOR) continue;
      if (seen.has(next)) return true;
      seen.add(next);
    }
  }
  return false;
}

/** For each sector, the one after it in its stream. */
function fatOf(buffer: Buffer, sector: (index: number) => Buffer, size: number, most: number): Uint32Array {
  const places: number[] = [];
  for (let index = 0; index < 109; index++) places.push(buffer.readUInt32LE(76 + index * 4));
  let more = buffer.readUInt32LE(68);
  for (let count = 0; more < LAST_SECTOR && count <= most; count++) {
    const table = sector(more);
    for (let at = 0; at + 8 <= size; at += 4) places.push(table.readUInt32LE(at));
    more = table.readUInt32LE(size - 4);
  }
  const used = places.filter((place) => place < LAST_SECTOR).slice(0, most);
  const fat = new Uint32Array((used.length * size) / 4);
  for (const [index, place] of used.entries()) {
    const table = sector(place);
    for (let at = 0; at + 4 <= table.length; at += 4) {
      fat[(index * size + at) / 4] = table.readUInt32LE(at);
    }
  }
  return fat;
}

function directoryOf(data: Buffer): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at + 128 <= data.length; at += 128) {
    const length = Math.min(64, data.readUInt16LE(at + 64));
    entries.push({
      name: data.toString("utf16le", at, at + Math.max(0, length - 2)),
      type: data[at + 66]!,
      left: data.readUInt32LE(at + 68),
      right: data.readUInt32LE(at + 72),
      child: data.readUInt32LE(at + 76),
      start: data.readUInt32LE(at + 116),
      size: data.readUInt32LE(at + 120),
    });
  }
  return entries;
}

/** A storage's entries are a tree of siblings. */
function childrenOf(entries: DirectoryEntry[], first: number): Map<string, DirectoryEntry> {
  const found = new Map<string, DirectoryEntry>();
  const seen = new Set<number>();
  const open = [first];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const entry = entries[index];
    if (entry === undefined || seen.has(index)) continue;
    seen.add(index);
    found.set(entry.name, entry);
    open.push(entry.left, entry.right);
  }
  return found;
}
