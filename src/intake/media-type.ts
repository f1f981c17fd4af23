/** What a file is: from its bytes first, its name second, what the client says of it last. Pure. */
import { fileTypeFromBuffer } from "file-type";
import { sniffMail } from "./mail-type.ts";

const OOXML = "application/vnd.openxmlformats-officedocument";
const DOCX = `${OOXML}.wordprocessingml.document`;
const XLSX = `${OOXML}.spreadsheetml.sheet`;
const PPTX = `${OOXML}.presentationml.presentation`;
const ODF = "application/vnd.oasis.opendocument";
/** Enough of a file to tell its type. */
export const HEAD_BYTES = 64 * 1024;

const OCTETS = "application/octet-stream";

/** Formats that bytes alone do not tell apart: all of them are just text. */
const textExtensions: Readonly<Record<string, string>> = {
  txt: "text/plain",
  text: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  markdown: "text/markdown",
  mkd: "text/markdown",
  mdx: "text/markdown",
  html: "text/html",
  htm: "text/html",
  xhtml: "text/html",
  csv: "text/csv",
  tsv: "text/tab-separated-values",
  json: "application/json",
  jsonl: "application/x-ndjson",
  ndjson: "application/x-ndjson",
  ipynb: "application/json",
  xml: "application/xml",
  svg: "image/svg+xml",
  yaml: "application/yaml",
  yml: "application/yaml",
  toml: "application/toml",
  rst: "text/x-rst",
  org: "text/x-org",
  tex: "text/x-tex",
  eml: "message/rfc822",
  mbox: "application/mbox",
  mht: "multipart/related",
  mhtml: "multipart/related",
  tab: "text/tab-separated-values",
  py: "text/x-python",
  js: "text/javascript",
  mjs: "text/javascript",
  cjs: "text/javascript",
  jsx: "text/javascript",
  ts: "text/x-typescript",
  mts: "text/x-typescript",
  tsx: "text/x-typescript",
  java: "text/x-java",
  kt: "text/x-kotlin",
  scala: "text/x-scala",
  c: "text/x-c",
  h: "text/x-c",
  cc: "text/x-c++",
  cpp: "text/x-c++",
  hpp: "text/x-c++",
  cs: "text/x-csharp",
  go: "text/x-go",
  rs: "text/x-rust",
  rb: "text/x-ruby",
  php: "text/x-php",
  swift: "text/x-swift",
  sh: "text/x-shellscript",
  bash: "text/x-shellscript",
  ps1: "text/x-powershell",
  sql: "text/x-sql",
  lua: "text/x-lua",
  pl: "text/x-perl",
  r: "text/x-r",
  jl: "text/x-julia",
  hs: "text/x-haskell",
  ex: "text/x-elixir",
  erl: "text/x-erlang",
  clj: "text/x-clojure",
  dart: "text/x-dart",
  vue: "text/x-vue",
  css: "text/css",
  scss: "text/x-scss",
  proto: "text/x-protobuf",
  tf: "text/x-terraform",
  ini: "text/x-ini",
  cfg: "text/x-ini",
};

/** Formats whose damaged bytes still deserve their own reader: its error says more than "unknown bytes" would. */
const binaryExtensions: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  docx: DOCX,
  pptx: PPTX,
  xlsx: XLSX,
  odt: `${ODF}.text`,
  ods: `${ODF}.spreadsheet`,
  odp: `${ODF}.presentation`,
  odg: `${ODF}.graphics`,
  epub: "application/epub+zip",
  wpd: "application/vnd.wordperfect",
  wps: "application/vnd.ms-works",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  tif: "image/tiff",
  tiff: "image/tiff",
  webp: "image/webp",
};

/** Formats in compound files ([MS-CFB]), by a stream that only they have, and by their usual extensions. */
const compoundFormats: readonly [stream: string, type: string, extension: RegExp][] = [
  // First, since mails hold other documents whole.
  ["__properties_version1.0", "application/vnd.ms-outlook", /^msg$/],
  ["WordDocument", "application/msword", /^(doc|dot)$/],
  ["Workbook", "application/vnd.ms-excel", /^(xls|xlt)$/],
  ["PowerPoint Document", "application/vnd.ms-powerpoint", /^(ppt|pps|pot)$/],
  ["VisioDocument", "application/vnd.visio", /^(vsd|vst)$/],
  ["Quill", "application/x-mspublisher", /^pub$/],
  ["MatOST", "application/vnd.ms-works", /^wps$/],
];

/**
 * The media type of a file, without parameters.
 *
 * Bytes decide first: binary formats by their signature, then HTML, XML and JSON by how they begin. Text of no
 * particular look is what its name's extension says, else what was declared, else `text/plain`.
 *
 * @param head the first bytes of the file; 64 KiB are enough, fewer work while they hold the beginning
 * @param declared what the client said, a Content-Type; its parameters are ignored
 * @returns `application/octet-stream` for bytes that nothing recognizes
 */
export async function detectMediaType(
  head: Uint8Array,
  filename: string,
  declared?: string,
): Promise<string> {
  const extension = /\.([a-z0-9]+)$/i.exec(filename)?.[1]?.toLowerCase() ?? "";
  const claimed = declared?.split(";")[0]?.trim().toLowerCase() || undefined;
  const text = decodeText(head);

  const signature = await fromSignature(head, text !== undefined, extension);
  if (signature !== undefined) return signature;
  if (text !== undefined) {
    return sniffText(text, extension) ?? textExtensions[extension] ?? textClaim(claimed) ?? "text/plain";
  }
  return binaryExtensions[extension] ?? binaryClaim(claimed) ?? OCTETS;
}

async function fromSignature(
  head: Uint8Array,
  isText: boolean,
  extension: string,
): Promise<string | undefined> {
  // A byte order mark that leads readable text is also how some MPEG audio begins.
  if (isText && hasWideOrder(head)) return undefined;
  const mime = await signatureOf(head);
  if (mime === undefined) {
    // The directory that says which kind of TIFF it is may lie beyond the head.
    if (/^(II\*\0|MM\0\*)/.test(ascii(head.subarray(0, 4)))) return "image/tiff";
    // Readers of PDF accept the header anywhere in the first kilobyte. Text that mentions it is still text.
    const start = ascii(head.subarray(0, 1024));
    // A PDF may be all of ASCII, with a mail's or a server's head before it: then its name, or a line of its own, tells.
    const header = !isText ? /%PDF-/ : extension === "pdf" ? /^%PDF-\d/m : /^\s*%PDF-/;
    return header.test(start) ? "application/pdf" : undefined;
  }
  // Left to the sniffing below, which knows XHTML from XML.
  if (/\bxml$/.test(mime) && isText) return undefined;
  // Signatures of two or three letters are found in plain text too ("BM…" is a bitmap).
  if (isText && /^(image|audio|video|font)\/|x-msdownload|x-compress|x-sqlite/.test(mime)) return undefined;
  if (mime === "application/zip") return officeType(head, extension) ?? mime;
  if (mime === "application/x-cfb") return compoundType(head, extension) ?? mime;
  return mime;
}

/** What the library makes of it. It unpacks parts of packages to look into them, and throws where these are damaged. */
async function signatureOf(head: Uint8Array): Promise<string | undefined> {
  try {
    return (await fileTypeFromBuffer(head))?.mime;
  } catch {
    // Its reader will say what is wrong with it; here only the type is asked for.
    return ascii(head.subarray(0, 4)) === "PK\u0003\u0004" ? "application/zip" : undefined;
  }
}

/** Compound files share one signature. The names of their streams often lie beyond the head; then the extension tells. */
function compoundType(head: Uint8Array, extension: string): string | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const has = (name: string) => bytes.includes(Buffer.from(name, "utf16le"));
  // A package with a password, or an old file under a new name: the readers tell which, and say so.
  const claimed = /^(docx|xlsx|pptx)$/.test(extension) ? binaryExtensions[extension] : undefined;
  if (has("EncryptedPackage")) return claimed;
  const [, type] =
    compoundFormats.find(([stream]) => has(stream)) ??
    compoundFormats.find(([, , pattern]) => pattern.test(extension)) ??
    [];
  return type ?? claimed;
}

/** Office documents whose index of content types lies beyond the head, told by the names of their entries. */
function officeType(head: Uint8Array, extension: string): string | undefined {
  const names = entryNames(head);
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  const isPackage = has(/^(\[Content_Types\]\.xml|_rels\/|docProps\/|customXml\/)/);
  if (has(/^word\/(document|styles|settings|header\d*|footer\d*|_rels|media|theme)\b/)) return DOCX;
  if (has(/^xl\/(workbook|worksheets|styles|_rels|theme)\b/)) return XLSX;
  if (has(/^ppt\/(presentation|slides|slideMasters|_rels|theme|media)\b/)) return PPTX;
  if (has(/^META-INF\/container\.xml$/)) return "application/epub+zip";
  return isPackage && /^(docx|xlsx|pptx)$/.test(extension) ? binaryExtensions[extension] : undefined;
}

/** Names in the local file headers (APPNOTE.TXT 4.3.7) of a zip archive, as far as the head reaches. */
function entryNames(head: Uint8Array): string[] {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const names: string[] = [];
  const header = "PK\u0003\u0004";
  for (let at = bytes.indexOf(header); at !== -1 && at + 30 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at + 26);
    names.push(bytes.toString("latin1", at + 30, at + 30 + Math.min(length, 256)));
    // Over the entry's bytes where their number is told: they may be an archive themselves.
    const toldAfter = (bytes.readUInt16LE(at + 6) & 8) !== 0;
    const size = toldAfter ? 0 : bytes.readUInt32LE(at + 18);
    at = bytes.indexOf(header, at + 30 + length + bytes.readUInt16LE(at + 28) + size);
  }
  return names;
}

/** HTML, XML and JSON by how they begin. Weak signs yield to a name that says another text format. */
function sniffText(text: string, extension: string): string | undefined {
  const start = text.slice(0, 4096).replace(/^(\s+|<!--[\s\S]*?-->)+/, "");
  if (/^<!doctype\s+html|^<(html|head|body)[\s>]/i.test(start)) return "text/html";
  if (/^<\?xml\s/i.test(start)) {
    const rest = start.replace(/<!--[\s\S]*?(-->|$)/g, "");
    if (/<!doctype\s+html|<(?:x?html:)?html[\s>]/i.test(rest)) return "text/html";
    return extension === "svg" ? "image/svg+xml" : "application/xml";
  }
  const type = textExtensions[extension];
  // Mails are also saved with the line of a mailbox in front, and drafts look like saved pages: their name tells.
  if (type === "message/rfc822") return type;
  if (
    type === undefined ||
    type === "text/plain" ||
    type === "application/mbox" ||
    type === "multipart/related"
  ) {
    const mail = sniffMail(text);
    if (mail !== undefined) return mail;
  }
  if (type !== undefined && extension !== "txt") return undefined;
  if (
    /^<(title|meta|link|script|style|div|p|h[1-6]|table|ul|ol|a|b|br|font|img)(\s[^<]*)?\/?>/i.test(start)
  ) {
    return "text/html";
  }
  return looksLikeJson(text) ? "application/json" : undefined;
}

function looksLikeJson(text: string): boolean {
  if (!/^\s*(\{\s*["}]|\[\s*(["{[\]]|-?\d))/.test(text)) return false;
  // The head may be cut short, so only a beginning like no prose's is believed without parsing.
  if (/^\s*(\[\s*)?\{\s*"[^"\n]*"\s*:/.test(text)) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // Prose in brackets, for one.
  }
}

function textClaim(claimed: string | undefined): string | undefined {
  if (claimed === undefined) return undefined;
  // Any other text is plain to us, whatever it calls itself.
  return Object.values(textExtensions).includes(claimed) ? claimed : undefined;
}

/** A claim for bytes that are not text. Formats with a signature would have shown it, so these claims are wrong. */
function binaryClaim(claimed: string | undefined): string | undefined {
  if (claimed === undefined || textClaim(claimed) !== undefined) return undefined;
  return claimed.includes("/") && !/^(image|audio|video|multipart)\/|zip|x-www-form/.test(claimed)
    ? claimed
    : undefined;
}

function hasWideOrder(head: Uint8Array): boolean {
  return (
    (head[0] === 0xff && head[1] === 0xfe) ||
    (head[0] === 0xfe && head[1] === 0xff) ||
    (head[0] === 0 && head[1] === 0 && head[2] === 0xfe && head[3] === 0xff)
  );
}

/** The head as text, well enough to sniff in; undefined when it is not text. */
function decodeText(head: Uint8Array): string | undefined {
  const text = decodeHead(head);
  let controls = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    // NUL is in no text. Tab, line feed, form feed, carriage return and escape are; others are rare.
    if (code === 0) return undefined;
    if (code < 9 || (code > 13 && code < 32 && code !== 27) || code === 0xfffe || code === 0xffff) controls++;
  }
  return controls > text.length / 200 ? undefined : text;
}

function decodeHead(head: Uint8Array): string {
  const [a, b, c, d] = head;
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return fromUtf32(head, true);
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return fromUtf32(head, false);
  if (a === 0xff && b === 0xfe) return new TextDecoder("utf-16le").decode(evenPart(head));
  if (a === 0xfe && b === 0xff) return new TextDecoder("utf-16be").decode(evenPart(head));
  const wide = wideWithoutMark(head);
  if (wide !== undefined) return new TextDecoder(wide).decode(evenPart(head));
  try {
    // As a stream, so that a character cut in two by the end of the head is no error.
    return new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
  } catch {
    return ascii(head); // Some single-byte or Asian charset, or no text at all: control characters tell.
  }
}

/** UTF-16 without a mark: text in Latin letters has a zero in every other byte. */
function wideWithoutMark(head: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (head.length < 8) return undefined;
  const zeros = [0, 0];
  const length = Math.min(head.length, 4096);
  for (let index = 0; index < length; index++) if (head[index] === 0) zeros[index % 2]!++;
  const most = length * 0.35;
  if (zeros[1]! > most && zeros[0] === 0) return "utf-16le";
  if (zeros[0]! > most && zeros[1] === 0) return "utf-16be";
  return undefined;
}

function fromUtf32(head: Uint8Array, little: boolean): string {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let text = "";
  for (let at = 4; at + 4 <= head.length; at += 4) {
    const code = view.getUint32(at, little);
    text += code <= 0x10ffff ? String.fromCodePoint(code) : "\0";
  }
  return text;
}

function evenPart(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.length & ~1);
}

/** One character per byte. */
function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
