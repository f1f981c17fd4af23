/**
 * Markdown (CommonMark with GitHub's tables). The document's text is the source itself, so that offsets point into
 * the file as its author knows it; only the blocks are found. Inline marks stay.
 */
import type { Block, DocumentFacts, ExtractedText } from "../../chunk.ts";
import { decodeBytes } from "./charset.ts";
import { limits } from "./limits.ts";
import { readPlainText } from "./plain.ts";
import { finishText, type ReaderInput } from "./text-builder.ts";

interface Line {
  text: string;
  start: number;
  /** Without the line's end. */
  end: number;
}

const fence = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const atx = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const setext = /^ {0,3}(=+|-+)[ \t]*$/;
const rule = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const quote = /^ {0,3}>/;
const listItem = /^[ \t]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)/;
const indented = /^(?: {4}|\t)/;
const tableRule = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const comment = /^ {0,3}<!--/;

export async function readMarkdown(input: ReaderInput) {
  // Nobody wrote that by hand: a dump, to be read piece by piece.
  if (input.size_bytes > limits.wholeBytes) return readPlainText(input);
  const { bytes, filename, progress } = input;
  progress(0, bytes.byteLength);
  const text = decodeBytes(bytes);
  const { blocks, title, facts } = scanMarkdown(text);
  progress(bytes.byteLength, bytes.byteLength);
  return finishText(filename, { text, blocks, page_count: null, title, facts });
}

export function scanMarkdown(text: string): Pick<ExtractedText, "blocks" | "title" | "facts"> {
  const lines = linesOf(text);
  const blocks: Block[] = [];
  let title: string | null = null;
  let at = 0;

  const add = (kind: Block["kind"], from: number, to: number, level: number | null = null) => {
    const first = lines[from]!;
    // A list item's or a heading's indentation is no part of it; code needs its own.
    const indent = kind === "code" ? 0 : first.text.length - first.text.trimStart().length;
    const char_start = first.start + indent;
    const source = text.slice(char_start, lines[to - 1]!.end).trimEnd();
    if (source.trim() === "") return;
    const char_end = char_start + source.length;
    blocks.push({ kind, level, page: null, char_start, char_end });
  };
  const isBlank = (index: number) => lines[index]!.text.trim() === "";
  const startsBlock = (index: number) => {
    const { text: line } = lines[index]!;
    return fence.test(line) || atx.test(line) || rule.test(line) || quote.test(line) || listItem.test(line);
  };
  const isTable = (index: number) =>
    lines[index]!.text.includes("|") &&
    index + 1 < lines.length &&
    lines[index + 1]!.text.includes("-") &&
    tableRule.test(lines[index + 1]!.text);

  const matter = frontMatter(lines);
  at = matter.end;
  title = matter.title;
  while (at < lines.length) {
    const line = lines[at]!.text;
    const from = at;
    if (isBlank(at)) {
      at++;
      continue;
    }
    const opened = fence.exec(line);
    if (opened !== null) {
      const mark = opened[1]!;
      const closing = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}[ \\t]*$`);
      at++;
      while (at < lines.length && !closing.test(lines[at]!.text)) at++;
      at = Math.min(at + 1, lines.length);
      add("code", from, at);
      continue;
    }
    const heading = atx.exec(line);
    if (heading !== null) {
      at++;
      const words = line
        .slice(heading[0].length)
        .replace(/(^|[ \t])#+[ \t]*$/, "")
        .trim();
      if (words !== "") {
        add("heading", from, at, heading[1]!.length);
        title ??= words;
      }
      continue;
    }
    if (comment.test(line)) {
      // Comments are not for readers. Blocks simply leave them out.
      while (at < lines.length && !lines[at]!.text.includes("-->")) at++;
      at++;
      continue;
    }
    if (rule.test(line)) {
      at++;
      continue;
    }
    if (indented.test(line) && blocks.at(-1)?.kind !== "list_item") {
      while (at < lines.length && (isBlank(at) || indented.test(lines[at]!.text))) at++;
      add("code", from, at);
      continue;
    }
    if (quote.test(line)) {
      at++;
      while (at < lines.length && !isBlank(at) && (quote.test(lines[at]!.text) || !startsBlock(at))) at++;
      add("quote", from, at);
      continue;
    }
    if (listItem.test(line)) {
      at++;
      while (at < lines.length && !isBlank(at) && !startsBlock(at)) at++;
      add("list_item", from, at);
      continue;
    }
    if (isTable(at)) {
      at += 2;
      while (at < lines.length && !isBlank(at) && lines[at]!.text.includes("|")) at++;
      add("table", from, at);
      continue;
    }
    // A paragraph, or the lines above a setext underline.
    at++;
    let level: number | null = null;
    while (at < lines.length && !isBlank(at)) {
      const underline = setext.exec(lines[at]!.text);
      if (underline !== null) {
        level = underline[1]!.startsWith("=") ? 1 : 2;
        break;
      }
      if (startsBlock(at) || isTable(at)) break;
      at++;
    }
    if (level === null) {
      add("paragraph", from, at);
    } else {
      title ??= lines
        .slice(from, at)
        .map(({ text: part }) => part.trim())
        .join(" ");
      at++;
      add("heading", from, at, level);
    }
  }
  return { blocks, title, facts: matter.facts };
}

interface FrontMatter {
  end: number;
  title: string | null;
  facts: DocumentFacts;
}

/**
 * YAML between lines of three dashes at the very top (as Jekyll, Hugo and others write it): skipped, but what it says of
 * the document is kept.
 */
function frontMatter(lines: Line[]): FrontMatter {
  const none = { end: 0, title: null, facts: {} };
  if (lines[0]?.text.trimEnd() !== "---") return none;
  const end = lines.findIndex(({ text }, index) => index > 0 && /^(---|\.\.\.)\s*$/.test(text));
  // A rule at the top of a text without front matter looks the same, but no key follows it.
  if (end === -1 || !lines.slice(1, end).some(({ text }) => /^[\w-]+\s*:/.test(text))) return none;
  const values = new Map<string, string>();
  for (const { text } of lines.slice(1, end)) {
    const [, key = "", value = ""] = /^([\w-]+)\s*:\s*(.+?)\s*$/.exec(text) ?? [];
    const name = key.toLowerCase();
    if (!values.has(name)) values.set(name, value.replace(/^(["'])(.*)\1$/, "$2"));
  }
  const one = (...names: string[]) => names.map((name) => values.get(name)).find((value) => value);
  // `[Ada, Bo]`; a list over several lines, a nested value and a block of text begin with a sign and are passed over.
  const author = one("author", "authors")
    ?.replace(/^\[(.*)\]$/, "$1")
    .replaceAll(/["']/g, "");
  const authored_at = one("date", "created");
  const modified_at = one("lastmod", "last_modified_at", "updated", "modified");
  const language = one("lang", "language");
  return {
    end: end + 1,
    title: one("title") ?? null,
    facts: {
      ...(author === undefined || /^[[{|>&*]/.test(author) ? {} : { author }),
      ...(authored_at === undefined ? {} : { authored_at }),
      ...(modified_at === undefined ? {} : { modified_at }),
      ...(language === undefined ? {} : { language }),
    },
  };
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  const ends = /\r\n|\n|\r/g;
  let start = 0;
  for (let match = ends.exec(text); match !== null; match = ends.exec(text)) {
    lines.push({ text: text.slice(start, match.index), start, end: match.index });
    start = match.index + match[0].length;
  }
  lines.push({ text: text.slice(start), start, end: text.length });
  return lines;
}
