/**
 * RTF: groups change the state, control words change it within their group, and the rest is text. What a group is for
 * (its destination) decides where its text goes.
 */
import iconv from "iconv-lite";
import type { DocumentFacts } from "../../../chunk.ts";
import { limitExceeded, malformed } from "../limits.ts";
import { linkText } from "../links.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import { codePage, fontCharsets, languages, SYMBOL_CHARSET, signs } from "./charsets.ts";
import { createParagraphs } from "./paragraphs.ts";
import { rtfTokens } from "./tokens.ts";

type Destination =
  | "text"
  | "skip"
  | "fonts"
  | "styles"
  | "instruction"
  | "label"
  | "note"
  | "title"
  | "author"
  | "time";

interface Group {
  destination: Destination;
  /** How many letters after a `\u` are for readers that don't know it. */
  fallback: number;
  font: number | undefined;
  hidden: boolean;
  /** Where a field's result, a note or a name began. */
  from: string[];
  instruction: string;
  isField: boolean;
}

const MOST_GROUPS = 5_000;

const destinations: Readonly<Record<string, Destination>> = {
  fonttbl: "fonts",
  stylesheet: "styles",
  fldinst: "instruction",
  listtext: "label",
  pntext: "label",
  footnote: "note",
  annotation: "note",
  title: "title",
  author: "author",
  creatim: "time",
  revtim: "time",
};
const skipped = new Set(
  "colortbl pict objdata objclass header headerl headerr headerf footer footerl footerr footerf ftnsep ftnsepc aftnsep xe tc rxe atnid atnauthor atnref bkmkstart bkmkend nonshppict listtable listoverridetable rsidtbl themedata datastore generator operator company subject keywords doccomm category manager comment printim buptim hlinkbase userprops xmlnstbl mmathPr filetbl revtbl template sn sv sp svb shpinst_ falt panose fontemb fontfile pnseclvl pgptbl latentstyles wgrffmtfilter htmltag mhtmltag".split(
    " ",
  ),
);
/** Marked as to be left out by those who don't know them; we do. */
const known = new Set("fldinst shptxt annotation shpinst shppict pn".split(" "));

export async function readRtf({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!/^\s*\{\\rtf/.test(buffer.toString("latin1", 0, 20))) throw malformed(filename, "it is no RTF");
  const builder = createTextBuilder();
  const paragraphs = createParagraphs(builder);
  const facts: DocumentFacts = {};
  const charsets = new Map<number, string | undefined>();
  const time: Record<string, number> = {};
  let title: string | undefined;
  let base = "windows-1252";
  let group: Group = {
    destination: "text",
    fallback: 1,
    font: undefined,
    hidden: false,
    from: [],
    instruction: "",
    isField: false,
  };
  const groups: Group[] = [];
  let out: string[] = paragraphs.main;
  const pending: { charset: string | undefined; bytes: Buffer[] } = { charset: base, bytes: [] };
  let skipLetters = 0;
  let optional = false;
  // A star counts only where a group begins.
  let fresh = false;
  let tableFont = 0;
  let styleNumber = 0;
  let notes = 0;

  const flush = () => {
    if (pending.bytes.length === 0) return;
    const data = Buffer.concat(pending.bytes);
    pending.bytes = [];
    out.push(pending.charset === undefined ? "•" : iconv.decode(data, pending.charset));
  };
  const write = (text: string) => {
    flush();
    if (isShown()) out.push(text);
  };
  const isShown = () => group.destination !== "skip" && group.destination !== "time" && !group.hidden;
  const charset = () =>
    group.font !== undefined && charsets.has(group.font) ? charsets.get(group.font) : base;

  const enter = (destination: Destination) => {
    flush();
    group.destination = destination;
    if (destination === "text" || destination === "skip") return;
    if (destination === "note") out.push(`[^${++notes}]`);
    group.from = out;
    out = [];
  };
  const leave = () => {
    flush();
    const text = out.join("");
    const ended = group;
    group = groups.pop()!;
    if (ended.destination === group.destination && ended.from === group.from) {
      if (ended.isField) {
        const result = out.splice(ended.isField ? fieldStart.pop()! : 0).join("");
        out.push(linkText(result, /HYPERLINK\s+"([^"]+)"/.exec(ended.instruction)?.[1]));
      }
      return;
    }
    if (ended.destination === "text" || ended.destination === "skip") return;
    out = ended.from;
    switch (ended.destination) {
      case "instruction":
        group.instruction += text;
        break;
      case "label":
        paragraphs.label(text);
        break;
      case "note":
        paragraphs.note(`[^${notes}]: ${text.replace(/\s+/g, " ").trim()}`);
        break;
      case "title":
        title = text.trim();
        break;
      case "author":
        if (text.trim() !== "") facts.author = text.trim();
        break;
    }
  };
  const fieldStart: number[] = [];

  let done = 0;
  for (const token of rtfTokens(buffer)) {
    if (token.type === "open") {
      if (groups.length >= MOST_GROUPS)
        throw limitExceeded(filename, `nests groups more than ${MOST_GROUPS} deep`);
      flush();
      groups.push(group);
      group = { ...group, instruction: "", isField: false };
      skipLetters = 0;
      fresh = true;
      continue;
    }
    const isFirst = fresh;
    fresh = false;
    if (token.type === "close") {
      if (groups.length === 0) break;
      leave();
      optional = false;
      skipLetters = 0;
      continue;
    }
    if (token.type === "bytes") {
      let data = token.bytes;
      if (skipLetters > 0) {
        const cut = Math.min(skipLetters, data.length);
        skipLetters -= cut;
        data = data.subarray(cut);
      }
      if (data.length === 0) continue;
      if (group.destination === "fonts") continue;
      if (group.destination === "styles") {
        paragraphs.style(styleNumber, data.toString("latin1"));
        continue;
      }
      if (!isShown()) continue;
      const now = charset();
      if (now !== pending.charset) flush();
      pending.charset = now;
      pending.bytes.push(data);
      continue;
    }
    const { word, value } = token;
    if (word === "*") {
      optional = isFirst;
      continue;
    }
    const isOptional = optional;
    optional = false;
    if (group.destination === "skip") continue;
    const destination = Object.hasOwn(destinations, word) ? destinations[word] : undefined;
    if (destination !== undefined && (group.destination === "text" || word === "fonttbl")) {
      enter(destination);
      continue;
    }
    if (skipped.has(word) || (isOptional && !known.has(word))) {
      enter("skip");
      continue;
    }
    switch (word) {
      case "ansicpg":
        if (value && iconv.encodingExists(codePage(value))) base = codePage(value);
        break;
      case "mac":
        base = "macintosh";
        break;
      case "pc":
        base = "cp437";
        break;
      case "pca":
        base = "cp850";
        break;
      case "deflang":
        if (value !== undefined && languages[value] !== undefined) facts.language ??= languages[value];
        break;
      case "f":
        flush();
        if (group.destination === "fonts") tableFont = value ?? 0;
        else group.font = value;
        break;
      case "fcharset":
        if (group.destination === "fonts" && value !== undefined) {
          if (value === SYMBOL_CHARSET) charsets.set(tableFont, undefined);
          else if (fontCharsets[value] !== undefined) charsets.set(tableFont, fontCharsets[value]);
        }
        break;
      case "plain":
        flush();
        group.font = undefined;
        group.hidden = false;
        break;
      case "v":
      case "deleted":
        flush();
        group.hidden = value !== 0;
        break;
      case "uc":
        group.fallback = value ?? 1;
        break;
      case "u":
        if (value !== undefined) write(String.fromCharCode(value & 0xffff));
        skipLetters = group.fallback;
        break;
      case "field":
        flush();
        group.isField = true;
        fieldStart.push(out.length);
        break;
      case "s":
        if (group.destination === "styles") styleNumber = value ?? 0;
        else if (group.destination === "text") paragraphs.useStyle(value ?? 0);
        break;
      case "yr":
      case "mo":
      case "dy":
      case "hr":
      case "min":
        if (group.destination === "time") time[word] = value ?? 0;
        break;
      default:
        if (Object.hasOwn(signs, word)) write(signs[word]!);
        else if (group.destination === "text") {
          flush();
          paragraphs.control(word, value);
        } else if (word === "par" || word === "cell") write(" ");
    }
    if (++done % 100_000 === 0) progress(0, bytes.byteLength);
  }
  flush();
  // Programs forget a brace now and then; but none ends without any.
  if (groups.length > 0 && !/\}[\s\0]*$/.test(buffer.toString("latin1", buffer.length - 64))) {
    throw malformed(filename, "it is cut off");
  }
  paragraphs.end();
  progress(bytes.byteLength, bytes.byteLength);
  const authored = timeOf(time);
  if (authored !== undefined) facts.authored_at = authored;
  return builder.finish(filename, { title: title || paragraphs.title(), facts });
}

function timeOf({ yr, mo, dy, hr = 0, min = 0 }: Record<string, number>): string | undefined {
  if (!yr || !mo || !dy || yr < 1980) return undefined;
  const two = (number: number) => String(number).padStart(2, "0");
  return `${yr}-${two(mo)}-${two(dy)}T${two(hr)}:${two(min)}`;
}
