/** Joins ranked lists into one. Pure. */
import type { IndexHit } from "../ports/vector-index.ts";

/** How fast weight falls with rank; 60 is what the paper found to do well on many collections. */
const RANK_CONSTANT = 60;

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
 * Rank Learning Methods", 2009): a hit scores the sum of 1 / (60 + rank) over the lists it is in, ranks from 1. Only
 * ranks count, since scores of different methods do not compare.
 *
 * @param lists each with the best hit first; a chunk that comes twice in one list counts at its better rank
 * @returns every hit once, with its fused score, in the order of `byScore`
 */
export function fuse(lists: readonly (readonly IndexHit[])[]): IndexHit[] {
  const fused = new Map<string, IndexHit>();
  for (const list of lists) {
    const seen = new Set<string>();
    for (const [place, hit] of list.entries()) {
      if (seen.has(hit.chunk_id)) continue;
      seen.add(hit.chunk_id);
      const score = (fused.get(hit.chunk_id)?.score ?? 0) + 1 / (RANK_CONSTANT + place + 1);
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
