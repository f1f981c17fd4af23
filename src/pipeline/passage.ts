/** What of a chunk is embedded: its text, the header of its table, and where wanted what stands above it. Pure. */
import { type Chunk, passageOf } from "../chunk.ts";

/** What all chunks of a version are embedded with, beside their own headings. */
export interface ContextualHeader {
  title: string | null;
}

/** So much of a text, in letters, is looked at for what it says itself. */
const OPENING = 600;

/**
 * @param context where given, the document's title and the chunk's headings come first, in a line of their own: those
 *   that neither the text's beginning nor another of them says
 */
export function embeddedText(
  chunk: Pick<Chunk, "header" | "text" | "heading_path">,
  context: ContextualHeader | undefined,
): string {
  const passage = passageOf(chunk);
  if (context === undefined) return passage;
  const { title } = context;
  const opening = folded(chunk.text.slice(0, OPENING));
  const above: string[] = [];
  const said = [opening];
  // From the heading next to the text outwards: of two that say the same, the nearer one stays.
  for (const one of [...(title === null ? [] : [title]), ...chunk.heading_path].reverse()) {
    const words = folded(one);
    if (words === "  " || said.some((text) => text.includes(words))) continue;
    said.push(words);
    above.unshift(one.replace(/\s+/g, " ").trim());
  }
  return above.length === 0 ? passage : `${above.join(" › ")}\n${passage}`;
}

/** Words in small letters between single spaces, one at each end too. */
function folded(text: string): string {
  return ` ${text
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, " ")
    .trim()} `;
}
