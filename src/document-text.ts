/**
 * A document's text as it is stored: parts, each a blob of its own, so that a long text is written while it is read and
 * read where it is wanted. A blob holds its blocks as one line of JSON, and after it the text, in UTF-8. The extract
 * stage's checkpoint names the parts in order: `part_0_key`, and where each ends, `part_0_end`.
 */
import type { Block, ExtractedPart } from "./chunk.ts";

/** Offsets in UTF-16 code units into the whole text, end exclusive. */
export interface StoredPart {
  key: string;
  char_start: number;
  char_end: number;
  /** Of the blob's bytes, hexadecimal. */
  sha256: string;
}

type OpenBlob = (key: string) => Promise<AsyncIterable<Uint8Array>>;

export function encodePart({ text, blocks }: ExtractedPart): Buffer {
  return Buffer.from(`${JSON.stringify(blocks)}\n${text}`, "utf8");
}

export async function readPart(open: OpenBlob, { key }: StoredPart): Promise<ExtractedPart> {
  const pieces: Uint8Array[] = [];
  for await (const piece of await open(key)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const line = bytes.indexOf("\n");
  return {
    blocks: JSON.parse(bytes.toString("utf8", 0, line)) as Block[],
    text: bytes.toString("utf8", line + 1),
  };
}

/** What a checkpoint says of the parts. */
export function namesOfParts(parts: readonly StoredPart[]): Record<string, string | number> {
  return Object.fromEntries(
    parts.flatMap(({ key, char_end, sha256 }, index) => [
      [`part_${index}_key`, key],
      [`part_${index}_end`, char_end],
      [`part_${index}_sha256`, sha256],
    ]),
  );
}

/** The parts that a checkpoint names; none where it is not the extract stage's. */
export function partsIn(checkpoint: Readonly<Record<string, unknown>> = {}): StoredPart[] {
  const parts: StoredPart[] = [];
  for (let index = 0; ; index++) {
    const [key, char_end, sha256] = ["key", "end", "sha256"].map(
      (name) => checkpoint[`part_${index}_${name}`],
    );
    if (typeof key !== "string") return parts;
    const char_start = parts.at(-1)?.char_end ?? 0;
    parts.push({ key, char_start, char_end: Number(char_end), sha256: String(sha256) });
  }
}

/**
 * The parts of a version's whole text, by its checkpoints. Undefined where it is not there: not read to its end yet, or
 * stored by a release that knew no parts.
 */
export function wholeText(
  checkpoints: readonly { stage: string; data: Readonly<Record<string, unknown>> }[],
): StoredPart[] | undefined {
  const data = checkpoints.find(({ stage }) => stage === "extracting")?.data;
  const parts = data?.partial === true ? [] : partsIn(data);
  return parts.length === 0 ? undefined : parts;
}

/** The text from `from` to `to`, in UTF-8; half a surrogate pair at either end comes as a replacement character. */
export async function* textBytes(
  open: OpenBlob,
  parts: readonly StoredPart[],
  from = 0,
  to = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part.char_end <= from || part.char_start >= to) continue;
    if (part.char_start >= from && part.char_end <= to) {
      yield* afterFirstLine(await open(part.key));
      continue;
    }
    const { text } = await readPart(open, part);
    yield Buffer.from(text.slice(Math.max(0, from - part.char_start), to - part.char_start), "utf8");
  }
}

/** Stretches of a text in reading order, without ever holding more than what one of them lies in. */
export function createTextReader(open: OpenBlob, parts: readonly StoredPart[]) {
  let held: { part: StoredPart; text: string }[] = [];
  return {
    /** @throws what opening a blob throws */
    async slice(from: number, to: number): Promise<string> {
      const needed = parts.filter(({ char_start, char_end }) => char_start < to && char_end > from);
      held = await Promise.all(
        needed.map(
          async (part) =>
            held.find((each) => each.part === part) ?? { part, text: (await readPart(open, part)).text },
        ),
      );
      const start = needed[0]?.char_start ?? 0;
      return held
        .map(({ text }) => text)
        .join("")
        .slice(from - start, to - start);
    },
  };
}

async function* afterFirstLine(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let begun = false;
  for await (const piece of pieces) {
    if (begun) {
      yield piece;
      continue;
    }
    const line = piece.indexOf(0x0a);
    if (line < 0) continue;
    begun = true;
    yield piece.subarray(line + 1);
  }
}
