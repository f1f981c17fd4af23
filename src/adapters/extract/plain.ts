/** Plain text, and everything that is read as such. Read line by line: a log may be as long as it likes. */
import { decodePieces, surveyText } from "./charset.ts";
import { countedPieces } from "./input.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";

const listItem = /^\s*(?:[-*•‣◦–]|\(?(?:\d{1,3}|[a-z])[.)])\s+\S/i;
const lineEnds = /\r\n?|\x85|\u2028|\u2029/g;

/** A paragraph that is longer is cut at the end of a line, else of a word, and goes on in the next block. */
const LONGEST = 32 * 1024;

/** Paragraphs are parted by blank lines, pages by form feeds. Without a form feed there are no pages. */
export async function readPlainText(input: ReaderInput) {
  const { filename, progress, size_bytes } = input;
  progress(0, size_bytes);
  const { charset, hasFormFeeds } = await surveyText(input.pieces);
  const builder = createTextBuilder(input);
  const pages = { now: 1, lastWithText: 0 };
  const paragraph = createParagraph((kind, text, joint) => {
    pages.lastWithText = pages.now;
    const place = hasFormFeeds ? { page: pages.now } : {};
    builder.add(kind, text, joint === undefined ? place : { ...place, joint });
  });
  /** Whether the line's beginning has been written already. */
  let midLine = false;

  function write(text: string, isLineEnd: boolean): void {
    const stretches = hasFormFeeds ? text.split("\f") : [text];
    for (const [index, stretch] of stretches.entries()) {
      if (index > 0) {
        paragraph.end();
        pages.now += 1;
        midLine = false;
      }
      if (midLine || stretch.trim() !== "") paragraph.write(stretch, !midLine);
      else if (isLineEnd && index === stretches.length - 1) paragraph.end();
      midLine ||= stretch !== "";
    }
    if (isLineEnd) midLine = false;
  }

  let open = "";
  let done = 0;
  const counted = countedPieces(input, (bytes) => {
    done = bytes;
  });
  for await (const piece of decodePieces(counted, charset)) {
    const lines = (open + piece.replace(lineEnds, "\n")).split("\n");
    open = lines.pop()!;
    for (const line of lines) write(line, true);
    if (open.length > LONGEST) {
      write(open, false);
      open = "";
    }
    progress(done, size_bytes);
    await builder.handOver();
  }
  write(open, true);
  paragraph.end();
  progress(size_bytes, size_bytes);
  if (!hasFormFeeds || pages.now === 1) return builder.finish(filename);
  // A form feed at the very end closes the last page; it opens none.
  const last = pages.lastWithText < pages.now ? pages.now - 1 : pages.now;
  return builder.finish(filename, { page_count: last });
}

/** Gathers lines to paragraphs, and lets go of long ones before they end. */
function createParagraph(
  add: (kind: "list_item" | "paragraph", text: string, joint: "\n" | "" | undefined) => void,
) {
  let held = "";
  let kind: "list_item" | "paragraph" | undefined;
  /** What lies before the next block, where the paragraph has begun in one before. */
  let joint: "\n" | "" | undefined;

  function release(end: number, after: "\n" | ""): void {
    const text = held.slice(0, end);
    kind ??= listItem.test(text) ? "list_item" : "paragraph";
    add(kind, text, joint);
    joint = after;
    held = held.slice(end + after.length);
  }

  return {
    write(text: string, isNewLine: boolean): void {
      held += isNewLine && held !== "" ? `\n${text}` : text;
      while (held.length > LONGEST) {
        const line = held.lastIndexOf("\n", LONGEST);
        if (line > 0) release(line, "\n");
        else release(wordEnd(held, LONGEST), "");
      }
    },
    end(): void {
      if (held.trim() !== "") release(held.length, "\n");
      held = "";
      kind = undefined;
      joint = undefined;
    },
  };
}

/** The end of the last word before a place, else that place, but never inside a surrogate pair. */
function wordEnd(text: string, end: number): number {
  for (let at = end; at > end / 2; at--) if (/\s/.test(text[at]!)) return at;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
