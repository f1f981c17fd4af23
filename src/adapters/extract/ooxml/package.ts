/** Office Open XML packages (ECMA-376 part 2): their parts, how these refer to each other, and what they say of the document. */
import type { DocumentFacts } from "../../../chunk.ts";
import { givenTitle, isoTime, languageTag } from "../facts.ts";
import { malformed } from "../limits.ts";
import { attributeOf, childOf, childrenOf, parseXml, textOf, type XmlElement } from "../xml.ts";
import { openZip, type ZipPackage } from "../zip.ts";

export interface Relation {
  /** The last word of its type, such as `slide` or `hyperlink`. */
  type: string;
  /** The name of a part, or an address where `external`. */
  target: string;
  external: boolean;
}

export interface OfficePackage {
  zip: ZipPackage;
  filename: string;
  /** The name of the part that everything else hangs on. */
  main: string;
  /** What a part refers to, by id. */
  relations(part: string): Promise<ReadonlyMap<string, Relation>>;
  /** A part as a tree, or undefined where there is none. */
  part(name: string | undefined): Promise<XmlElement | undefined>;
}

/** @param usual the main part's name where the package's own relations don't tell */
export async function openPackage(
  bytes: Uint8Array,
  filename: string,
  usual: string,
): Promise<OfficePackage> {
  const zip = openZip(bytes, filename);
  const relations = async (part: string) => {
    const slash = part.lastIndexOf("/") + 1;
    const data = zip.read(`${part.slice(0, slash)}_rels/${part.slice(slash)}.rels`);
    return data === undefined ? new Map() : relationsOf(await parseXml(data, filename), part);
  };
  const roots = [...(await relations("")).values()];
  const main = roots.find(({ type, external }) => type === "officeDocument" && !external)?.target ?? usual;
  if (!zip.has(main)) throw malformed(filename, "its package lacks the main part");
  return {
    zip,
    filename,
    main,
    relations,
    async part(name) {
      const data = name === undefined ? undefined : zip.read(name);
      return data === undefined ? undefined : parseXml(data, filename);
    },
  };
}

function relationsOf(root: XmlElement, part: string): Map<string, Relation> {
  const relations = new Map<string, Relation>();
  for (const relation of childrenOf(root, "Relationship")) {
    const { Id: id = "", Type: type = "", Target: target = "", TargetMode: mode } = relation.attributes;
    const external = mode === "External";
    relations.set(id, {
      type: type.slice(type.lastIndexOf("/") + 1),
      target: external ? target : resolve(part, target),
      external,
    });
  }
  return relations;
}

/** A reference's part, seen from the part that holds it. */
function resolve(part: string, target: string): string {
  const path = target.startsWith("/") ? [] : part.split("/").slice(0, -1);
  for (const step of target.split("#")[0]!.split("/")) {
    if (step === "..") path.pop();
    else if (step !== "" && step !== ".") path.push(step);
  }
  return path.join("/");
}

/** The first part of a type that a part refers to. */
export async function relatedPart(
  { relations }: OfficePackage,
  part: string,
  type: string,
): Promise<string | undefined> {
  return [...(await relations(part)).values()].find((relation) => relation.type === type)?.target;
}

export async function aboutPackage(
  office: OfficePackage,
): Promise<{ title: string | null; facts: DocumentFacts }> {
  const name = (await relatedPart(office, "", "core-properties")) ?? "docProps/core.xml";
  const core = await office.part(name);
  const value = (key: string) => textOf(childOf(core, key)).trim() || undefined;
  const facts: DocumentFacts = {};
  const author = value("creator");
  const authored = isoTime(value("created"));
  const modified = isoTime(value("modified"));
  const language = languageTag(value("language"));
  if (author !== undefined) facts.author = author;
  if (authored !== undefined) facts.authored_at = authored;
  if (modified !== undefined) facts.modified_at = modified;
  if (language !== undefined) facts.language = language;
  return { title: givenTitle(value("title")), facts };
}

/** A property that is on where it stands, unless it says no. */
export function isOn(element: XmlElement | undefined): boolean {
  return element !== undefined && !/^(0|false|off|none)$/.test(attributeOf(element, "val") ?? "1");
}
