/** EPUB: its chapters, pages of XHTML, in the order of the spine. */
import type { DocumentFacts } from "../../chunk.ts";
import { decodeBytes } from "./charset.ts";
import { givenTitle, isoTime, languageTag } from "./facts.ts";
import { addHtml } from "./html.ts";
import { encrypted, malformed } from "./limits.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";
import { attributeOf, childOf, childrenOf, descendantsOf, parseXml, textOf } from "./xml.ts";
import { openZip } from "./zip.ts";

export async function readEpub({ bytes, filename, progress }: ReaderInput) {
  const zip = openZip(bytes, filename);
  const part = async (name: string) => {
    const data = zip.read(name);
    if (data === undefined) throw malformed(filename, `its package lacks ${name}`);
    return parseXml(data, filename);
  };
  const container = await part("META-INF/container.xml");
  const root = attributeOf(descendantsOf(container, "rootfile")[0], "full-path") ?? "";
  const book = await part(root);
  const manifest = new Map(
    childrenOf(childOf(book, "manifest"), "item").map((item) => [
      attributeOf(item, "id") ?? "",
      { path: placeOf(root, attributeOf(item, "href") ?? ""), type: attributeOf(item, "media-type") ?? "" },
    ]),
  );
  const chapters = childrenOf(childOf(book, "spine"), "itemref").flatMap((entry) => {
    const item = manifest.get(attributeOf(entry, "idref") ?? "");
    return item !== undefined && /html/.test(item.type) ? [item.path] : [];
  });
  const locks = zip.read("META-INF/encryption.xml");
  if (locks !== undefined) {
    // Fonts are often scrambled in books that anyone may read. Chapters are not.
    const locked = descendantsOf(await parseXml(locks, filename), "CipherReference").map((reference) =>
      decodeURI(attributeOf(reference, "URI") ?? ""),
    );
    if (locked.some((path) => chapters.includes(path))) throw encrypted(filename);
  }
  const builder = createTextBuilder();
  let firstHeading: string | null = null;
  for (const [index, path] of chapters.entries()) {
    progress(index, chapters.length);
    const data = zip.read(path);
    if (data === undefined) continue;
    const { title } = addHtml(builder, decodeBytes(data));
    firstHeading ??= givenTitle(title ?? undefined);
  }
  progress(chapters.length, chapters.length);
  const metadata = childOf(book, "metadata");
  const value = (name: string) => textOf(childOf(metadata, name)).trim() || undefined;
  const facts: DocumentFacts = {};
  const authors = childrenOf(metadata, "creator").map((creator) => textOf(creator).trim());
  const authored = dateOf(value("date"));
  const language = languageTag(value("language"));
  if (authors.length > 0) facts.author = authors.join(", ");
  if (authored !== undefined) facts.authored_at = authored;
  if (language !== undefined) facts.language = language;
  return builder.finish(filename, { title: givenTitle(value("title")) ?? firstHeading, facts });
}

/** Books often have the year alone. */
function dateOf(text: string | undefined): string | undefined {
  return text !== undefined && /^\d{4}(-\d\d)?$/.test(text) ? text : isoTime(text);
}

function placeOf(root: string, href: string): string {
  const steps = root.split("/").slice(0, -1);
  let path = href.split("#")[0]!;
  try {
    path = decodeURIComponent(path);
  } catch {
    // A stray percent sign: then the name is meant as it stands.
  }
  for (const step of path.split("/")) {
    if (step === "..") steps.pop();
    else if (step !== "." && step !== "") steps.push(step);
  }
  return steps.join("/");
}
