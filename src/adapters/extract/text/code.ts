/**
 * Source code and files like it. The text is the source itself, so that offsets point into the file. A block is a
 * function, a class, or whatever else stands between blank lines at the left edge.
 */
import type { Block } from "../../../chunk.ts";
import { decodeBytes } from "../charset.ts";
import { limits } from "../limits.ts";
import { readPlainText } from "../plain.ts";
import { finishText, type ReaderInput } from "../text-builder.ts";

/** Closes what was opened at the left edge: it belongs to the block above. */
const closing = /^[)\]}>]|^(end|fi|done|esac|else|elif|except|finally|catch)\b|^<\//;

export async function readCode(input: ReaderInput) {
  // Nobody wrote that by hand: a dump, to be read piece by piece.
  if (input.size_bytes > limits.wholeBytes) return readPlainText(input);
  const { bytes, filename, progress } = input;
  progress(0, bytes.byteLength);
  const text = decodeBytes(bytes);
  const blocks: Block[] = [];
  let start: number | undefined;
  let end = 0;
  let blank = true;
  const close = () => {
    if (start !== undefined) {
      blocks.push({ kind: "code", level: null, page: null, char_start: start, char_end: end });
    }
    start = undefined;
  };
  for (const { index, 0: line } of text.matchAll(/[^\n]+/g)) {
    const words = line.trimEnd();
    const gap = text.slice(end, index);
    blank = start === undefined || /\n[^\S\n]*\n|\n\r\n/.test(gap) || gap.split("\n").length > 2;
    if (words === "") continue;
    if (blank && !/^\s/.test(words) && !closing.test(words)) close();
    start ??= index;
    end = index + words.length;
  }
  close();
  progress(bytes.byteLength, bytes.byteLength);
  return finishText(filename, { text, blocks, page_count: null, title: null });
}
