import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { describeEmbedder } from "../../../contracts/embedder.ts";
import { createStaticEmbedder } from "../../../src/adapters/static/embedder.ts";
import { readStaticModel, shippedModelFolder } from "../../../src/adapters/static/model.ts";
import { createTokenizer } from "../../../src/adapters/wordpiece.ts";

const shipped = createStaticEmbedder();

describeEmbedder("the shipped static model", async () => ({ embedder: await shipped }));

const folder = shippedModelFolder();
/** Made by models/reference.py. */
const expected: { text: string; tokens: number[]; vector: number[] }[] = JSON.parse(
  await readFile(join(folder, "test-vectors.json"), "utf8"),
);

describe("as the reference has it", () => {
  test("texts fall into the same tokens", async () => {
    const tokenizer = createTokenizer((await readStaticModel(folder)).vocabulary);
    for (const { text, tokens } of expected) {
      const found: number[] = [];
      tokenizer.encode(text, (token) => found.push(token));
      expect(found, JSON.stringify(text)).toEqual(tokens);
      expect(tokenizer.count(text)).toBe(tokens.length);
    }
  });

  test("texts have the same vectors, alone and together", async () => {
    const embedder = await shipped;
    const together = await embedder.embed(
      expected.map(({ text }) => text),
      "passage",
    );
    for (const [place, { text, vector }] of expected.entries()) {
      const [alone] = await embedder.embed([text], "query");
      for (const found of [together[place]!, alone!]) {
        expect(found).toHaveLength(vector.length);
        const furthest = Math.max(...vector.map((value, at) => Math.abs(value - found[at]!)));
        expect(furthest, JSON.stringify(text)).toBeLessThan(1e-5);
      }
    }
  });
});

describe("what it finds", () => {
  const passages = [
    "The lease is renewed by a heartbeat while the worker runs the job.",
    "Invoices are due thirty days after delivery, unless the contract says otherwise.",
    "Penguins huddle together to keep warm through the antarctic winter.",
    "The surgeon removed the tumour, and the patient left the hospital a week later.",
    "Whisk the eggs with the sugar, fold in the flour and bake for forty minutes.",
  ];

  // None of them has a word of its passage.
  test.each([
    ["when must a bill be paid", 1],
    ["birds that live in cold places", 2],
    ["operation for cancer", 3],
    ["how to make a cake", 4],
  ])("%s", async (query, place) => {
    const embedder = await shipped;
    const [asked] = await embedder.embed([query], "query");
    const scores = (await embedder.embed(passages, "passage")).map((vector) =>
      vector.reduce((sum, value, at) => sum + value * asked![at]!, 0),
    );
    expect(scores.indexOf(Math.max(...scores))).toBe(place);
  });
});

describe("long work", () => {
  const text = "text with some words to chew on ".repeat(400);
  const many = Array.from({ length: 1_000 }, (_, place) => `${place} ${text}`);

  test("leaves the process its turns, and its signal ends it at once, with its reason", async () => {
    const embedder = await shipped;
    await embedder.check();
    const reason = new Error("cancelled by the test");
    const running = new AbortController();
    let turns = 0;
    const count = () => {
      turns += 1;
      if (turns === 20) running.abort(reason);
      else setImmediate(count);
    };
    setImmediate(count);
    await expect(embedder.embed(many, "passage", running.signal)).rejects.toBe(reason);
    expect(turns).toBe(20);
    // The thread has left off and takes the next.
    expect(await embedder.embed(["next"], "passage")).toHaveLength(1);
  });

  test("keeps no process from ending", async () => {
    const module = JSON.stringify(new URL("../../../src/adapters/static/embedder.ts", import.meta.url));
    const script = `const { createStaticEmbedder } = await import(${module});
      const [vector] = await (await createStaticEmbedder()).embed(["a text"], "query");
      console.log(vector.length);`;
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", script]);
    expect(stdout.trim()).toBe("256");
  });

  test("calls at the same time get each their own", async () => {
    const embedder = await shipped;
    const texts = Array.from({ length: 20 }, (_, place) => `text number ${place}`);
    const alone = await embedder.embed(texts, "passage");
    const apart = await Promise.all(texts.map((each) => embedder.embed([each], "passage")));
    expect(apart.map(([vector]) => vector)).toEqual(alone);
  });
});

describe("a folder that holds no model", () => {
  const empty = mkdtempSync(join(tmpdir(), "sluice-static-"));
  afterAll(() => rmSync(empty, { recursive: true }));

  test("is refused before the first text", async () => {
    await expect(createStaticEmbedder({ folder: empty })).rejects.toThrow("model.bin");
    writeFileSync(join(empty, "model.bin"), "not a model");
    await expect(createStaticEmbedder({ folder: empty })).rejects.toThrow("holds no static model");
  });

  test("or that has lost a part is said by the first text, and again by the next", async () => {
    copyFileSync(join(folder, "model.bin"), join(empty, "model.bin"));
    const embedder = await createStaticEmbedder({ folder: empty });
    for (const text of ["first", "next"]) {
      await expect(embedder.embed([text], "query")).rejects.toMatchObject({
        code: "embedder_unavailable",
        message: expect.stringContaining("vocab.txt"),
      });
    }
  });
});
