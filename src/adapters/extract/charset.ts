/** From bytes of any charset to a string. */
import { isUtf8 } from "node:buffer";
import chardet from "chardet";
import iconv from "iconv-lite";
import { guessCharset, isOfHighWords } from "./charset-guess.ts";
import { cleanText } from "./text-builder.ts";

/** Enough to tell a charset by; statistics do not get better with more. */
const SAMPLE_BYTES = 256 * 1024;

/**
 * Decodes text: by its byte order mark, else as UTF-8 where it is that, else by the charset that the format declares,
 * else by the statistics of its bytes. Never fails: bytes that fit nothing become replacement characters.
 *
 * @param declared a charset's name, as in an HTML meta element
 */
export function decodeBytes(bytes: Uint8Array, declared?: string): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = decoderOf(charsetOf(buffer, declared));
  return cleanText(decoder.write(buffer) + (decoder.end() ?? ""));
}

/** The one that iconv-lite lacks. */
const SHIFTED = "iso-2022-jp";

function decoderOf(charset: string): Pick<iconv.DecoderStream, "write" | "end"> {
  if (charset !== SHIFTED) return iconv.getDecoder(charset);
  const decoder = new TextDecoder(SHIFTED);
  return { write: (bytes) => decoder.decode(bytes, { stream: true }), end: () => decoder.decode() };
}

/** What a look at all bytes of a long text tells before it is decoded. */
export interface TextSurvey {
  charset: string;
  /** Whether it may hold form feeds, which part pages. */
  hasFormFeeds: boolean;
}

/** Reads it all once or twice, and holds none of it. */
export async function surveyText(pieces: () => AsyncIterable<Uint8Array>): Promise<TextSurvey> {
  let sample: Buffer = Buffer.alloc(0);
  let utf8 = true;
  let hasFormFeeds = false;
  let open: Buffer = Buffer.alloc(0);
  for await (const piece of pieces()) {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (sample.length < SAMPLE_BYTES) {
      sample = Buffer.concat([sample, buffer.subarray(0, SAMPLE_BYTES - sample.length)]);
    }
    hasFormFeeds ||= buffer.includes(FORM_FEED);
    if (!utf8) continue;
    const whole = open.length === 0 ? buffer : Buffer.concat([open, buffer]);
    const end = whole.length - openBytes(whole);
    utf8 = isUtf8(whole.subarray(0, end));
    open = whole.subarray(end);
  }
  const charset = charsetOf(sample, undefined, utf8 && open.length === 0);
  if (hasFormFeeds && /^utf-(16|32)/.test(charset)) {
    // There the byte is half of many a letter.
    hasFormFeeds = false;
    for await (const text of decodePieces(pieces(), charset)) hasFormFeeds ||= text.includes("\f");
  }
  return { charset, hasFormFeeds };
}

const FORM_FEED = 0x0c;

/** How many bytes at the end begin a character of UTF-8 that goes on after them. */
function openBytes(buffer: Buffer): number {
  for (let back = 1; back <= Math.min(3, buffer.length); back++) {
    const byte = buffer[buffer.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/** Decodes a long text piece by piece. No piece ends in half a character, or between the two signs of a line end. */
export async function* decodePieces(
  pieces: AsyncIterable<Uint8Array>,
  charset: string,
): AsyncGenerator<string> {
  const decoder = decoderOf(charset);
  let held = "";
  for await (const piece of pieces) {
    const text = held + decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    // Half a character, or half a line end: its other half comes with the next piece.
    const last = text.charCodeAt(text.length - 1);
    const isHalf = last === CARRIAGE_RETURN || (last >= 0xd800 && last <= 0xdbff);
    held = isHalf ? text.slice(-1) : "";
    yield cleanText(isHalf ? text.slice(0, -1) : text);
  }
  yield cleanText(held + (decoder.end() ?? ""));
}

const CARRIAGE_RETURN = 0x0d;

function charsetOf(buffer: Buffer, declared: string | undefined, utf8 = isUtf8(buffer)): string {
  const marked = byteOrderMark(buffer);
  if (marked !== undefined) return marked;
  const wide = wideWithoutMark(buffer);
  if (wide !== undefined) return wide;
  const sample = buffer.subarray(0, SAMPLE_BYTES);
  if (utf8) return isShifted(sample) ? SHIFTED : "utf-8";
  if (isDamagedUtf8(sample)) return "utf-8";
  // What pages declare by habit is no news where the bytes speak against it.
  if (declared !== undefined && iconv.encodingExists(declared) && !/^utf-?(8|16|32)/i.test(declared)) {
    const charset = widened(declared);
    if (charset !== "windows-1252" || !isOfHighWords(sample)) return charset;
  }
  const ranked = chardet
    .analyse(sample)
    .filter(({ name }) => iconv.encodingExists(name))
    .map(({ name, confidence }) => ({ name: widened(name), confidence }));
  const [best] = ranked;
  // What decodes everything is what is left when nothing else fits.
  const isLeft = best?.name === "windows-1252" && isOfHighWords(sample);
  if (best !== undefined && best.confidence >= SURE && !isLeft) return best.name;
  return guessCharset(sample, ranked);
}

/** Japanese in bytes of ASCII between escape sequences (RFC 1468): it passes for UTF-8. */
function isShifted(sample: Buffer): boolean {
  return sample.includes("\x1b$B") || sample.includes("\x1b$@");
}

/** Cut off in a letter, or with a few bytes that somebody else put in: whatever else it were read as, more would be lost. */
function isDamagedUtf8(sample: Buffer): boolean {
  const text = sample.toString("utf8");
  const damaged = text.match(/\ufffd/g)?.length ?? 0;
  const letters = text.match(/[^\0-\x7f\ufffd]/gu)?.length ?? 0;
  return letters > 10 * damaged;
}

/** Of a hundred. Statistics over a few bytes are wild. */
const SURE = 30;

/** Windows charsets hold all of the ISO ones' printable characters and more; files that claim ISO use them. */
function widened(name: string): string {
  const lower = name.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (lower === "iso88591" || lower === "latin1" || lower === "ascii" || lower === "usascii") {
    return "windows-1252";
  }
  if (lower === "gb2312" || lower === "gbk") return "gb18030";
  if (lower === "iso88599") return "windows-1254";
  // Ukrainian has its letters where Russian has pieces of frames.
  if (lower === "koi8r") return "koi8-u";
  return lower === "iso88598i" ? "iso-8859-8" : name.toLowerCase();
}

function byteOrderMark(buffer: Buffer): string | undefined {
  const [a, b, c, d] = buffer;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return "utf-32le";
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return "utf-32be";
  if (a === 0xff && b === 0xfe) return "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  return undefined;
}

/** UTF-16 without a mark: text in Latin letters has a zero in every other byte, and none between. */
function wideWithoutMark(buffer: Buffer): string | undefined {
  const length = Math.min(buffer.length, 4096) & ~1;
  if (length < 8) return undefined;
  const zeros = [0, 0];
  for (let index = 0; index < length; index++) if (buffer[index] === 0) zeros[index % 2]!++;
  if (zeros[1]! > length * 0.35 && zeros[0] === 0) return "utf-16le";
  if (zeros[0]! > length * 0.35 && zeros[1] === 0) return "utf-16be";
  return undefined;
}
