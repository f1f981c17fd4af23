/**
 * Zip packages (APPNOTE.TXT), read under limits: what the directory admits is checked before anything is unpacked,
 * and what really comes out is counted while it does.
 */
import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { encrypted, limitExceeded, limits, malformed } from "./limits.ts";

export interface ZipPackage {
  /** Names of all entries as the directory has them, folders left out. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Those of them that open only with a password; reading one throws encrypted_document. */
  readonly encrypted: ReadonlySet<string>;
  /** Bytes that an entry unpacks to, as the directory has it; 0 where there is none. */
  size(name: string): number;
  /** An entry's bytes, or undefined where there is none. Names match whatever their case and slashes, exact ones first. */
  read(name: string): Uint8Array | undefined;
  /** An entry's bytes in pieces, for those too large to hold. */
  stream(name: string): AsyncIterable<Uint8Array> | undefined;
}

interface Entry {
  name: string;
  method: number;
  packed: number;
  unpacked: number;
  checksum: number;
  offset: number;
  encrypted: boolean;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;

/** @throws SluiceError malformed_document or limit_exceeded; encrypted_document when such an entry is read */
export function openZip(bytes: Uint8Array, filename: string): ZipPackage {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = new Map<string, Entry>();
  const exact = new Map<string, Entry>();
  const names: string[] = [];
  const find = (name: string) => exact.get(name) ?? entries.get(keyOf(name));
  let packed = 0;
  for (const entry of directoryOf(buffer, filename)) {
    packed += entry.packed;
    if (entry.name.endsWith("/")) continue;
    names.push(entry.name);
    entries.set(keyOf(entry.name), entry);
    exact.set(entry.name, entry);
  }
  // Entries that share their bytes: the archive of a few kilobytes that unpacks to terabytes.
  if (packed > buffer.length) throw malformed(filename, "entries of its package overlap");
  let budget: number = limits.unpackedBytes;
  const spend = (count: number) => {
    budget -= count;
    if (budget < 0) throw tooLarge(filename);
  };
  return {
    names,
    encrypted: new Set(names.filter((name) => find(name)?.encrypted)),
    has: (name) => find(name) !== undefined,
    size: (name) => find(name)?.unpacked ?? 0,
    read(name) {
      const entry = find(name);
      if (entry === undefined) return undefined;
      const data = unpack(buffer, entry, Math.min(budget, limits.entryBytes), filename);
      spend(data.length);
      return data;
    },
    stream(name) {
      const entry = find(name);
      return entry === undefined ? undefined : unpackInPieces(buffer, entry, spend, filename);
    },
  };
}

/** Programs differ in case and slashes between an entry's name and the references to it. */
function keyOf(name: string): string {
  return name.replaceAll("\\", "/").replace(/^\/+/, "").toLowerCase();
}

function* directoryOf(buffer: Buffer, filename: string): Generator<Entry> {
  const { count, start, shift } = endOf(buffer, filename);
  if (count > limits.entries) {
    throw limitExceeded(filename, `holds ${count} entries, more than the ${limits.entries} allowed`);
  }
  let at = start;
  for (let index = 0; index < count; index++) {
    if (at + 46 > buffer.length || buffer.readUInt32LE(at) !== DIRECTORY) {
      throw malformed(filename, "the directory of its package is damaged");
    }
    const flags = buffer.readUInt16LE(at + 8);
    const nameLength = buffer.readUInt16LE(at + 28);
    const extraLength = buffer.readUInt16LE(at + 30);
    const nameEnd = at + 46 + nameLength;
    const name = buffer.toString(flags & 0x800 ? "utf8" : "latin1", at + 46, nameEnd);
    const entry: Entry = {
      name,
      method: buffer.readUInt16LE(at + 10),
      checksum: buffer.readUInt32LE(at + 16),
      packed: buffer.readUInt32LE(at + 20),
      unpacked: buffer.readUInt32LE(at + 24),
      offset: buffer.readUInt32LE(at + 42),
      encrypted: (flags & 1) === 1,
    };
    widen(entry, buffer.subarray(nameEnd, nameEnd + extraLength));
    entry.offset += shift;
    yield entry;
    at = nameEnd + extraLength + buffer.readUInt16LE(at + 32);
  }
}

/** Where the directory begins, and by how much everything lies further back than it says (bytes before the archive). */
function endOf(buffer: Buffer, filename: string): { count: number; start: number; shift: number } {
  const lowest = Math.max(0, buffer.length - 22 - 0xffff);
  let end = -1;
  for (let at = buffer.length - 22; at >= lowest; at--) {
    if (buffer.readUInt32LE(at) === END) {
      end = at;
      break;
    }
  }
  if (end === -1) throw malformed(filename, "its package is cut off, or no package at all");
  let count = buffer.readUInt16LE(end + 10);
  let size = buffer.readUInt32LE(end + 12);
  let start = buffer.readUInt32LE(end + 16);
  let directoryEnd = end;
  if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) {
    const locator = end - 20;
    if (locator >= 0 && buffer.readUInt32LE(locator) === LOCATOR_64) {
      const at = Number(buffer.readBigUInt64LE(locator + 8));
      if (at + 56 <= buffer.length && buffer.readUInt32LE(at) === END_64) {
        count = Number(buffer.readBigUInt64LE(at + 32));
        size = Number(buffer.readBigUInt64LE(at + 40));
        start = Number(buffer.readBigUInt64LE(at + 48));
        directoryEnd = at;
      }
    }
  }
  const shift = Math.max(0, directoryEnd - size - start);
  return { count, start: start + shift, shift };
}

/** Sizes and places beyond 32 bits lie in an extra field (4.5.3), in this order and only those that don't fit. */
function widen(entry: Entry, extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let field = at + 4;
    for (const key of ["unpacked", "packed", "offset"] as const) {
      if (entry[key] !== 0xffffffff || field + 8 > extra.length) continue;
      entry[key] = Number(extra.readBigUInt64LE(field));
      field += 8;
    }
  }
}

function tooLarge(filename: string) {
  return limitExceeded(filename, "unpacks to more than is allowed");
}

/** The most bytes that the entry may unpack to. */
function allowance(entry: Entry): number {
  return Math.max(limits.ratioFreeBytes, entry.packed * limits.ratio);
}

function packedBytes(buffer: Buffer, entry: Entry, filename: string): Buffer {
  if (entry.encrypted) throw encrypted(filename);
  const { offset } = entry;
  if (offset + 30 > buffer.length || buffer.readUInt32LE(offset) !== LOCAL) {
    throw malformed(filename, `the entry ${entry.name} of its package is missing`);
  }
  const start = offset + 30 + buffer.readUInt16LE(offset + 26) + buffer.readUInt16LE(offset + 28);
  if (start + entry.packed > buffer.length) {
    throw malformed(filename, `the entry ${entry.name} of its package is cut off`);
  }
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw malformed(filename, `the entry ${entry.name} is packed in a way that can't be undone here`);
  }
  return buffer.subarray(start, start + entry.packed);
}

function unpack(buffer: Buffer, entry: Entry, most: number, filename: string): Buffer {
  const packed = packedBytes(buffer, entry, filename);
  const allowed = Math.min(most, allowance(entry));
  if (entry.unpacked > allowed) throw tooLarge(filename);
  if (entry.method === STORED) return verified(packed, entry, filename);
  try {
    const data = inflateRawSync(packed, { maxOutputLength: Math.max(1, allowed) });
    return verified(data, entry, filename);
  } catch (error) {
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      throw tooLarge(filename);
    }
    if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_")) {
      throw damaged(entry, filename, error);
    }
    throw error;
  }
}

function verified(data: Buffer, entry: Entry, filename: string): Buffer {
  if (crc32(data) !== entry.checksum) throw damaged(entry, filename);
  return data;
}

function damaged(entry: Entry, filename: string, cause?: unknown) {
  return malformed(filename, `the entry ${entry.name} of its package is damaged`, cause);
}

async function* unpackInPieces(
  buffer: Buffer,
  entry: Entry,
  spend: (count: number) => void,
  filename: string,
): AsyncGenerator<Uint8Array> {
  const packed = packedBytes(buffer, entry, filename);
  const allowed = allowance(entry);
  if (entry.unpacked > allowed) throw tooLarge(filename);
  let checksum = 0;
  let length = 0;
  for await (const piece of entry.method === STORED ? [packed] : inflated(packed, entry, filename)) {
    length += piece.length;
    if (length > allowed) throw tooLarge(filename);
    spend(piece.length);
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (checksum !== entry.checksum) throw damaged(entry, filename);
}

async function* inflated(packed: Buffer, entry: Entry, filename: string): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
  inflate.end(packed);
  try {
    for await (const piece of inflate) yield piece as Buffer;
  } catch (error) {
    throw damaged(entry, filename, error);
  } finally {
    inflate.destroy();
  }
}
