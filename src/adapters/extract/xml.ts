/**
 * XML as events or as small trees, under limits and without what makes XML dangerous: entities of the document's own
 * are never expanded beyond a few words, and nothing is ever fetched.
 */
import iconv from "iconv-lite";
import { SaxesParser } from "saxes";
import { SluiceError } from "../../errors.ts";
import { limitExceeded, limits, malformed } from "./limits.ts";

/** An element. Names are without their prefixes: the formats read here use no two vocabularies that clash. */
export interface XmlElement {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: XmlNode[];
}
export type XmlNode = XmlElement | string;

export interface XmlEvents {
  open(name: string, attributes: Readonly<Record<string, string>>): void;
  close(name: string): void;
  text(text: string): void;
}

type XmlSource = Uint8Array | AsyncIterable<Uint8Array>;

/** Entities that a document declares may be as long as this, and hold no other entity. */
const ENTITY_LENGTH = 500;

/** @throws SluiceError malformed_document, limit_exceeded */
export async function walkXml(source: XmlSource, filename: string, events: XmlEvents): Promise<void> {
  for await (const _ of parseEvents(source, filename, events));
}

/** Parses piece by piece; after each, the caller can use up what its events have gathered. */
export async function* parseEvents(
  source: XmlSource,
  filename: string,
  events: XmlEvents,
): AsyncGenerator<void> {
  const parser = createParser(filename, events);
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw malformed(filename, `its XML is broken (${reason})`, error);
    }
  };
  for await (const text of decoded(source)) {
    attempt(() => parser.write(text));
    yield;
  }
  attempt(() => parser.close());
  yield;
}

function createParser(filename: string, events: XmlEvents): SaxesParser {
  const parser = new SaxesParser({ xmlns: false, position: false });
  const locals = new Map<string, string>();
  let depth = 0;
  const local = (name: string) => {
    let short = locals.get(name);
    if (short === undefined) {
      short = name.slice(name.indexOf(":") + 1);
      locals.set(name, short);
    }
    return short;
  };
  parser.on("doctype", (doctype) => {
    for (const [name, value] of entitiesOf(doctype, filename)) parser.ENTITIES[name] = value;
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (++depth > limits.xmlDepth) {
      throw limitExceeded(filename, `nests elements more than ${limits.xmlDepth} deep`);
    }
    events.open(local(name), attributes);
  });
  parser.on("closetag", ({ name }) => {
    depth--;
    events.close(local(name));
  });
  parser.on("text", (text) => events.text(text));
  parser.on("cdata", (text) => events.text(text));
  return parser;
}

/** Internal entities of plain words. External ones stand for nothing; those made of others are refused. */
function entitiesOf(doctype: string, filename: string): Map<string, string> {
  const entities = new Map<string, string>();
  for (const [, parameter, name, rest] of doctype.matchAll(/<!ENTITY\s+(%\s+)?([^\s"'<>]+)\s+([^>]*)/g)) {
    if (parameter !== undefined) continue;
    const value = /^(?:"([^"]*)"|'([^']*)')/.exec(rest!);
    const words = value?.[1] ?? value?.[2] ?? "";
    if (words.length > ENTITY_LENGTH || /[&%]/.test(words.replace(/&#(\d+|x[\da-f]+);/gi, ""))) {
      throw limitExceeded(filename, "declares XML entities that grow when they are expanded");
    }
    entities.set(
      name!,
      words.replace(/&#(?:(\d+)|x([\da-f]+));/gi, (_, decimal, hex) => {
        const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
        return code <= 0x10ffff ? String.fromCodePoint(code) : "";
      }),
    );
  }
  return entities;
}

/** Text in the charset of its byte order mark or its XML declaration. */
async function* decoded(source: XmlSource): AsyncGenerator<string> {
  let decoder: ReturnType<typeof iconv.getDecoder> | undefined;
  const pieces: AsyncIterable<Uint8Array> | Uint8Array[] =
    source instanceof Uint8Array ? slices(source) : source;
  for await (const piece of pieces) {
    decoder ??= iconv.getDecoder(xmlCharset(piece));
    yield decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
  }
  const rest = decoder?.end();
  if (rest) yield rest;
}

/** A large part as one string would cost as much again as the part. */
function slices(bytes: Uint8Array): Uint8Array[] {
  const size = 64 * 1024;
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) found.push(bytes.subarray(at, at + size));
  return found;
}

function xmlCharset(start: Uint8Array): string {
  const [a, b, c, d] = start;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? "utf-32le" : "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (a === 0x3c && b === 0) return "utf-16le";
  if (a === 0 && b === 0x3c) return "utf-16be";
  const head = Buffer.from(start.subarray(0, 200)).toString("latin1");
  const declared = /^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)/.exec(head)?.[1];
  return declared !== undefined && iconv.encodingExists(declared) && !/^utf-?(16|32)/i.test(declared)
    ? declared
    : "utf-8";
}

/** An element, or where one begins or ends that is not given as a whole. */
export type XmlUnit = XmlElement & { mark?: "open" | "close" };

/**
 * The elements that `isUnit` picks, one after another and each as a tree; what is inside one is not asked again.
 * Only a few are held at a time, so that a document of any length passes through.
 *
 * @param isMark elements outside of units whose begin and end are wanted too
 */
export async function* unitsOf(
  source: XmlSource,
  filename: string,
  isUnit: (name: string) => boolean,
  isMark: (name: string) => boolean = () => false,
): AsyncGenerator<XmlUnit> {
  const open: XmlElement[] = [];
  let ready: XmlUnit[] = [];
  const events: XmlEvents = {
    open(name, attributes) {
      const parent = open.at(-1);
      if (parent === undefined && !isUnit(name)) {
        if (isMark(name)) ready.push({ name, attributes, children: [], mark: "open" });
        return;
      }
      const element: XmlElement = { name, attributes, children: [] };
      parent?.children.push(element);
      open.push(element);
    },
    close(name) {
      const element = open.pop();
      if (element === undefined) {
        if (isMark(name)) ready.push({ name, attributes: {}, children: [], mark: "close" });
      } else if (open.length === 0) ready.push(element);
    },
    text(text) {
      open.at(-1)?.children.push(text);
    },
  };
  for await (const _ of parseEvents(source, filename, events)) {
    const batch = ready;
    ready = [];
    yield* batch;
  }
}

/** The whole document as a tree: for small parts. */
export async function parseXml(source: XmlSource, filename: string): Promise<XmlElement> {
  for await (const root of unitsOf(source, filename, () => true)) return root;
  throw malformed(filename, "a part of it is empty");
}

export function isElement(node: XmlNode): node is XmlElement {
  return typeof node !== "string";
}

/** An attribute by its name without prefix, or by its full name where that tells two apart (`r:id`). */
export function attributeOf(element: XmlElement | undefined, name: string): string | undefined {
  if (element === undefined) return undefined;
  const { attributes } = element;
  if (Object.hasOwn(attributes, name)) return attributes[name];
  if (name.includes(":")) return undefined;
  for (const key of Object.keys(attributes)) if (key.endsWith(`:${name}`)) return attributes[key];
  return undefined;
}

export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  for (const node of element?.children ?? []) if (isElement(node) && node.name === name) return node;
  return undefined;
}

/** The child reached by going down these names. */
export function pathOf(element: XmlElement | undefined, ...names: string[]): XmlElement | undefined {
  let at = element;
  for (const name of names) at = childOf(at, name);
  return at;
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return (element?.children ?? []).filter((node) => isElement(node)).filter((node) => node.name === name);
}

/** All elements of this name below, in order; those inside one of them are left out. */
export function descendantsOf(element: XmlElement | undefined, name: string): XmlElement[] {
  const found: XmlElement[] = [];
  const visit = (parent: XmlElement) => {
    for (const node of parent.children) {
      if (!isElement(node)) continue;
      if (node.name === name) found.push(node);
      else visit(node);
    }
  };
  if (element !== undefined) visit(element);
  return found;
}

/** All text below. */
export function textOf(node: XmlNode | undefined): string {
  if (node === undefined) return "";
  if (!isElement(node)) return node;
  return node.children.map(textOf).join("");
}
