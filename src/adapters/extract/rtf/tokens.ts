/** RTF as tokens (RTF 1.9.1, "RTF syntax"). */

export type RtfToken =
  | { type: "open" }
  | { type: "close" }
  /** A control word, or a sign such as `*` or `~`. */
  | { type: "control"; word: string; value: number | undefined }
  /** Bytes of text in the charset of the font at hand. */
  | { type: "bytes"; bytes: Buffer };

const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

export function* rtfTokens(bytes: Buffer): Generator<RtfToken> {
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at]!;
    if (byte === OPEN || byte === CLOSE) {
      at++;
      yield { type: byte === OPEN ? "open" : "close" };
    } else if (byte === BACKSLASH) {
      const control = controlAt(bytes, at + 1);
      at = control.end;
      yield control.token;
    } else {
      let end = at;
      while (end < bytes.length && !isSpecial(bytes[end]!)) end++;
      // Line ends of the source are none of the text.
      const text = bytes.subarray(at, end).filter((letter) => letter !== 10 && letter !== 13 && letter !== 0);
      at = end;
      if (text.length > 0) yield { type: "bytes", bytes: Buffer.from(text) };
    }
  }
}

const isSpecial = (byte: number) => byte === BACKSLASH || byte === OPEN || byte === CLOSE;
const isLetter = (byte: number | undefined) => byte !== undefined && (byte | 32) >= 97 && (byte | 32) <= 122;
const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 48 && byte <= 57;

function controlAt(bytes: Buffer, start: number): { token: RtfToken; end: number } {
  let at = start;
  if (!isLetter(bytes[at])) {
    const sign = String.fromCharCode(bytes[at] ?? 0x20);
    if (sign === "'") {
      const code = Number.parseInt(bytes.toString("latin1", at + 1, at + 3), 16);
      const token: RtfToken = Number.isNaN(code)
        ? { type: "control", word: "'", value: undefined }
        : { type: "bytes", bytes: Buffer.from([code]) };
      return { token, end: at + 3 };
    }
    if (sign === "\\" || sign === "{" || sign === "}") {
      return { token: { type: "bytes", bytes: Buffer.from(sign) }, end: at + 1 };
    }
    const word = sign === "\n" || sign === "\r" ? "par" : sign;
    return { token: { type: "control", word, value: undefined }, end: at + 1 };
  }
  while (isLetter(bytes[at]) && at - start < 40) at++;
  const word = bytes.toString("latin1", start, at);
  let digits = at;
  if (bytes[digits] === 0x2d) digits++;
  const first = digits;
  while (isDigit(bytes[digits]) && digits - first < 10) digits++;
  let value: number | undefined;
  if (digits > first) {
    value = Number(bytes.toString("latin1", at, digits));
    at = digits;
  }
  if (bytes[at] === 0x20) at++;
  // Raw bytes follow, which may look like anything.
  if (word === "bin" && value !== undefined && value > 0) at += value;
  return { token: { type: "control", word, value }, end: at };
}
