import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IndexHit } from "../../src/ports/vector-index.ts";
import { alone, fuse, type Half, type HalfName } from "../../src/search/fuse.ts";

const hit = (chunk_id: string, score = 1): IndexHit => ({
  chunk_id,
  document_id: "doc_1",
  version: 1,
  score,
});
const half = (weight: number, scores: Record<string, number>, name: HalfName = "vector"): Half => ({
  name,
  weight,
  hits: Object.entries(scores).map(([id, score]) => hit(id, score)),
});
const ids = (hits: IndexHit[]) => hits.map(({ chunk_id }) => chunk_id);

describe("fuse", () => {
  test("sums what each half gives, between its lowest and its highest score", () => {
    const fused = fuse([half(0.4, { a: 0.9, b: 0.8, c: 0.7 }), half(0.6, { c: 12, a: 6, d: 2 })], 3);
    expect(ids(fused)).toEqual(["a", "c", "b", "d"]);
    const scores = Object.fromEntries(fused.map(({ chunk_id, score }) => [chunk_id, score]));
    expect(scores.a).toBeCloseTo(0.4 + 0.6 * 0.4, 10);
    expect(scores.b).toBeCloseTo(0.2, 10);
    expect(scores.c).toBeCloseTo(0.6, 10);
    expect(scores.d).toBe(0);
  });

  test("prefers what both halves find in the middle to what one finds at the top", () => {
    const fused = fuse([half(0.5, { v: 0.9, both: 0.8, x: 0.6 }), half(0.5, { k: 9, both: 8, y: 6 })], 3);
    expect(fused[0]?.chunk_id).toBe("both");
  });

  test("a best hit by far stays the best, whatever the other half has among equals", () => {
    const fused = fuse([half(0.4, { a: 0.52, b: 0.51, c: 0.5 }), half(0.6, { c: 30, b: 3, a: 2 })], 3);
    expect(fused[0]?.chunk_id).toBe("c");
  });

  test("the last hit of a list that is not full counts: all else matches nothing", () => {
    const [first, second] = fuse([half(1, { a: 8, b: 6 })], 50);
    expect([first?.score, second?.score]).toEqual([1, 0.75]);
  });

  test("a chunk counts once per half, equal scores count fully, ties go by chunk id", () => {
    const twice = fuse([{ name: "vector", weight: 0.4, hits: [hit("a"), hit("a")] }], 2);
    expect(twice).toEqual([{ ...hit("a", 0.4), match: { vector: { rank: 1, score: 1 }, keyword: null } }]);
    expect(ids(fuse([half(0.5, { b: 3 }), half(0.5, { a: 7 })], 1))).toEqual(["a", "b"]);
    expect(fuse([half(0.4, {}), half(0.6, {})], 50)).toEqual([]);
  });

  test("keeps each half's rank and score, whatever they were joined to", () => {
    const fused = fuse([half(0.4, { a: 0.9, b: 0.8 }), half(0.6, { b: 12, c: 6 }, "keyword")], 2);
    expect(Object.fromEntries(fused.map(({ chunk_id, match }) => [chunk_id, match]))).toEqual({
      a: { vector: { rank: 1, score: 0.9 }, keyword: null },
      b: { vector: { rank: 2, score: 0.8 }, keyword: { rank: 1, score: 12 } },
      c: { vector: null, keyword: { rank: 2, score: 6 } },
    });
    expect(alone("keyword", [hit("b", 3), hit("a", 2)])).toEqual([
      { ...hit("b", 3), match: { vector: null, keyword: { rank: 1, score: 3 } } },
      { ...hit("a", 2), match: { vector: null, keyword: { rank: 2, score: 2 } } },
    ]);
  });

  test("one half alone keeps its order, scores stay within 0 … 1, and inputs stay as they were", () => {
    const list = fc
      .uniqueArray(fc.tuple(fc.nat(30), fc.double({ min: -1, max: 40, noNaN: true })), {
        selector: ([id]) => id,
      })
      .map((all) => all.map(([id, score]) => hit(`chk_${id}`, score)).sort((a, b) => b.score - a.score));
    fc.assert(
      fc.property(list, list, fc.integer({ min: 1, max: 40 }), (a, b, depth) => {
        const halves = [
          { name: "vector", weight: 0.4, hits: a.slice(0, depth) },
          { name: "keyword", weight: 0.6, hits: b.slice(0, depth) },
        ] satisfies Half[];
        const before = structuredClone(halves);
        const fused = fuse(halves, depth);
        expect(fuse(halves.toReversed(), depth).map(({ chunk_id }) => chunk_id)).toHaveLength(fused.length);
        for (const { chunk_id, score, match } of fused) {
          for (const { name, hits } of halves) {
            const at = hits.findIndex((one) => one.chunk_id === chunk_id);
            const place = at < 0 ? null : { rank: at + 1, score: hits[at]!.score };
            expect(match[name]).toEqual(place);
          }
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1 + 1e-9);
        }
        expect(halves).toEqual(before);
        const alone = fuse(halves.slice(0, 1), depth).map(({ score }) => score);
        expect(alone).toEqual(alone.toSorted((x, y) => y - x));
        expect(alone).toHaveLength(halves[0]!.hits.length);
      }),
    );
  });
});
