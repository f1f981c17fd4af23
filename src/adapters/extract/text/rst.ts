/** reStructuredText (docutils): headings by their underlines, lists, tables, code, notes; directives by what they hold. */
import { decodeBytes } from "../charset.ts";
import { createTextBuilder, type ReaderInput, type TextBuilder } from "../text-builder.ts";
import { nextLine } from "./lines.ts";
import { rstInline } from "./rst-inline.ts";
import { addRstTable, isTableStart, tableEnd } from "./rst-tables.ts";

interface Reading {
  builder: TextBuilder;
  /** Kinds of underlines in the order they came: the first is the first level. */
  adornments: string[];
  facts: { author?: string; authored_at?: string };
  title: string | null;
}

const adornment = /^([!-/:-@[-`{-~])\1{2,}\s*$/;
const bullet = /^(\s*)([-*+•‣⁃])\s+(?=\S)/;
const enumerated = /^(\s*)(\(?(?:\d{1,3}|#|[a-zA-Z]|[ivxIVX]{1,5})[.)])\s+(?=\S)/;
const field = /^:([\w][\w -]*):(?:\s+(.*))?$/;
const directive = /^\.\. +([\w:-]+)::\s*(.*)$/;
const MOST_DEPTH = 20;

const codes =
  /^(code|code-block|sourcecode|literalinclude|parsed-literal|prompt|highlight|math|doctest|testcode|productionlist)$/;
/** What these hold is not for readers. */
const silent =
  /^(toctree|image|raw|include|contents|index|only|meta|default-role|role|currentmodule|module|automodule|autoclass|autofunction|autosummary|sectnum|target-notes|tabularcolumns|rst-class|class|container-class|replace|unicode|date|bibliography|graphviz|digraph)$/;

export async function readRst({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const builder = createTextBuilder();
  const reading: Reading = { builder, adornments: [], facts: {}, title: null };
  const lines = decodeBytes(bytes)
    .split(/\r\n?|\n/)
    .map((line) => line.replace(/\t/g, "        ").trimEnd());
  addBody(reading, lines, 0);
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { title: reading.title, facts: reading.facts });
}

function addBody(reading: Reading, lines: string[], depth: number): void {
  const { builder } = reading;
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line === "") {
      at++;
      continue;
    }
    const heading = headingAt(reading, lines, at);
    if (heading > at) {
      at = heading;
    } else if (isTableStart(lines, at)) {
      const end = tableEnd(lines, at);
      addRstTable(builder, lines.slice(at, end));
      at = end;
    } else if (adornment.test(line) && line.length >= 4) {
      at++; // A rule between parts.
    } else if (/^\.\.( |$)/.test(line)) {
      const end = indentedEnd(lines, at + 1, 1);
      addExplicit(reading, lines.slice(at, end), depth);
      at = end;
    } else if (bullet.test(line) || enumerated.test(line)) {
      at = addItem(reading, lines, at, depth);
    } else if (field.test(line)) {
      const end = indentedEnd(lines, at + 1, 1);
      addField(reading, lines.slice(at, end));
      at = end;
    } else if (line.startsWith(" ")) {
      const end = indentedEnd(lines, at, 1);
      if (depth < MOST_DEPTH) addQuote(reading, dedented(lines.slice(at, end)));
      at = end;
    } else {
      at = addParagraph(reading, lines, at, depth);
    }
  }
}

/** @returns the line after the heading, or `at` where none begins */
function headingAt(reading: Reading, lines: string[], at: number): number {
  const [first = "", second = "", third = ""] = lines.slice(at, at + 3);
  let words: string;
  let kind: string;
  let end: number;
  if (adornment.test(first) && second.trim() !== "" && third === first) {
    words = second.trim();
    kind = `${first[0]}${first[0]}`;
    end = at + 3;
  } else if (!first.startsWith(" ") && adornment.test(second) && second.length >= Math.min(first.length, 4)) {
    if (adornment.test(first)) return at;
    words = first;
    kind = first === "" ? "" : second[0]!;
    end = at + 2;
  } else return at;
  if (!reading.adornments.includes(kind)) reading.adornments.push(kind);
  const text = rstInline(words);
  reading.title ??= text;
  reading.builder.add("heading", text, { level: Math.min(9, reading.adornments.indexOf(kind) + 1) });
  return end;
}

/** The end of lines that are indented by at least so much, blank ones among them. */
function indentedEnd(lines: string[], from: number, least: number): number {
  let end = from;
  for (let at = from; at < lines.length; at++) {
    const line = lines[at]!;
    if (line === "") continue;
    if (line.search(/\S/) < least) break;
    end = at + 1;
  }
  return Math.max(end, from);
}

function dedented(lines: string[]): string[] {
  const indents = lines.filter((line) => line !== "").map((line) => line.search(/\S/));
  const indent = indents.reduce((least, one) => Math.min(least, one), Number.POSITIVE_INFINITY);
  return lines.map((line) => line.slice(Math.min(indent, line.length)));
}

function addParagraph(reading: Reading, lines: string[], from: number, depth: number): number {
  const { builder } = reading;
  let at = from;
  const words: string[] = [];
  while (at < lines.length && lines[at] !== "" && !(at > from && lines[at]!.startsWith(" ")))
    words.push(lines[at++]!);
  const isTerm = words.length === 1 && at < lines.length && lines[at] !== "";
  const text = words.join("\n");
  const announces = text.endsWith("::");
  const shown = rstInline(announces ? text.replace(/\s*::$/, (mark) => (/^\s/.test(mark) ? "" : ":")) : text);
  builder.add("paragraph", shown === ":" ? "" : shown);
  const next = announces ? nextLine(lines, at, (line) => line !== "") : -1;
  if (next !== -1 && lines[next]!.startsWith(" ")) {
    const end = indentedEnd(lines, at, 1);
    builder.add("code", dedented(lines.slice(next, end)).join("\n"));
    return end;
  }
  if (isTerm && depth < MOST_DEPTH) {
    const end = indentedEnd(lines, at, 1);
    addBody(reading, dedented(lines.slice(at, end)), depth + 1);
    return end;
  }
  return at;
}

function addItem(reading: Reading, lines: string[], from: number, depth: number, level = 0): number {
  const found = (bullet.exec(lines[from]!) ?? enumerated.exec(lines[from]!))!;
  const indent = found[0].length;
  const outer = found[1]!.length;
  const end = indentedEnd(lines, from + 1, outer + 1);
  const inner = dedented([" ".repeat(indent) + lines[from]!.slice(indent), ...lines.slice(from + 1, end)]);
  let stop = inner.findIndex(
    (line, index) => index > 0 && (line === "" || bullet.test(line) || /^\.\. /.test(line)),
  );
  if (stop === -1) stop = inner.length;
  const mark = bullet.test(lines[from]!) ? "-" : found[2]!;
  const words = inner.slice(0, stop).join("\n");
  const text = rstInline(words.replace(/\s*::$/, ":")).replace(/\s*\n\s*/g, " ");
  reading.builder.add("list_item", `${"  ".repeat(level)}${mark} ${text}`);
  if (words.endsWith("::")) {
    reading.builder.add("code", dedented(inner.slice(stop)).join("\n"));
    return end;
  }
  let at = stop;
  while (at < inner.length && depth < MOST_DEPTH) {
    if (inner[at] === "") at++;
    else if (bullet.test(inner[at]!) || enumerated.test(inner[at]!))
      at = addItem(reading, inner, at, depth + 1, level + 1);
    else {
      const rest = nextLine(inner, at + 1, (line) => bullet.test(line) || enumerated.test(line));
      const until = rest === -1 ? inner.length : rest;
      addBody(reading, dedented(inner.slice(at, until)), depth + 1);
      at = until;
    }
  }
  return end;
}

function addField({ builder, facts }: Reading, lines: string[]): void {
  const [, name = "", first = ""] = field.exec(lines[0]!)!;
  const value = rstInline([first, ...dedented(lines.slice(1))].join(" ").replace(/\s+/g, " ").trim());
  if (/^authors?$/i.test(name) && value !== "") facts.author ??= value;
  else if (/^date$/i.test(name) && /^\d{4}(-\d\d){0,2}$/.test(value)) facts.authored_at ??= value;
  builder.add("paragraph", value === "" ? "" : `${name}: ${value}`);
}

function addQuote({ builder }: Reading, lines: string[]): void {
  const parts = lines.join("\n").split(/\n{2,}/);
  for (const part of parts) {
    const isItem = bullet.test(part) || enumerated.test(part);
    builder.add(isItem ? "list_item" : "quote", rstInline(part));
  }
}

/** Comments, targets, footnotes, directives: what begins with two dots. */
function addExplicit(reading: Reading, lines: string[], depth: number): void {
  const { builder } = reading;
  const note = /^\.\. +\[([^\]]+)\]\s*(.*)$/.exec(lines[0]!);
  if (note !== null) {
    const words = [note[2]!, ...dedented(lines.slice(1))].join(" ").replace(/\s+/g, " ");
    builder.add("footnote", `[^${note[1]!.replace(/^#/, "") || "#"}]: ${rstInline(words.trim())}`);
    return;
  }
  const found = directive.exec(lines[0]!);
  if (found === null || depth >= MOST_DEPTH) return;
  const [, name = "", argument = ""] = found;
  if (silent.test(name)) return;
  const body = dedented(lines.slice(1));
  let from = 0;
  while (from < body.length && field.test(body[from]!)) from++;
  const content = body.slice(from);
  if (codes.test(name)) {
    const inline = name === "math" && argument !== "" ? `${argument}\n` : "";
    builder.add("code", inline + dedented(content).join("\n"));
  } else if (name === "list-table") {
    builder.add("paragraph", rstInline(argument));
    addRstTable(builder, content, "list");
  } else if (name === "csv-table") {
    builder.add("paragraph", rstInline(argument));
    const header = /^:header:\s*(.*)$/.exec(body.find((line) => line.startsWith(":header:")) ?? "")?.[1];
    addRstTable(builder, header === undefined ? content : [header, ...content], "csv");
  } else if (name === "figure") {
    addBody(reading, content, depth + 1);
  } else if (name === "table" || name === "rubric" || name === "topic" || name === "sidebar") {
    builder.add("paragraph", rstInline(argument));
    addBody(reading, content, depth + 1);
  } else {
    // Admonitions and whatever else programs add: their name tells the reader what follows.
    const label = name
      .split(":")
      .at(-1)!
      .replace(/^./, (letter) => letter.toUpperCase());
    const own = content[0] !== undefined && content[0] !== "" && from === 0 ? leading(content) : 0;
    const words = [argument, ...content.slice(0, own)].filter((part) => part !== "").join(" ");
    builder.add("paragraph", words === "" ? `${label}:` : `${label}: ${rstInline(words)}`);
    addBody(reading, content.slice(own), depth + 1);
  }
}

/** How many lines the first paragraph takes; 0 where something else begins. */
function leading(lines: string[]): number {
  if (bullet.test(lines[0]!) || enumerated.test(lines[0]!) || isTableStart(lines, 0)) return 0;
  const end = lines.indexOf("");
  const stop = end === -1 ? lines.length : end;
  return lines.slice(0, stop).some((line) => line.startsWith(" ") || /^\.\. /.test(line)) ? 0 : stop;
}
