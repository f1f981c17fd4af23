/** How alike two texts are, as bags of words: neither order nor layout counts, nor case and punctuation. */

export interface Likeness {
  /** Harmonic mean of the other two; 1 for the same words the same number of times. */
  f1: number;
  /** Share of the other's words that are ours too. */
  recall: number;
  /** Share of our words that are the other's too. */
  precision: number;
}

/** @returns undefined where neither has a word */
export function likeness(ours: string, theirs: string): Likeness | undefined {
  const own = wordsOf(ours);
  const others = wordsOf(theirs);
  if (own.length === 0 && others.length === 0) return undefined;
  const left = new Map<string, number>();
  for (const word of others) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of own) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  return {
    f1: (2 * common) / (own.length + others.length),
    recall: others.length === 0 ? 0 : common / others.length,
    precision: own.length === 0 ? 0 : common / own.length,
  };
}

function wordsOf(text: string): string[] {
  const joined = text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[-\u00ad\u2010]\s*\n\s*/g, "")
    .replace(/\u00ad/g, "");
  return joined.match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
}
