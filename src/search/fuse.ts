/** Joins the two halves of a hybrid search into one list. Pure. */
import type { IndexHit } from "../ports/vector-index.ts";

export interface Half {
  /** Best first. */
  hits: readonly IndexHit[];
  /** What the best hit of this half gets for being that. */
  weight: number;
}

/**
 * A convex combination of the halves' scores, each brought to 0 … 1 first (Bruch, Gai and Ingber, "An Analysis of Fusion
 * Functions for Hybrid Retrieval", 2023): a hit scores, over the halves it is in, the sum of the half's weight times
 * where its score lies between the half's lowest and its highest. Unlike ranks alone, that tells a best hit by far from
 * one among equals; and unlike scores as they are, it doesn't hang on which model makes the vectors. The evidence is in
 * docs/decisions/0007-ranking.md.
 *
 * @param depth how many hits each half was asked for. What a full list leaves out scores less than its last hit; what a
 *   shorter one leaves out doesn't match at all, and so 0 is the lowest
 * @returns every hit once, with its fused score, in the order of `byScore`
 */
export function fuse(halves: readonly Half[], depth: number): IndexHit[] {
  const fused = new Map<string, IndexHit>();
  for (const { hits, weight } of halves) {
    const highest = hits[0]?.score ?? 0;
    const last = hits.at(-1)?.score ?? 0;
    const lowest = hits.length < depth ? Math.min(0, last) : last;
    const seen = new Set<string>();
    for (const hit of hits) {
      if (seen.has(hit.chunk_id)) continue;
      seen.add(hit.chunk_id);
      const share = highest > lowest ? (hit.score - lowest) / (highest - lowest) : 1;
      const score = (fused.get(hit.chunk_id)?.score ?? 0) + weight * share;
      fused.set(hit.chunk_id, { ...hit, score });
    }
  }
  return [...fused.values()].sort(byScore);
}

/** Best first; equal scores in the order of their chunk ids, so that the same search gives the same order. */
export function byScore(a: IndexHit, b: IndexHit): number {
  if (a.score !== b.score) return b.score - a.score;
  return a.chunk_id < b.chunk_id ? -1 : a.chunk_id > b.chunk_id ? 1 : 0;
}
