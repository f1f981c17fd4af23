/** What the simulated clients upload, and what must become of it. */
import { readPlainText } from "../../src/adapters/extract/plain.ts";
import { type ChunkOptions, chunkText } from "../../src/pipeline/chunker.ts";

export const chunking: ChunkOptions = { max_tokens: 24, overlap_tokens: 0 };

export type Kind = "good" | "damaged" | "poison";

/** Up to six paragraphs that are a chunk each, all with the word "quartz"; of one name, always the same ones. */
export function makeText(kind: Kind, name: string): string {
  const head = kind === "good" ? "" : `${kind}\n\n`;
  const letters = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return (
    head +
    Array.from(
      { length: 1 + (letters % 6) },
      (_, place) =>
        `Paragraph ${place} of ${name} tells of quartz, in words enough that no other fits beside it here.`,
    ).join("\n\n")
  );
}

const known = new Map<string, Promise<string[]>>();

/** The chunks' texts that a text comes to when nothing goes wrong. */
export function chunksOf(text: string): Promise<string[]> {
  let chunks = known.get(text);
  if (!chunks) {
    chunks = readPlainText({ bytes: Buffer.from(text), filename: "a.txt", progress: () => {} }).then(
      (extracted) => chunkText(extracted, chunking).map((draft) => draft.text),
    );
    if (known.size > 10_000) known.clear();
    known.set(text, chunks);
  }
  return chunks;
}
