/** HTML: what a reader of the page would read, in blocks. */
import { parse, type DefaultTreeAdapterTypes as Tree } from "parse5";
import type { Block, DocumentFacts } from "../../chunk.ts";
import { decodeBytes } from "./charset.ts";
import { isoTime, languageTag } from "./facts.ts";
import { attribute, isSkipped } from "./html-nodes.ts";
import { readTable } from "./html-table.ts";
import { linkText } from "./links.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "./text-builder.ts";

type Node = Tree.ChildNode;
type Element = Tree.Element;

const blocky = new Set(
  "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu ol p pre section summary table tbody td tfoot th thead tr ul".split(
    " ",
  ),
);

export async function readHtml({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const builder = createTextBuilder();
  const { title, facts } = addHtml(builder, decodeBytes(bytes, declaredCharset(bytes)));
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { title, facts });
}

/** Scripts and styles can stand before the charset, whatever the standard says of the first kilobyte. */
const DECLARED_WITHIN = 64 * 1024;

/** The charset that the page names, in a meta element or an XML declaration. */
function declaredCharset(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, DECLARED_WITHIN)).toString("latin1");
  const found =
    /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]+)/i.exec(start) ??
    /^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w:.-]+)/i.exec(start);
  return found?.[1];
}

/** One step of the walk: into a node, or out of an element. A list of its own, since pages nest deeper than calls can. */
type Step = { enter: Node } | { leave: Element } | { linked: string; from: number };

/** What encloses the text now. */
interface Frame {
  element: Element;
  kind: Block["kind"];
  level: number;
  /** Put before the first text inside: a list item's mark. */
  mark: string;
}

/** Appends a page's blocks. @returns the page's title, or its first heading */
export function addHtml(builder: TextBuilder, html: string): { title: string | null; facts: DocumentFacts } {
  const document = parse(html);
  const frames: Frame[] = [];
  let run = "";
  let title: string | null = null;
  let firstHeading: string | null = null;
  const facts: DocumentFacts = {};
  /** Links in the run, in order. */
  let links: { from: number; to: number; address: string }[] = [];

  const flush = () => {
    const frame = frames.at(-1);
    const isCode = frame?.kind === "code";
    const text = isCode ? run : tidy(withAddresses(run, links));
    run = "";
    links = [];
    if (text.trim() === "") return;
    const mark = frame?.mark ?? "";
    if (frame !== undefined) frame.mark = "";
    const kind = frame?.kind ?? "paragraph";
    if (kind === "heading") firstHeading ??= text;
    // Two line breaks are how many pages part paragraphs.
    const parts = kind === "paragraph" || kind === "quote" ? text.split(/\n{2,}/) : [text];
    for (const [index, part] of parts.entries()) {
      builder.add(kind, index === 0 ? mark + part : part, kind === "heading" ? { level: frame!.level } : {});
    }
  };

  const steps: Step[] = [];
  const push = (nodes: readonly Node[]) => {
    for (let index = nodes.length - 1; index >= 0; index--) steps.push({ enter: nodes[index]! });
  };
  push(document.childNodes);
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    if ("leave" in step) {
      flush();
      if (frames.at(-1)?.element === step.leave) frames.pop();
      continue;
    }
    if ("linked" in step) {
      // A block inside the link has ended the run that it began in.
      if (step.from < run.length) links.push({ from: step.from, to: run.length, address: step.linked });
      continue;
    }
    const node = step.enter;
    if (node.nodeName === "#text") {
      const { value } = node as Tree.TextNode;
      run += frames.at(-1)?.kind === "code" ? value : value.replace(/[\s\u00a0]+/g, " ");
      continue;
    }
    if (!("tagName" in node)) continue;
    const { tagName } = node;
    if (tagName === "html") noteLanguage(facts, node);
    if (tagName === "head") {
      title ??= titleOf(node);
      noteMeta(facts, node);
    }
    if (isSkipped(node)) continue;
    if (tagName === "br") {
      run += "\n";
      continue;
    }
    if (!blocky.has(tagName)) {
      const address = tagName === "a" ? attribute(node, "href") : undefined;
      if (address !== undefined && /^https?:/i.test(address))
        steps.push({ linked: address, from: run.length });
      push(node.childNodes);
      continue;
    }
    flush();
    if (tagName === "table") {
      const table = readTable(node);
      if (table !== undefined) {
        for (const { kind, text } of table) builder.add(kind, text);
        continue;
      }
    }
    const frame = frameOf(node);
    if (frame !== undefined) frames.push(frame);
    steps.push({ leave: node });
    push(node.childNodes);
  }
  flush();
  return { title: title ?? firstHeading, facts };
}

/** The run with the addresses of its links, unless it is nothing but links: then it is a menu. */
function withAddresses(run: string, links: readonly { from: number; to: number; address: string }[]): string {
  if (links.length === 0) return run;
  let besides = "";
  let text = "";
  let at = 0;
  for (const { from, to, address } of links) {
    if (from < at) continue;
    besides += run.slice(at, from);
    text += run.slice(at, from) + linkText(run.slice(from, to), address.trim());
    at = to;
  }
  besides += run.slice(at);
  return /[\p{L}\p{N}]/u.test(besides) ? text + run.slice(at) : run;
}

function noteLanguage(facts: DocumentFacts, page: Element): void {
  const language = languageTag(attribute(page, "lang") ?? attribute(page, "xml:lang"));
  if (language !== undefined) facts.language = language;
}

/** Author and dates, under the names that most pages use. */
function noteMeta(facts: DocumentFacts, head: Element): void {
  for (const node of head.childNodes) {
    if (!("tagName" in node) || node.tagName !== "meta") continue;
    const name = (attribute(node, "name") ?? attribute(node, "property") ?? "").toLowerCase();
    const content = attribute(node, "content")?.trim() ?? "";
    if (/^(author|dc\.creator|dcterms\.creator)$/.test(name) && content !== "") facts.author ??= content;
    const time = isoTime(content);
    if (time === undefined) continue;
    if (/^(date|dc\.date|dcterms\.created|article:published_time)$/.test(name)) facts.authored_at ??= time;
    if (/^(last-modified|dcterms\.modified|article:modified_time)$/.test(name)) facts.modified_at ??= time;
  }
}

/** The frame that an element opens, if it changes what its text is. */
function frameOf(element: Element): Frame | undefined {
  const { tagName } = element;
  const heading = /^h([1-6])$/.exec(tagName);
  if (heading !== null) return { element, kind: "heading", level: Number(heading[1]), mark: "" };
  if (tagName === "pre") return { element, kind: "code", level: 0, mark: "" };
  if (tagName === "blockquote") return { element, kind: "quote", level: 0, mark: "" };
  if (tagName === "li") return { element, kind: "list_item", level: 0, mark: markOf(element) };
  return undefined;
}

/** Its list's mark or number, indented by how many lists stand around that. */
function markOf(item: Element): string {
  let indent = "";
  let above: Tree.ParentNode | null = item.parentNode?.nodeName === "#document" ? null : item.parentNode;
  for (let step = 0; above !== null && "tagName" in above && step < MOST_INDENT; step++) {
    above = above.parentNode;
    if (above !== null && above.nodeName === "li") indent += "  ";
  }
  return indent + ownMark(item);
}

function ownMark(item: Element): string {
  const list = item.parentNode;
  if (list === null || !("tagName" in list) || list.tagName !== "ol") return "- ";
  let number = Number(attribute(list, "start") ?? 1);
  if (!Number.isSafeInteger(number)) number = 1;
  const position = positions.get(list) ?? number;
  positions.set(list, position + 1);
  return `${position}. `;
}

/** Elements looked at above a list item: pages nest without end. */
const MOST_INDENT = 16;

// Where each ordered list's counting stands. Weak, so that it holds no page after its reading.
const positions = new WeakMap<Element, number>();

function titleOf(head: Element): string | null {
  for (const node of head.childNodes) {
    if (node.nodeName !== "title" || !("tagName" in node)) continue;
    const text = node.childNodes.map((child) => ("value" in child ? child.value : "")).join("");
    if (text.trim() !== "") return text;
  }
  return null;
}

/** Single spaces, no blanks around line ends. */
function tidy(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/ {2,}/g, " ").trim())
    .join("\n")
    .trim();
}
