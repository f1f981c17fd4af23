import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Collection } from "../../eval/collection.ts";
import { keepVectors, openNamedEmbedder } from "../../eval/embedders.ts";
import { evaluate } from "../../eval/evaluate.ts";
import { openLibrary } from "../../eval/library.ts";
import { createTestEmbedder } from "../support/embedder.ts";

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-eval-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The longer text is two chunks, of which the second is found. */
const collection: Collection = {
  name: "tiny",
  documents: [
    { id: "boats", title: "On boats", paragraphs: ["A boat floats on the river, and the river floats on."] },
    { id: "trains", title: "", paragraphs: ["Trains run on rails beside the river."] },
    { id: "bread", title: "Bread", paragraphs: [`${"Flour and water. ".repeat(120)} Rails of an oven.`] },
    { id: "nothing", title: "", paragraphs: ["…"] },
  ],
  queries: [
    { id: "1", text: "floats river" },
    { id: "2", text: "rails" },
    { id: "3", text: "unheard" },
  ],
  relevance: new Map([
    ["1", new Map([["boats", 1]])],
    [
      "2",
      new Map([
        ["trains", 1],
        ["boats", 1],
      ]),
    ],
    ["3", new Map([["bread", 1]])],
  ]),
};

describe("evaluating", () => {
  test("runs the real search, and its figures are those worked out by hand", async () => {
    const embedder = await openNamedEmbedder("hashing");
    await using library = await openLibrary(collection, embedder, await newFolder());
    expect(library.chunks).toBeGreaterThan(3);
    const [first] = await library.ask("floats river", "keyword", 10);
    expect(first).toBe("boats");
    expect(await library.ask("rails", "keyword", 10)).toEqual(["trains", "bread"]);
    const { keyword } = await evaluate(collection, library);
    // Of the second query one of two relevant documents is found, at the first place.
    expect(keyword?.ndcg_10).toEqual([1, 1 / (1 + 1 / Math.log2(3)), 0]);
    expect(keyword?.map_100).toEqual([1, 0.5, 0]);
    expect(keyword?.recall_100).toEqual([1, 0.5, 0]);
  });

  test("every mode is measured, and a document counts once however many of its chunks are found", async () => {
    await using library = await openLibrary(
      collection,
      await openNamedEmbedder("hashing"),
      await newFolder(),
    );
    const scores = await evaluate(collection, library);
    expect(Object.keys(scores).sort()).toEqual(["hybrid", "keyword", "vector"]);
    const found = await library.ask("flour and water", "hybrid", 100);
    expect(found[0]).toBe("bread");
    expect(new Set(found).size).toBe(found.length);
  });

  test("vectors that are kept are not made again", async () => {
    const folder = await newFolder();
    const first = createTestEmbedder();
    const made = await (await keepVectors(first, folder)).embed(["a", "b", "a"], "passage");
    const second = createTestEmbedder();
    const kept = await keepVectors(second, folder);
    expect(await kept.embed(["b", "c", "a"], "passage")).toEqual([
      made[1],
      (await first.embed(["c"], "passage"))[0],
      made[0],
    ]);
    expect(second.texts).toEqual(["c"]);
  });
});
