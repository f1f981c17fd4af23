/** Damages files as disks, networks and people with bad intentions do. */
import { openZip } from "../../../src/adapters/extract/zip.ts";
import { makeZip } from "../../fixtures/zip.ts";
import type { Random } from "../../simulation/random.ts";

/** Numbers that programs count and allocate by. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const MOST_BYTES = 8 * 1024 * 1024;

/** @returns a damaged copy; of a package often one whose parts are damaged and whose sums are right all the same */
export function mutated(bytes: Buffer, random: Random): Buffer {
  if (bytes.subarray(0, 4).toString("latin1") === "PK\x03\x04" && random.chance(0.7)) {
    const inside = mutatedInside(bytes, random);
    if (inside !== undefined) return inside;
  }
  return damaged(bytes, random);
}

function mutatedInside(bytes: Buffer, random: Random): Buffer | undefined {
  try {
    const zip = openZip(bytes, "original");
    const victims = new Set(zip.names.filter(() => random.chance(2 / zip.names.length)));
    return makeZip(
      zip.names.map((name) => {
        const content = Buffer.from(zip.read(name) ?? []);
        return { name, content: victims.has(name) ? damaged(content, random) : content, deflate: true };
      }),
    );
  } catch {
    return undefined; // No package that can be opened: then its bytes are damaged as they are.
  }
}

function damaged(bytes: Buffer, random: Random): Buffer {
  let copy: Buffer = Buffer.from(bytes);
  const times = 1 + random.below(random.chance(0.2) ? 41 : 6);
  for (let round = 0; round < times && copy.length > 0; round++) copy = once(copy, random);
  return copy;
}

function once(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  const length = Math.min(bytes.length - at, 1 + random.below(random.chance(0.3) ? 4_001 : 9));
  const piece = bytes.subarray(at, at + length);
  switch (random.below(9)) {
    case 0:
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      return bytes.fill(random.below(256), at, at + length);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 4:
      return random.chance(0.3) ? bytes.subarray(0, at) : bytes;
    case 5: {
      const times = bytes.length < MOST_BYTES ? 1 + random.below(random.chance(0.1) ? 501 : 4) : 0;
      return Buffer.concat([bytes.subarray(0, at), ...Array(times).fill(piece), bytes.subarray(at)]);
    }
    case 6: {
      const edge = random.pick(edges);
      const size = random.pick([1, 2, 4]);
      if (at + size > bytes.length) return bytes;
      for (let index = 0; index < size; index++) bytes[at + index] = (edge >>> (8 * index)) & 0xff;
      return bytes;
    }
    case 7: {
      // A number in text: sizes, counts, places in a PDF, XML or RTF.
      const digits = /\d+/g;
      digits.lastIndex = 0;
      const text = bytes.toString("latin1", at, Math.min(bytes.length, at + 2_000));
      const found = digits.exec(text);
      if (found === null) return bytes;
      const number = random.pick(["0", "-1", "99999999999", "2147483647", "1e309"]);
      const start = at + found.index;
      return Buffer.concat([
        bytes.subarray(0, start),
        Buffer.from(number),
        bytes.subarray(start + found[0].length),
      ]);
    }
    default: {
      // Two places change over.
      const other = random.below(bytes.length);
      const moved = Buffer.from(bytes.subarray(other, other + length));
      bytes.copy(bytes, other, at, at + moved.length);
      moved.copy(bytes, at);
      return bytes;
    }
  }
}
