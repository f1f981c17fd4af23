/** OpenDocument packages: what they say of the document, and the styles that give its lists their marks. */
import type { DocumentFacts } from "../../../chunk.ts";
import { givenTitle, isoTime, languageTag } from "../facts.ts";
import { encrypted, malformed } from "../limits.ts";
import { formatted } from "../list-numbers.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  descendantsOf,
  parseXml,
  textOf,
  type XmlElement,
} from "../xml.ts";
import { openZip, type ZipPackage } from "../zip.ts";

export interface OpenDocument {
  zip: ZipPackage;
  filename: string;
  /** The text itself, in pieces. */
  content(): AsyncIterable<Uint8Array>;
  title: string | null;
  facts: DocumentFacts;
  styles: OdfStyles;
}

export interface OdfStyles {
  /** Each style's parent, by which `P3` is told to be a title. */
  parents: Map<string, string>;
  lists: Map<string, Map<number, ListLevel>>;
}

export interface ListLevel {
  /** As ECMA-376 calls them; `bullet` for marks without a number. */
  format: string;
  prefix: string;
  suffix: string;
  start: number;
  /** How many levels' numbers show. */
  shown: number;
}

/** @throws SluiceError encrypted_document, malformed_document */
export async function openOdf(bytes: Uint8Array, filename: string): Promise<OpenDocument> {
  const zip = openZip(bytes, filename);
  const manifest = zip.read("META-INF/manifest.xml");
  if (manifest !== undefined) {
    const root = await parseXml(manifest, filename);
    if (descendantsOf(root, "encryption-data").length > 0) throw encrypted(filename);
  }
  if (!zip.has("content.xml")) throw malformed(filename, "its package lacks the main part");
  const styles: OdfStyles = { parents: new Map(), lists: new Map() };
  const styleData = zip.read("styles.xml");
  let language: string | undefined;
  if (styleData !== undefined) {
    const root = await parseXml(styleData, filename);
    for (const style of [...descendantsOf(root, "style"), ...descendantsOf(root, "list-style")]) {
      noteStyle(styles, style);
    }
    language = languageOf(root);
  }
  const metaData = zip.read("meta.xml");
  const meta = metaData === undefined ? undefined : childOf(await parseXml(metaData, filename), "meta");
  const value = (name: string) => textOf(childOf(meta, name)).trim() || undefined;
  const facts: DocumentFacts = {};
  const author = value("initial-creator") ?? value("creator");
  const authored = isoTime(trimmedTime(value("creation-date")));
  const modified = isoTime(trimmedTime(value("date")));
  const spoken = languageTag(value("language")) ?? language;
  if (author !== undefined) facts.author = author;
  if (authored !== undefined) facts.authored_at = authored;
  if (modified !== undefined) facts.modified_at = modified;
  if (spoken !== undefined) facts.language = spoken;
  return {
    zip,
    filename,
    content: () => zip.stream("content.xml")!,
    title: givenTitle(value("title")),
    facts,
    styles,
  };
}

/** LibreOffice writes nine digits of a second. */
function trimmedTime(text: string | undefined): string | undefined {
  return text?.replace(/(\.\d{3})\d+/, "$1");
}

function languageOf(root: XmlElement): string | undefined {
  for (const style of descendantsOf(root, "default-style")) {
    if (attributeOf(style, "family") !== "paragraph") continue;
    const properties = childOf(style, "text-properties");
    const [language, country] = [
      attributeOf(properties, "fo:language"),
      attributeOf(properties, "fo:country"),
    ];
    if (language === undefined || language === "none") continue;
    return languageTag(country === undefined || country === "none" ? language : `${language}-${country}`);
  }
  return undefined;
}

/** Takes in a `style` or a `list-style`. */
export function noteStyle({ parents, lists }: OdfStyles, style: XmlElement): void {
  const name = attributeOf(style, "style:name") ?? "";
  if (style.name === "style") {
    const parent = attributeOf(style, "parent-style-name");
    if (parent !== undefined) parents.set(name, parent);
    return;
  }
  const levels = new Map<number, ListLevel>();
  for (const kind of ["bullet", "number", "image"]) {
    for (const level of childrenOf(style, `list-level-style-${kind}`)) {
      levels.set(Number(attributeOf(level, "level") ?? 1), {
        format: kind === "number" ? formatOf(attributeOf(level, "num-format")) : "bullet",
        prefix: attributeOf(level, "num-prefix") ?? "",
        suffix: attributeOf(level, "num-suffix") ?? "",
        start: Number(attributeOf(level, "start-value") ?? 1) || 1,
        shown: Number(attributeOf(level, "display-levels") ?? 1) || 1,
      });
    }
  }
  lists.set(name, levels);
}

function formatOf(sign: string | undefined): string {
  switch (sign) {
    case "a":
      return "lowerLetter";
    case "A":
      return "upperLetter";
    case "i":
      return "lowerRoman";
    case "I":
      return "upperRoman";
    case "":
      return "none";
    default:
      return "decimal";
  }
}

/** The mark of a list item, from the numbers of its level and those above it. */
export function markOf(levels: Map<number, ListLevel> | undefined, numbers: readonly number[]): string {
  const at = numbers.length;
  const level = levels?.get(at);
  if (level === undefined || level.format === "bullet") return "-";
  if (level.format === "none") return "";
  const from = Math.max(1, at - level.shown + 1);
  const shown = numbers
    .slice(from - 1)
    .map((number, index) => formatted(number, levels?.get(from + index)?.format ?? "decimal"));
  return `${level.prefix}${shown.join(".")}${level.suffix}`;
}

/** The style at the end of a chain of automatic ones, in lower case: `title`, `quotations`. */
export function styleName({ parents }: OdfStyles, name: string | undefined): string {
  let at = name ?? "";
  for (let step = 0; step < 20; step++) {
    if (!/^[PT]\d+$/i.test(at) && /title|quot|preformatted|source|code/i.test(at)) break;
    const parent = parents.get(at);
    if (parent === undefined) break;
    at = parent;
  }
  return at.replaceAll("_20_", " ").toLowerCase();
}
