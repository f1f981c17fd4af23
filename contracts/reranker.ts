/** The contract of a Reranker: every MUST of src/ports/reranker.ts. */
import { describe, expect, test } from "vitest";
import type { Reranker } from "../src/ports/reranker.ts";

export interface RerankerHarness {
  reranker: Reranker;
  /** After the reranker was closed. */
  close?(): Promise<void>;
}

const query = "How do ships find their way through a narrow channel?";
const passages = [
  "The quarterly tax return of a bakery lists flour, sugar and wages.",
  "A pilot who knows the narrow channel comes on board and guides ships through it.",
  "Barrel staves are bent over steam.",
];

/** Registers the suite; call it inside a test file. */
export function describeReranker(name: string, open: () => Promise<RerankerHarness>): void {
  const check = (title: string, run: (reranker: Reranker) => Promise<void>) =>
    test(title, async () => {
      const h = await open();
      try {
        await run(h.reranker);
      } finally {
        await h.reranker.close();
        await h.close?.();
      }
    });

  describe(`Reranker: ${name}`, () => {
    check("it says its id, and that it works", async (reranker) => {
      expect(reranker.reranker_id).not.toBe("");
      await reranker.check();
    });

    check(
      "the passage that answers the query has the highest score, wherever it stands",
      async (reranker) => {
        for (let turn = 0; turn < passages.length; turn += 1) {
          const turned = [...passages.slice(turn), ...passages.slice(0, turn)];
          const scores = await reranker.rerank(query, turned);
          expect(scores).toHaveLength(turned.length);
          expect(turned[scores.indexOf(Math.max(...scores))]).toBe(passages[1]);
        }
      },
    );

    check("a passage's score does not depend on those beside it", async (reranker) => {
      const together = await reranker.rerank(query, passages);
      for (const [place, passage] of passages.entries()) {
        const [alone] = await reranker.rerank(query, [passage]);
        expect(alone).toBeCloseTo(together[place] as number, 3);
      }
    });

    check("long, empty and foreign passages get a finite score each", async (reranker) => {
      const odd = ["word ".repeat(5_000), "", " \n", "漢字かな交じり文", "😀\u0000 Zürich"];
      const scores = await reranker.rerank(query, odd);
      expect(scores).toHaveLength(odd.length);
      for (const score of scores) expect(Number.isFinite(score)).toBe(true);
    });

    check("a hundred passages are taken, and none", async (reranker) => {
      const many = Array.from({ length: 100 }, (_, place) => `${passages[place % 3]} (${place})`);
      expect(await reranker.rerank(query, many)).toHaveLength(100);
      expect(await reranker.rerank(query, [])).toEqual([]);
    });

    check("it stops when the signal fires, with the signal's reason", async (reranker) => {
      const reason = new Error("no longer wanted");
      await expect(reranker.rerank(query, passages, AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}
