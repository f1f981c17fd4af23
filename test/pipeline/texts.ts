/** Texts with blocks, made for the chunker. */
import type { Block, ExtractedText } from "../../src/chunk.ts";

export type Part = [kind: Block["kind"], text: string, level?: number, page?: number];

export function document(parts: Part[], separator = "\n\n"): ExtractedText {
  const blocks: Block[] = [];
  let text = "";
  for (const [kind, body, level, page] of parts) {
    if (text !== "") text += separator;
    blocks.push({
      kind,
      level: kind === "heading" ? (level ?? 1) : null,
      page: page ?? null,
      char_start: text.length,
      char_end: text.length + body.length,
    });
    text += body;
  }
  return { text, blocks, page_count: null, title: null };
}

export const words = (count: number, word = "word") =>
  Array.from({ length: count }, (_, i) => `${word}${i}`).join(" ");
export const byWords = (text: string) => text.split(/\s+/).filter((word) => word !== "").length;
