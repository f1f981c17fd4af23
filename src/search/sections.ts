/** From the small chunk that was found to the section that it stands in. */
import { z } from "zod";
import type { Chunk } from "../chunk.ts";
import type { DocumentStore } from "../ports/document-store.ts";

export const sectionSchema = z.object({
  text: z
    .string()
    .describe(
      "of neighbouring chunks of the section, none of it twice; white space between them is one or two characters",
    ),
  char_start: z.int().nonnegative().describe("into the document's text"),
  char_end: z.int().nonnegative().describe("end, exclusive"),
});
export type Section = z.infer<typeof sectionSchema>;

/** Chunks looked at on each side of a hit. */
const AROUND = 12;

/**
 * Gives hits their sections, as far as they are in the store and at most `max_tokens` of each, around the hit. Of hits
 * that stand in one section the first stays, which is the best.
 *
 * @param found the chunk that a hit is, and of how many chunks its version has: rows beyond may be left of an attempt
 *   that was cut short
 */
export async function expandHits<Hit>(
  documents: Pick<DocumentStore, "listChunks">,
  tenant_id: string,
  hits: readonly Hit[],
  found: (hit: Hit) => { chunk: Chunk; chunks: number },
  { top_k, max_tokens }: { top_k: number; max_tokens: number },
): Promise<(Hit & { section: Section })[]> {
  const expanded: (Hit & { section: Section })[] = [];
  for (const hit of hits) {
    if (expanded.length === top_k) break;
    const { chunk, chunks } = found(hit);
    const { document_id, version, ordinal } = chunk;
    const isShown = expanded.some(
      ({ section, ...other }) =>
        found(other as Hit).chunk.document_id === document_id &&
        section.char_start <= chunk.char_start &&
        section.char_end >= chunk.char_end,
    );
    if (isShown) continue;
    const from = Math.max(0, ordinal - AROUND);
    const to = Math.min(chunks, ordinal + 1 + AROUND);
    const near =
      chunk.section_start === null
        ? []
        : await documents.listChunks(tenant_id, document_id, version, from, to - from);
    expanded.push({ ...hit, section: joined(around(chunk, near, max_tokens)) });
  }
  return expanded;
}

/** The chunk and its neighbours in the section, nearest first, while they fit. In order. */
function around(chunk: Chunk, near: readonly Chunk[], max_tokens: number): Chunk[] {
  const byOrdinal = new Map(
    near
      .filter(({ section_start }) => section_start === chunk.section_start)
      .map((one) => [one.ordinal, one]),
  );
  const chosen = [chunk];
  let tokens = chunk.token_count;
  const take = (ordinal: number): Chunk | undefined => {
    const one = byOrdinal.get(ordinal);
    if (one === undefined || tokens + one.token_count > max_tokens) return undefined;
    tokens += one.token_count;
    return one;
  };
  let [before, after]: boolean[] = [true, true];
  for (let step = 1; before || after; step++) {
    const next = after ? take(chunk.ordinal + step) : undefined;
    if (next) chosen.push(next);
    else after = false;
    const previous = before ? take(chunk.ordinal - step) : undefined;
    if (previous) chosen.unshift(previous);
    else before = false;
  }
  return chosen;
}

function joined(chunks: readonly Chunk[]): Section {
  const [first] = chunks as [Chunk];
  let { text, char_end } = first;
  for (const chunk of chunks.slice(1)) {
    const gap = chunk.char_start - char_end;
    // Rows of a table and lines end in a line end; sentences of a paragraph in a space.
    const white = gap <= 0 ? "" : gap > 1 ? "\n\n" : chunk.header === null ? " " : "\n";
    text += white + chunk.text.slice(Math.max(0, -gap));
    char_end = chunk.char_end;
  }
  return { text, char_start: first.char_start, char_end };
}
