/** The piece of a document's text that the chunker still needs, under the offsets of the whole text. */

/** Characters kept before what is needed: whether a word begins there is seen by the one before it. */
const BEFORE = 2;

export interface TextWindow {
  /** Offset of the first character of `text`. */
  readonly base: number;
  readonly text: string;
  /** Where the window ends. */
  readonly end: number;
  slice(start: number, end: number): string;
  append(text: string): void;
  /** Lets go of what lies before this offset. */
  dropBefore(start: number): void;
}

export function createWindow(): TextWindow {
  let base = 0;
  let text = "";
  return {
    get base() {
      return base;
    },
    get text() {
      return text;
    },
    get end() {
      return base + text.length;
    },
    slice: (start, end) => text.slice(start - base, end - base),
    append(more) {
      text += more;
    },
    dropBefore(start) {
      const from = Math.min(start - BEFORE, base + text.length);
      if (from <= base) return;
      text = text.slice(from - base);
      base = from;
    },
  };
}
