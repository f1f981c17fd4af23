import { afterEach, expect, test } from "vitest";
import { describeReranker } from "../../../contracts/reranker.ts";
import { createTransformersReranker } from "../../../src/adapters/transformers/reranker.ts";
import { SluiceError } from "../../../src/errors.ts";
import { createFakeLibrary } from "./fake-library.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open() {
  const fake = createFakeLibrary();
  const reranker = await createTransformersReranker({
    package_folder: fake.folder,
    model: fake.model("cross"),
  });
  return { fake, reranker };
}

describeReranker("transformers.js, its package replaced by a fake", async () => {
  const { fake, reranker } = await open();
  return { reranker, close: async () => fake.remove() };
});

test("each passage is read with the query, one after another", async () => {
  const { fake, reranker } = await open();
  cleanups.push(() => fake.remove(), reranker.close);
  expect(reranker.reranker_id).toMatch(/^transformers:cross:fp32:[0-9a-f]{12}$/);
  const [far, near] = await reranker.rerank("ships and boats", ["a bakery", "boats"]);
  expect(far).toBe(0);
  expect(near).toBeGreaterThan(0);
  expect(fake.read("ran")).toEqual(["a bakery", "boats"]);
});

test("a thread that dies is a reranker that did not answer", async () => {
  const { fake, reranker } = await open();
  cleanups.push(() => fake.remove(), reranker.close);
  await expect(reranker.rerank("query", ["crash", "hold"])).rejects.toMatchObject({
    code: "reranker_unavailable",
  });
  fake.go();
  expect(await reranker.rerank("query", ["fine"])).toHaveLength(1);
  await reranker.close();
  await expect(reranker.check()).rejects.toBeInstanceOf(SluiceError);
});
