/**
 * What a zip package or a compound file really holds. The head of a file, by which its media type was told, often ends
 * before the parts that tell formats apart; and a name like `.docx` is also given to encrypted packages and old files.
 */
import { isCompound, openCompound } from "./cfb.ts";
import { encrypted } from "./limits.ts";
import { openZip } from "./zip.ts";

const OOXML = "application/vnd.openxmlformats-officedocument";
const ODF = "application/vnd.oasis.opendocument";

/** Whether a file that begins so is a container. */
export function isContainer(head: Uint8Array): boolean {
  return isCompound(head) || isPackage(head);
}

function isPackage([a, b, c, d]: Uint8Array): boolean {
  return a === 0x50 && b === 0x4b && c === 3 && d === 4;
}

/**
 * The media type of a whole file, where it is a container; undefined for everything else.
 * @throws SluiceError encrypted_document, malformed_document, limit_exceeded
 */
export function containedType(bytes: Uint8Array, filename: string): string | undefined {
  if (isCompound(bytes)) return compoundType(bytes, filename);
  return isPackage(bytes) ? packageType(bytes, filename) : undefined;
}

function compoundType(bytes: Uint8Array, filename: string): string {
  const names = new Set([...openCompound(bytes, filename).names].map((name) => name.toLowerCase()));
  if (names.has("encryptedpackage") || names.has("encryptioninfo")) throw encrypted(filename);
  if (names.has("__properties_version1.0")) return "application/vnd.ms-outlook";
  if (names.has("worddocument")) return "application/msword";
  if (names.has("workbook") || names.has("book")) return "application/vnd.ms-excel";
  if (names.has("powerpoint document")) return "application/vnd.ms-powerpoint";
  return "application/x-cfb";
}

function packageType(bytes: Uint8Array, filename: string): string {
  const zip = openZip(bytes, filename);
  const has = (pattern: RegExp) => zip.names.some((name) => pattern.test(name));
  if (has(/^\[Content_Types\]\.xml$/i) || has(/^_rels[\\/]\.rels$/i)) {
    if (has(/^\/?word[\\/].*\.xml$/i)) return `${OOXML}.wordprocessingml.document`;
    if (has(/^\/?xl[\\/]workbook\.bin$/i)) return "application/vnd.ms-excel.sheet.binary.macroenabled.12";
    if (has(/^\/?xl[\\/].*\.xml$/i)) return `${OOXML}.spreadsheetml.sheet`;
    if (has(/^\/?ppt[\\/].*\.xml$/i)) return `${OOXML}.presentationml.presentation`;
  }
  const declared = zip.read("mimetype");
  const type = declared === undefined ? "" : Buffer.from(declared).toString("latin1").trim();
  if (type === "application/epub+zip" || has(/^META-INF\/container\.xml$/i)) return "application/epub+zip";
  if (type.startsWith(ODF)) return type.replace(/-(template|master)$/, "");
  return "application/zip";
}
