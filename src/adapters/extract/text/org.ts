/** Org mode: outline, lists, tables, blocks; what is for the editor alone (drawers, keywords, comments) is left out. */
import { decodeBytes } from "../charset.ts";
import { linkText } from "../links.ts";
import { addGrid } from "../table.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";
import { nextLine } from "./lines.ts";

const headline =
  /^(\*+)\s+(?:(?:TODO|DONE|NEXT|WAITING|CANCELLED|CANCELED)\s+)?(?:\[#[A-Z0-9]\]\s+)?(.*?)(?:\s+:[\w@#%:]+:)?\s*$/;
const item = /^(\s*)([-+]|\d+[.)]|[a-zA-Z][.)])\s+(?:\[@\d+\]\s*)?(?=\S)|^(\s+)(\*)\s+(?=\S)/;
const keyword = /^\s*#\+(\w+):\s*(.*)$/;
const closesDrawer = /^\s*:end:\s*$/i;
const blockStart = /^\s*#\+begin_(\w+)/i;

export async function readOrg({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const builder = createTextBuilder();
  const lines = decodeBytes(bytes).split(/\r\n?|\n/);
  const about: Record<string, string> = {};
  let firstHeading: string | null = null;
  let at = 0;
  /** Where the search for a drawer's end came to. */
  let drawerEnd = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = headline.exec(line);
    const block = blockStart.exec(line);
    if (line.trim() === "") at++;
    else if (heading !== null) {
      const text = orgInline(heading[2]!);
      firstHeading ??= text;
      builder.add("heading", text, { level: heading[1]!.length });
      at++;
    } else if (block !== null) {
      const name = block[1]!.toLowerCase();
      const closing = new RegExp(`^\\s*#\\+end_${name.replace(/\W/g, "")}`, "i");
      const found = nextLine(lines, at + 1, (one) => closing.test(one));
      const end = found === -1 ? lines.length : found;
      const content = lines.slice(at + 1, end).join("\n");
      if (name === "quote" || name === "verse") builder.add("quote", orgInline(content));
      else if (name === "src" || name === "example" || name === "export") builder.add("code", content);
      else if (name !== "comment") {
        for (const part of content.split(/\n\s*\n/)) builder.add("paragraph", orgInline(part));
      }
      at = end + 1;
    } else if (/^\s*:[\w-]+:\s*$/.test(line)) {
      // Not beyond the next headline: an end there is another drawer's.
      if (drawerEnd <= at) {
        const found = nextLine(lines, at + 1, (one) => closesDrawer.test(one) || headline.test(one));
        drawerEnd = found === -1 ? lines.length : found;
      }
      at = closesDrawer.test(lines[drawerEnd] ?? "") ? drawerEnd + 1 : at + 1;
    } else if (keyword.test(line)) {
      const [, key = "", value = ""] = keyword.exec(line)!;
      about[key.toLowerCase()] ??= value.trim();
      if (key.toLowerCase() === "caption") builder.add("paragraph", orgInline(value));
      at++;
    } else if (/^\s*#(\s|$)/.test(line) || /^\s*(CLOCK|DEADLINE|SCHEDULED|CLOSED):/.test(line)) at++;
    else if (/^\s*\|/.test(line)) {
      const rows: string[][] = [];
      for (; at < lines.length && /^\s*\|/.test(lines[at]!); at++) {
        const row = lines[at]!.trim();
        if (/^\|[-+]+\|?$/.test(row)) continue;
        rows.push(
          row
            .replace(/^\||\|$/g, "")
            .split("|")
            .map(orgInline),
        );
      }
      addGrid(builder, rows);
    } else if (/^\s*: /.test(line)) {
      const from = at;
      while (at < lines.length && /^\s*:( |$)/.test(lines[at]!)) at++;
      builder.add(
        "code",
        lines
          .slice(from, at)
          .map((one) => one.replace(/^\s*: ?/, ""))
          .join("\n"),
      );
    } else if (/^\[fn:[^\]]+\]/.test(line)) {
      const from = at++;
      while (at < lines.length && lines[at]!.trim() !== "" && !startsBlock(lines[at]!)) at++;
      const text = lines
        .slice(from, at)
        .join(" ")
        .replace(/^\[fn:([^\]]+)\]\s*/, "[^$1]: ");
      builder.add("footnote", orgInline(text));
    } else {
      const found = item.exec(line);
      const from = at++;
      while (at < lines.length && lines[at]!.trim() !== "" && !startsBlock(lines[at]!)) at++;
      const words = lines.slice(from, at);
      if (found === null) builder.add("paragraph", orgInline(words.map((one) => one.trim()).join("\n")));
      else {
        const indent = (found[1] ?? found[3] ?? "").length;
        const mark = found[2] ?? found[4]!;
        const text = [line.slice(found[0].length), ...words.slice(1)].map((one) => one.trim()).join(" ");
        const level = Math.min(8, Math.floor(indent / 2));
        builder.add(
          "list_item",
          `${"  ".repeat(level)}${/[-+*]/.test(mark) ? "-" : mark} ${orgInline(text)}`,
        );
      }
    }
  }
  progress(bytes.byteLength, bytes.byteLength);
  const authored = /\d{4}-\d\d-\d\d/.exec(about.date ?? "")?.[0];
  return builder.finish(filename, {
    title: about.title || firstHeading,
    facts: {
      ...(about.author ? { author: about.author } : {}),
      ...(authored === undefined ? {} : { authored_at: authored }),
      ...(about.language && /^[a-z]{2,3}(-\w+)?$/i.test(about.language) ? { language: about.language } : {}),
    },
  });
}

function startsBlock(line: string): boolean {
  return (
    headline.test(line) || item.test(line) || /^\s*(\||#|:\w+:\s*$|: )/.test(line) || /^\[fn:/.test(line)
  );
}

/** Words without their marks; links as Markdown has them. Every mark has a longest reach, or such texts take hours. */
function orgInline(source: string): string {
  return source
    .replace(/\[\[([^\][]{1,1000})\]\[([^\][]{1,1000})\]\]/g, (_, target: string, words: string) =>
      linkText(words, target),
    )
    .replace(/\[\[([^\][]{1,1000})\]\]/g, "$1")
    .replace(/\[fn:([\w-]+)\]/g, "[^$1]")
    .replace(/(^|[\s('"{-])([*/_=~+])(\S(?:[^\n]{0,300}?\S)?)\2(?=$|[\s.,;:!?'")}-])/g, "$1$3")
    .trim();
}
