import { describe, expect, test } from "vitest";
import { describeEmbedder } from "../../../contracts/embedder.ts";
import { createHashingEmbedder } from "../../../src/adapters/hashing/embedder.ts";

describeEmbedder("feature hashing", async () => ({ embedder: createHashingEmbedder() }));

const embedder = createHashingEmbedder();

async function vectorOf(text: string): Promise<Float32Array> {
  return (await embedder.embed([text], "passage"))[0] as Float32Array;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

async function similarity(a: string, b: string): Promise<number> {
  return dot(await vectorOf(a), await vectorOf(b));
}

describe("the vectors", () => {
  test("carry the name and length that the embedder states", async () => {
    const small = createHashingEmbedder({ dimensions: 64 });
    expect(embedder).toMatchObject({ embedder_id: "feature-hashing-v1-384", dimensions: 384 });
    expect(small).toMatchObject({ embedder_id: "feature-hashing-v1-64", dimensions: 64 });
    expect((await small.embed(["hello"], "query"))[0]).toHaveLength(64);
    await expect(small.check()).resolves.toBeUndefined();
  });

  test.each([0, 7, 8193, 1.5])("dimensions of %d are refused", (dimensions) => {
    expect(() => createHashingEmbedder({ dimensions })).toThrow(RangeError);
  });

  test("are of length 1, and all zero for text with nothing in it", async () => {
    for (const text of [
      "word",
      "Many words, of some length; and punctuation!",
      "the of and",
      "漢字",
      "x".repeat(10_000),
    ]) {
      const vector = await vectorOf(text);
      expect(dot(vector, vector)).toBeCloseTo(1, 5);
    }
    for (const text of ["", "  \n", "?!… — 😀", "\ud800"]) {
      expect((await vectorOf(text)).every((value) => value === 0)).toBe(true);
    }
  });

  test("come in the order of the texts and do not depend on what came before, or on the kind", async () => {
    const texts = ["first text", "a second one", "third", ""];
    const together = await embedder.embed(texts, "passage");
    const fresh = createHashingEmbedder();
    const backwards = await fresh.embed(texts.toReversed(), "query");
    expect(backwards.toReversed()).toEqual(together);
  });

  test("stay the same over releases: whoever changes this changes the embedder's id", async () => {
    const [vector] = await createHashingEmbedder({ dimensions: 8 }).embed(
      ["Sluice embeds documents; Études naïves, 東京 and the rest of 2,024 parties."],
      "passage",
    );
    expect([...(vector as Float32Array)].map((value) => Number(value.toFixed(4)))).toEqual([
      0.3726, -0.5217, -0.6282, 0.33, -0.0373, 0.2555, 0.1171, -0.0714,
    ]);
  });

  test("a text with very many different words is counted whole", async () => {
    const words = Array.from({ length: 20_000 }, (_, i) => `w${(i * 7919).toString(36)}`);
    const reversed = await similarity(words.join(" "), words.toReversed().join(" "));
    // Same words and letters, other neighbours.
    expect(reversed).toBeGreaterThan(0.7);
  });
});

describe("similarity", () => {
  test("ignores case, diacritics and punctuation", async () => {
    expect(await similarity("Études, NAÏVES!", "etudes naives")).toBeCloseTo(1, 5);
  });

  test("brings word forms together, and typos nearer than strangers", async () => {
    expect(await similarity("embedding documents", "embedded document")).toBeGreaterThan(0.8);
    const typo = await similarity("kubernetes", "kuberntes");
    const stranger = await similarity("kubernetes", "penguins");
    expect(typo).toBeGreaterThan(stranger + 0.15);
  });

  test("counts stop words little", async () => {
    const sameTopic = await similarity("what is the invoice of it", "invoice");
    const sameStopWords = await similarity("what is the invoice of it", "what is the penguin of it");
    expect(sameTopic).toBeGreaterThan(0.8);
    expect(sameStopWords).toBeLessThan(0.3);
  });

  test("notices the order of words", async () => {
    const query = "dog bites man";
    expect(await similarity(query, "the dog bites a man")).toBeGreaterThan(
      await similarity(query, "the man bites a dog"),
    );
  });

  test("repeating a word adds less each time", async () => {
    const once = await similarity("apple pear", "apple");
    const often = await similarity(`${"apple ".repeat(50)}pear`, "apple");
    expect(often).toBeGreaterThan(once);
    expect(await similarity(`${"apple ".repeat(50)}pear`, "pear")).toBeGreaterThan(0.1);
  });

  test("finds the passage about the query's words among others", async () => {
    const passages = [
      "The lease is renewed by a heartbeat while the worker runs the job.",
      "Invoices are due thirty days after delivery, unless the contract says otherwise.",
      "Penguins huddle together to keep warm through the antarctic winter.",
      "東京の天気は晴れです。",
    ];
    const vectors = await embedder.embed(passages, "passage");
    const best = async (query: string) => {
      const [vector] = await embedder.embed([query], "query");
      const scores = vectors.map((passage) => dot(passage, vector as Float32Array));
      return scores.indexOf(Math.max(...scores));
    };
    expect(await best("renewing leases of workers")).toBe(0);
    expect(await best("when is an invoice due")).toBe(1);
    expect(await best("how do penguin keep warm")).toBe(2);
    expect(await best("東京都の天気")).toBe(3);
  });
});

describe("long work", () => {
  const many = Array.from(
    { length: 3_000 },
    (_, i) => `text number ${i} ${"with some words to chew on ".repeat(20)}`,
  );

  test("lets the rest of the process have its turn", async () => {
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    await embedder.embed(many, "passage");
    running = false;
    expect(turns).toBeGreaterThan(1);
  });

  test("stops with the signal's reason", async () => {
    const reason = new Error("cancelled by the test");
    const running = new AbortController();
    setImmediate(() => running.abort(reason));
    await expect(embedder.embed(many, "passage", running.signal)).rejects.toBe(reason);
    await expect(embedder.embed(["one"], "passage", AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
