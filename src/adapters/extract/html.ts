/** HTML: what a reader of the page would read, in blocks. */
import { parse, type DefaultTreeAdapterTypes as Tree } from "parse5";
import type { Block } from "../../chunk.ts";
import { decodeBytes } from "./charset.ts";
import { attribute, isSkipped } from "./html-nodes.ts";
import { readTable } from "./html-table.ts";
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
  const { title } = addHtml(builder, decodeBytes(bytes, declaredCharset(bytes)));
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { title });
}

/** The charset that the page names in its first kilobytes, in a meta element or an XML declaration. */
function declaredCharset(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, 4096)).toString("latin1");
  const found =
    /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]+)/i.exec(start) ??
    /^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w:.-]+)/i.exec(start);
  return found?.[1];
}

/** One step of the walk: into a node, or out of an element. A list of its own, since pages nest deeper than calls can. */
type Step = { enter: Node } | { leave: Element };

/** What encloses the text now. */
interface Frame {
  element: Element;
  kind: Block["kind"];
  level: number;
  /** Put before the first text inside: a list item's mark. */
  mark: string;
}

/** Appends a page's blocks. @returns the page's title, or its first heading */
export function addHtml(builder: TextBuilder, html: string): { title: string | null } {
  const document = parse(html);
  const frames: Frame[] = [];
  let run = "";
  let title: string | null = null;
  let firstHeading: string | null = null;

  const flush = () => {
    const frame = frames.at(-1);
    const isCode = frame?.kind === "code";
    const text = isCode ? run : tidy(run);
    run = "";
    if (text.trim() === "") return;
    const mark = frame?.mark ?? "";
    if (frame !== undefined) frame.mark = "";
    const kind = frame?.kind ?? "paragraph";
    if (kind === "heading") firstHeading ??= text;
    builder.add(kind, mark + text, kind === "heading" ? { level: frame!.level } : {});
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
    const node = step.enter;
    if (node.nodeName === "#text") {
      const { value } = node as Tree.TextNode;
      run += frames.at(-1)?.kind === "code" ? value : value.replace(/[\s\u00a0]+/g, " ");
      continue;
    }
    if (!("tagName" in node)) continue;
    const { tagName } = node;
    if (tagName === "head") title ??= titleOf(node);
    if (isSkipped(node)) continue;
    if (tagName === "br") {
      run += "\n";
      continue;
    }
    if (!blocky.has(tagName)) {
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
  return { title: title ?? firstHeading };
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

function markOf(item: Element): string {
  const list = item.parentNode;
  if (list === null || !("tagName" in list) || list.tagName !== "ol") return "- ";
  let number = Number(attribute(list, "start") ?? 1);
  if (!Number.isSafeInteger(number)) number = 1;
  const position = positions.get(list) ?? number;
  positions.set(list, position + 1);
  return `${position}. `;
}

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
