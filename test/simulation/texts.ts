/** What the simulated clients upload, and what must become of it. */

import { createHash } from "node:crypto";
import { bytesInput } from "../../src/adapters/extract/input.ts";
import { readPlainText } from "../../src/adapters/extract/plain.ts";
import { type ChunkOptions, chunkText } from "../../src/pipeline/chunker.ts";

export const chunking: ChunkOptions = { max_tokens: 24, overlap_tokens: 0 };

/** How reading a text goes: well, well at the third try, never, or it takes down what reads it. */
export const kinds = ["good", "flaky", "damaged", "poison"] as const;
export type Kind = (typeof kinds)[number];

export interface Source {
  kind: Kind;
  /** Editions of one name share most of their chunks; texts of two names share none. */
  name: string;
  text: string;
  sha256: string;
}

/**
 * Up to six paragraphs that are a chunk each, all with the word "quartz"; of one name and edition, always the same.
 * An edition differs from the one before in a paragraph, and every third has one more in front.
 */
export function makeSource(kind: Kind, name: string, edition = 0): Source {
  const full = `${name} ${kind}`;
  const letters = [...full].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const size = 1 + (letters % 6);
  const paragraphs = Array.from({ length: size }, (_, place) => {
    const changed = edition > 0 && place === edition % size ? `edition ${edition}` : `paragraph ${place}`;
    return `The ${changed} of ${full} tells of quartz, in words enough here.`;
  });
  if (edition % 3 === 2) paragraphs.unshift(`First of all, ${full} tells of quartz.`);
  const text = paragraphs.join("\n\n");
  return { kind, name: full, text, sha256: createHash("sha256").update(text).digest("hex") };
}

/** The files inside a document of this text: every third good one holds two, and those hold none. */
export function insideOf(text: string): Source[] {
  const number = Number.parseInt(createHash("sha256").update(text).digest("hex").slice(0, 8), 16);
  if (!text.includes(" good ") || text.includes(" inside ") || number % 3 !== 0) return [];
  const kind = kinds[number % 24] ?? "good";
  return [makeSource("good", `x inside ${number % 5}`), makeSource(kind, `y inside ${number % 7}`)];
}

/** @throws Error for a text that `makeSource` did not make */
export function kindOf(text: string): Kind {
  const kind = kinds.find((each) => text.includes(` ${each} `));
  if (kind === undefined) throw new Error(`of no kind: ${text.slice(0, 80)}`);
  return kind;
}

const known = new Map<string, Promise<string[]>>();

/** The chunks' texts that a text comes to when nothing goes wrong. */
export function chunksOf(text: string): Promise<string[]> {
  let chunks = known.get(text);
  if (!chunks) {
    chunks = readPlainText(bytesInput(Buffer.from(text), "a.txt")).then((extracted) => {
      const texts = chunkText(extracted, chunking).map((draft) => draft.text);
      // What finds one finds all: a search for the word is a search for everything.
      if (texts.some((each) => !each.includes("quartz"))) throw new Error(`torn apart: ${texts.join(" | ")}`);
      return texts;
    });
    if (known.size > 10_000) known.clear();
    known.set(text, chunks);
  }
  return chunks;
}
