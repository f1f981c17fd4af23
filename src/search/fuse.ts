/** Joins the halves of a search into one list, and keeps what each of them said. Pure. */
import { z } from "zod";
import type { IndexHit } from "../ports/vector-index.ts";

const placeSchema = z
  .object({
    rank: z.int().positive().describe("from 1, in that half alone"),
    score: z.number().describe("what that half gave; compares with no other half's, nor another search's"),
  })
  .nullable();
export const matchSchema = z
  .object({
    vector: placeSchema.describe("by meaning: the similarity of the vectors"),
    keyword: placeSchema.describe("by words: how well they match"),
  })
  .describe(
    "what each half found the hit at, before they were joined; null where it didn't, or wasn't asked",
  );
export type Match = z.infer<typeof matchSchema>;
export type HalfName = keyof Match;

/** A chunk that the index found, by one half or both. */
export interface MatchedHit extends IndexHit {
  match: Match;
}

export interface Half {
  name: HalfName;
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
export function fuse(halves: readonly Half[], depth: number): MatchedHit[] {
  const fused = new Map<string, MatchedHit>();
  for (const { name, hits, weight } of halves) {
    const highest = hits[0]?.score ?? 0;
    const last = hits.at(-1)?.score ?? 0;
    const lowest = hits.length < depth ? Math.min(0, last) : last;
    const seen = new Set<string>();
    for (const hit of hits) {
      if (seen.has(hit.chunk_id)) continue;
      seen.add(hit.chunk_id);
      const share = highest > lowest ? (hit.score - lowest) / (highest - lowest) : 1;
      const before = fused.get(hit.chunk_id);
      const score = (before?.score ?? 0) + weight * share;
      const place = { rank: seen.size, score: hit.score };
      fused.set(hit.chunk_id, { ...hit, score, match: { ...(before?.match ?? unmatched), [name]: place } });
    }
  }
  return [...fused.values()].sort(byScore);
}

const unmatched: Match = { vector: null, keyword: null };

/** One half's hits as they are, for a search that asks no other. */
export function alone(name: HalfName, hits: readonly IndexHit[]): MatchedHit[] {
  return hits.map((hit, place) => ({
    ...hit,
    match: { ...unmatched, [name]: { rank: place + 1, score: hit.score } },
  }));
}

/** Best first; equal scores in the order of their chunk ids, so that the same search gives the same order. */
export function byScore(a: IndexHit, b: IndexHit): number {
  if (a.score !== b.score) return b.score - a.score;
  return a.chunk_id < b.chunk_id ? -1 : a.chunk_id > b.chunk_id ? 1 : 0;
}
