/** The headings above a place in a document. */

export interface Outline {
  enter(level: number, source: string): void;
  /** Outermost first; headings without a word are left out. */
  path(): string[];
}

export function createOutline(): Outline {
  const stack: { level: number; title: string }[] = [];
  let path: string[] = [];
  return {
    enter(level, source) {
      while (stack.length > 0 && stack.at(-1)!.level >= level) stack.pop();
      stack.push({ level, title: titleOf(source) });
      path = stack.map(({ title }) => title).filter((title) => title !== "");
    },
    path: () => path,
  };
}

/** A heading's words alone: Markdown keeps its marks in the text. */
function titleOf(source: string): string {
  return source
    .replace(/\n[ \t]*(=+|-+)\s*$/, "")
    .replace(/^\s*#{1,6}(?=\s)/, "")
    .replace(/\s#+\s*$/, "")
    .replace(/\s+/g, " ")
    .trim();
}
