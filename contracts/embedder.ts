/** The contract of an Embedder: every MUST of src/ports/embedder.ts. */
import { describe, expect, test } from "vitest";
import type { Embedder } from "../src/ports/embedder.ts";

export interface EmbedderHarness {
  embedder: Embedder;
  close?(): Promise<void>;
}

/** Registers the suite; call it inside a test file. */
export function describeEmbedder(name: string, open: () => Promise<EmbedderHarness>): void {
  const check = (title: string, run: (embedder: Embedder) => Promise<void>) =>
    test(title, async () => {
      const h = await open();
      try {
        await run(h.embedder);
      } finally {
        await h.close?.();
      }
    });
  const length = (vector: Float32Array) => Math.hypot(...vector);

  describe(`Embedder: ${name}`, () => {
    check("it says its id, its dimensions and its batch size", async (embedder) => {
      expect(embedder.embedder_id).not.toBe("");
      expect(embedder.dimensions).toBeGreaterThan(0);
      expect(embedder.batch_size).toBeGreaterThan(0);
      await embedder.check();
    });

    check("each text gets one vector, of the dimensions promised, of length 1", async (embedder) => {
      const texts = [
        "The harbour pilot guides ships.",
        "Zürich 😀",
        "漢字かな交じり文",
        "a",
        "x ".repeat(2_000),
      ];
      const vectors = await embedder.embed(texts, "passage");
      expect(vectors).toHaveLength(texts.length);
      for (const vector of vectors) {
        expect(vector).toBeInstanceOf(Float32Array);
        expect(vector).toHaveLength(embedder.dimensions);
        expect(length(vector)).toBeCloseTo(1, 3);
      }
    });

    check(
      "where it counts tokens, it counts the same ones each time, and more in more text",
      async (embedder) => {
        const count = embedder.count_tokens?.bind(embedder);
        if (count === undefined) return;
        expect(count("")).toBe(0);
        const text = "The harbour pilot guides 12 ships. Zürich 😀 漢字";
        expect(count(text)).toBe(count(text));
        expect(count(text)).toBeGreaterThanOrEqual(8);
        expect(count(`${text} ${text}`)).toBeGreaterThan(count(text));
      },
    );

    check("vectors come in the order of the texts, whatever else is in the batch", async (embedder) => {
      const texts = ["quartz", "a boat on the lake", "the price of steel in spring"];
      const together = await embedder.embed(texts, "passage");
      const backwards = await embedder.embed([...texts].reverse(), "passage");
      for (const [place, text] of texts.entries()) {
        const [alone] = await embedder.embed([text], "passage");
        for (const vector of [together[place]!, backwards[texts.length - 1 - place]!]) {
          const similarity = vector.reduce((sum, value, at) => sum + value * alone![at]!, 0);
          expect(similarity).toBeCloseTo(1, 3);
        }
      }
    });

    check("text with nothing in it gets a vector of length 1 or all zeros, never NaN", async (embedder) => {
      for (const vector of await embedder.embed([" ", "\n\n", "…"], "passage")) {
        const size = length(vector);
        expect(size < 1e-6 || Math.abs(size - 1) < 1e-3, `length ${size}`).toBe(true);
      }
    });

    check("no texts, no vectors", async (embedder) => {
      expect(await embedder.embed([], "passage")).toEqual([]);
    });

    check("a full batch is taken in one call", async (embedder) => {
      const texts = Array.from({ length: embedder.batch_size }, (_, place) => `passage ${place}`);
      expect(await embedder.embed(texts, "passage")).toHaveLength(texts.length);
    });

    check("a query is embedded into the same space as passages", async (embedder) => {
      const [query] = await embedder.embed(["harbour pilot"], "query");
      const [near, far] = await embedder.embed(
        ["harbour pilot", "quarterly tax return of a bakery"],
        "passage",
      );
      const dot = (vector: Float32Array) => vector.reduce((sum, value, at) => sum + value * query![at]!, 0);
      expect(dot(near!)).toBeGreaterThan(dot(far!));
    });

    check("it stops when the signal fires, with the signal's reason", async (embedder) => {
      const reason = new Error("no longer wanted");
      await expect(embedder.embed(["quartz"], "passage", AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}
