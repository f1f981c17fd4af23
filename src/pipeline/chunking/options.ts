/** What the chunker is told, and the budget that it makes of it. Pure. */
import type { ChunkStrategy } from "../../chunk.ts";
import { estimateTokens } from "../tokens.ts";

export interface ChunkOptions {
  /** The most tokens in one chunk, overlap and a repeated table header included. */
  max_tokens: number;
  /** Up to so many tokens of a chunk's end begin the next one of its section. More than half of max_tokens counts as half. */
  overlap_tokens: number;
  /** How tokens are counted; default `estimateTokens`. Should be cheap: every part is counted about twice. */
  count_tokens?: (text: string) => number;
  /** How a document is cut; default `structure`. */
  strategy?: ChunkStrategy;
  /** Whether the document's title and the headings above a chunk are embedded with it; default false. No chunk differs by it. */
  contextual_header?: boolean;
}

export interface Budget {
  max: number;
  overlap: number;
  count: (text: string) => number;
}

/** A chunk that ends at a paragraph must be at least this full, one that ends at a sentence half of that. */
export const FULL_ENOUGH = 0.5;

/** @throws RangeError when max_tokens is below 1 or overlap_tokens below 0 */
export function toBudget({
  max_tokens,
  overlap_tokens,
  count_tokens = estimateTokens,
}: ChunkOptions): Budget {
  if (!(max_tokens >= 1)) throw new RangeError(`max_tokens must be at least 1, not ${max_tokens}`);
  if (!(overlap_tokens >= 0))
    throw new RangeError(`overlap_tokens must be at least 0, not ${overlap_tokens}`);
  return {
    max: max_tokens,
    overlap: Math.min(overlap_tokens, Math.floor(max_tokens / 2)),
    count: count_tokens,
  };
}
