import { describe, expect, test } from "vitest";
import { difference } from "../../eval/evaluate.ts";
import { averagePrecision, interval, ndcg, recall } from "../../eval/metrics.ts";

/** a and c are relevant, b very; d was looked at and is not. */
const judged = new Map([
  ["a", 1],
  ["b", 2],
  ["c", 1],
  ["d", 0],
]);

describe("the figures of one ranking, against values worked out by hand", () => {
  test("nDCG: grades over the logarithm of the place, of the best there could be", () => {
    // Found: 1 / log2(2) at place 1, 2 / log2(4) at place 3. Best: 2 / log2(2) + 1 / log2(3) + 1 / log2(4).
    const best = 2 + 1 / Math.log2(3) + 0.5;
    expect(ndcg(["a", "d", "b"], judged, 10)).toBeCloseTo(2 / best, 10);
    expect(ndcg(["b", "a", "c"], judged, 10)).toBe(1);
    expect(ndcg(["b", "c", "a", "x"], judged, 10)).toBe(1);
    expect(ndcg(["x", "d"], judged, 10)).toBe(0);
    expect(ndcg([], judged, 10)).toBe(0);
  });

  test("nDCG looks no deeper than it is told, at what could be found there neither", () => {
    expect(ndcg(["x", "b"], judged, 1)).toBe(0);
    expect(ndcg(["a"], judged, 1)).toBe(0.5);
    expect(ndcg(["b"], judged, 1)).toBe(1);
  });

  test("average precision: precision at each relevant document, over all of them", () => {
    // 1/1 and 2/3 of three relevant ones.
    expect(averagePrecision(["a", "d", "b"], judged)).toBeCloseTo((1 + 2 / 3) / 3, 10);
    expect(averagePrecision(["x", "x2", "c"], judged)).toBeCloseTo(1 / 9, 10);
    expect(averagePrecision(["c", "b", "a"], judged)).toBe(1);
    expect(averagePrecision([], judged)).toBe(0);
  });

  test("recall: the share of the relevant ones", () => {
    expect(recall(["a", "d", "b"], judged, 100)).toBeCloseTo(2 / 3, 10);
    expect(recall(["d", "a", "b"], judged, 2)).toBeCloseTo(1 / 3, 10);
    expect(recall(["x"], judged, 100)).toBe(0);
  });

  test("a query for which nothing is relevant counts 0, not NaN", () => {
    const none = new Map([["d", 0]]);
    for (const value of [ndcg(["d"], none, 10), averagePrecision(["d"], none), recall(["d"], none, 10)]) {
      expect(value).toBe(0);
    }
  });
});

describe("the interval of a mean", () => {
  test("holds the mean, and is as wide as the normal distribution has it", () => {
    const values = Array.from({ length: 400 }, (_, place) => place % 2);
    const { mean, low, high } = interval(values);
    expect(mean).toBe(0.5);
    // 1.96 standard errors: 1.96 · 0.5 / √400 = 0.049 to each side.
    expect(0.5 - low).toBeCloseTo(0.049, 2);
    expect(high - 0.5).toBeCloseTo(0.049, 2);
    expect(interval(values)).toEqual({ mean, low, high });
  });

  test("of equal values is no interval", () => {
    expect(interval([0.25, 0.25, 0.25])).toEqual({ mean: 0.25, low: 0.25, high: 0.25 });
  });

  test("a difference is taken query by query: what varies with the query alone drops out", () => {
    const { mean, low, high } = difference([0.9, 0.1, 0.5], [0.8, 0, 0.4]);
    for (const value of [mean, low, high]) expect(value).toBeCloseTo(0.1, 10);
  });
});
