import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IndexHit } from "../../src/ports/vector-index.ts";
import { fuse } from "../../src/search/fuse.ts";

const hit = (chunk_id: string, score = 1): IndexHit => ({
  chunk_id,
  document_id: "doc_1",
  version: 1,
  score,
});
const ids = (hits: IndexHit[]) => hits.map(({ chunk_id }) => chunk_id);

describe("fuse", () => {
  test("scores the sum of 1 / (60 + rank)", () => {
    const fused = fuse([
      [hit("a", 0.9), hit("b", 0.8)],
      [hit("c", 12), hit("a", 3)],
    ]);
    expect(ids(fused)).toEqual(["a", "c", "b"]);
    expect(fused.map(({ score }) => score)).toEqual([1 / 61 + 1 / 62, 1 / 61, 1 / 62]);
  });

  test("prefers what both lists hold in the middle to what one holds at the top", () => {
    const fused = fuse([
      [hit("v"), hit("x"), hit("both")],
      [hit("k"), hit("y"), hit("both")],
    ]);
    expect(fused[0]?.chunk_id).toBe("both");
  });

  test("counts a chunk once per list, and breaks ties by chunk id", () => {
    expect(fuse([[hit("a"), hit("a")]])).toEqual([{ ...hit("a"), score: 1 / 61 }]);
    expect(ids(fuse([[hit("b")], [hit("a")]]))).toEqual(["a", "b"]);
    expect(fuse([[], []])).toEqual([]);
  });

  test("the order of the lists does not matter, one list keeps its order, and inputs stay as they were", () => {
    const list = fc
      .uniqueArray(fc.integer({ min: 0, max: 30 }).map((n) => `chk_${n}`))
      .map((all) => all.map((id) => hit(id)));
    fc.assert(
      fc.property(list, list, (a, b) => {
        const before = structuredClone([a, b]);
        expect(fuse([a, b])).toEqual(fuse([b, a]));
        expect(ids(fuse([a]))).toEqual(ids(a));
        expect([a, b]).toEqual(before);
        const scores = fuse([a, b]).map(({ score }) => score);
        expect(scores).toEqual(scores.toSorted((x, y) => y - x));
      }),
    );
  });
});
