/** One collection, one embedder, every mode: what was found against what was judged. */
import { type SearchMode, searchModes } from "../src/search/search.ts";
import type { Collection } from "./collection.ts";
import type { Library } from "./library.ts";
import { averagePrecision, type Interval, interval, ndcg, recall } from "./metrics.ts";

/** As many as a search answers unless told otherwise: the order at the top is measured as users get it. */
const TOP = 10;
/** As many as it answers at most. */
const DEEP = 100;

/** By query, in the collection's order. */
export interface Scores {
  ndcg_10: number[];
  map_100: number[];
  recall_100: number[];
}

export async function evaluate(
  { queries, relevance }: Collection,
  library: Library,
  modes: readonly SearchMode[] = searchModes,
): Promise<Partial<Record<SearchMode, Scores>>> {
  const scores: Partial<Record<SearchMode, Scores>> = {};
  for (const mode of modes) {
    const own: Scores = { ndcg_10: [], map_100: [], recall_100: [] };
    for (const { id, text } of queries) {
      const judged = relevance.get(id) as Map<string, number>;
      const top = await library.ask(text, mode, TOP);
      const deep = await library.ask(text, mode, DEEP);
      own.ndcg_10.push(ndcg(top, judged, TOP));
      own.map_100.push(averagePrecision(deep, judged));
      own.recall_100.push(recall(deep, judged, DEEP));
    }
    scores[mode] = own;
  }
  return scores;
}

/** How much better one is than another, query by query. */
export function difference(one: readonly number[], other: readonly number[]): Interval {
  return interval(one.map((value, place) => value - (other[place] as number)));
}
