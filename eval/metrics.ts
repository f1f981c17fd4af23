/** Figures of one ranking against what people judged, and how far a mean of them can be trusted. Pure. */

/** Document → how relevant it is to one query: 0 is not, 1 or more is. What is not in it was not judged relevant. */
export type Judgements = ReadonlyMap<string, number>;

/**
 * Normalised discounted cumulative gain of the first `depth` (Järvelin and Kekäläinen, 2002), with the grade as the gain:
 * what trec_eval calls ndcg_cut.
 */
export function ndcg(ranking: readonly string[], judged: Judgements, depth: number): number {
  const gainOf = (gains: readonly number[]) =>
    gains.slice(0, depth).reduce((sum, gain, place) => sum + gain / Math.log2(place + 2), 0);
  const ideal = gainOf([...judged.values()].sort((a, b) => b - a));
  return ideal === 0 ? 0 : gainOf(ranking.map((id) => judged.get(id) ?? 0)) / ideal;
}

/** Average precision: the mean, over all relevant documents, of the precision where each is found; 0 for those missing. */
export function averagePrecision(ranking: readonly string[], judged: Judgements): number {
  let found = 0;
  let sum = 0;
  for (const [place, id] of ranking.entries()) {
    if ((judged.get(id) ?? 0) <= 0) continue;
    found += 1;
    sum += found / (place + 1);
  }
  const relevant = relevantOf(judged);
  return relevant === 0 ? 0 : sum / relevant;
}

/** The share of the relevant documents among the first `depth`. */
export function recall(ranking: readonly string[], judged: Judgements, depth: number): number {
  const relevant = relevantOf(judged);
  const found = ranking.slice(0, depth).filter((id) => (judged.get(id) ?? 0) > 0).length;
  return relevant === 0 ? 0 : found / relevant;
}

function relevantOf(judged: Judgements): number {
  return [...judged.values()].filter((grade) => grade > 0).length;
}

export interface Interval {
  mean: number;
  low: number;
  high: number;
}

const RESAMPLES = 2_000;

/**
 * The mean over queries, and the interval that holds it in 95 of 100 resamples of the queries (percentile bootstrap).
 * The same values give the same interval. Of differences between two systems, query by query, an interval without 0 says
 * that one is better on queries like these.
 */
export function interval(values: readonly number[]): Interval {
  const random = createRandom(values.length);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let count = 0; count < values.length; count += 1) {
      sum += values[Math.floor(random() * values.length)] as number;
    }
    return sum / values.length;
  }).sort();
  const at = (share: number) => means[Math.round(share * (RESAMPLES - 1))] as number;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, low: at(0.025), high: at(0.975) };
}

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
