/** What old Office files say of themselves: the summary information of [MS-OLEPS]. */
import iconv from "iconv-lite";
import type { DocumentFacts } from "../../../chunk.ts";
import { SluiceError } from "../../../errors.ts";
import type { CompoundFile } from "../cfb.ts";
import { givenTitle } from "../facts.ts";
import { codePage } from "../rtf/charsets.ts";

const TITLE = 2;
const AUTHOR = 4;
const CREATED = 12;
const SAVED = 13;
const CODE_PAGE = 1;

export function aboutCompound(file: CompoundFile): { title: string | null; facts: DocumentFacts } {
  const data = readIfWhole(file, "\u0005SummaryInformation");
  const values = data === undefined ? new Map<number, string>() : propertiesOf(data);
  const facts: DocumentFacts = {};
  const author = values.get(AUTHOR);
  const created = values.get(CREATED);
  const saved = values.get(SAVED);
  if (author) facts.author = author;
  if (created) facts.authored_at = created;
  if (saved) facts.modified_at = saved;
  return { title: givenTitle(values.get(TITLE)), facts };
}

function readIfWhole(file: CompoundFile, name: string): Buffer | undefined {
  try {
    return file.read(name);
  } catch (error) {
    // What a file says of itself is worth less than its text, which may be whole.
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}

/** The first section's texts and times. A damaged stream says less, and costs no document. */
function propertiesOf(data: Buffer): Map<number, string> {
  const values = new Map<number, string>();
  if (data.length < 48) return values;
  const start = data.readUInt32LE(44);
  if (start + 8 > data.length) return values;
  const count = Math.min(100, data.readUInt32LE(start + 4));
  let charset = "windows-1252";
  for (let index = 0; index < count; index++) {
    const entry = start + 8 + index * 8;
    if (entry + 8 > data.length) break;
    const id = data.readUInt32LE(entry);
    const at = start + data.readUInt32LE(entry + 4);
    if (at + 12 > data.length) continue;
    const type = data.readUInt32LE(at);
    if (id === CODE_PAGE && type === 2) {
      const name = data.readUInt16LE(at + 4) === 1200 ? "utf-16le" : codePage(data.readUInt16LE(at + 4));
      if (iconv.encodingExists(name)) charset = name;
    } else if (type === 30 || type === 31) {
      const length = data.readUInt32LE(at + 4) * (type === 31 ? 2 : 1);
      const bytes = data.subarray(at + 8, Math.min(data.length, at + 8 + length));
      const text = iconv.decode(bytes, type === 31 ? "utf-16le" : charset).replace(/\0.*$/s, "");
      values.set(id, text.trim());
    } else if (type === 64) {
      // Tenths of microseconds since 1601.
      const ticks = data.readBigUInt64LE(at + 4);
      const time = Number(ticks / 10_000n) - 11_644_473_600_000;
      if (time > Date.UTC(1980, 0) && time < Date.UTC(2200, 0)) values.set(id, new Date(time).toISOString());
    }
  }
  return values;
}
