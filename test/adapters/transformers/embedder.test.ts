import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { describeEmbedder } from "../../../contracts/embedder.ts";
import {
  createTransformersEmbedder,
  type TransformersEmbedderOptions,
} from "../../../src/adapters/transformers/embedder.ts";
import { SluiceError } from "../../../src/errors.ts";
import { createFakeLibrary, type FakeLibrary } from "./fake-library.ts";

/** For what another thread has to get to, on a machine that is busy. */
const PATIENCE = { timeout: 20_000 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function library(): FakeLibrary {
  const made = createFakeLibrary();
  cleanups.push(() => made.remove());
  return made;
}

async function embedderOf(fake: FakeLibrary, options: Partial<TransformersEmbedderOptions> = {}) {
  const model = options.model ?? fake.model("small");
  const embedder = await createTransformersEmbedder({ package_folder: fake.folder, ...options, model });
  cleanups.push(() => embedder.close());
  return embedder;
}

async function failureOf(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SluiceError);
  return error as SluiceError;
}

describeEmbedder("transformers.js, its package replaced by a fake", async () => {
  const fake = createFakeLibrary();
  const embedder = await createTransformersEmbedder({
    package_folder: fake.folder,
    model: fake.model("small"),
  });
  return {
    embedder,
    async close() {
      await embedder.close();
      fake.remove();
    },
  };
});

test("the model is loaded with the first text, once, for one core", async () => {
  const fake = library();
  const embedder = await embedderOf(fake, { threads: 1 });
  expect(fake.read("loaded")).toEqual([]);
  await embedder.embed(["one", "two"], "passage");
  await embedder.embed(["three"], "passage");
  const options = {
    dtype: "fp32",
    device: "cpu",
    session_options: { intraOpNumThreads: 1, interOpNumThreads: 1 },
  };
  expect(fake.read("loaded").map((line) => JSON.parse(line))).toEqual([{}, options]);
  expect(fake.read("fetched")).toEqual([]);
});

test("prefixes go before passages and queries, and nothing is made of texts without content", async () => {
  const fake = library();
  const embedder = await embedderOf(fake, { query_prefix: "query: ", passage_prefix: "passage: " });
  await embedder.embed(["one", " \n"], "passage");
  await embedder.embed(["two"], "query");
  expect(fake.read("ran")).toEqual(["passage: one", "query: two"]);
});

test("mean, first and last vector of the tokens are three things", async () => {
  const fake = library();
  const vectors = [];
  for (const pooling of ["mean", "cls", "last"] as const) {
    const embedder = await embedderOf(fake, { pooling });
    vectors.push((await embedder.embed(["ab cd ef"], "passage"))[0]);
    const same = { mean: "cd ef ab", cls: "ab", last: "ef" }[pooling];
    expect(await embedder.embed([same], "passage")).toEqual([vectors.at(-1)]);
  }
  expect(new Set(vectors.map(String)).size).toBe(3);
});

test("as many first tokens are read as it is told and the model has places for, and the last, which ends a text", async () => {
  const fake = library();
  const words = Array.from({ length: 600 }, (_, place) => `w${place}`);
  const end = "end";
  const vectorOf = async (max_tokens: number, first: number) => {
    const embedder = await embedderOf(fake, { max_tokens });
    return (await embedder.embed([[...words.slice(0, first), end].join(" ")], "passage"))[0];
  };
  expect(await vectorOf(8, 600)).toEqual(await vectorOf(8, 7));
  expect(await vectorOf(8, 7)).not.toEqual(await vectorOf(8, 6));
  expect(await vectorOf(10_000, 600)).toEqual(await vectorOf(10_000, 511));
  expect(await vectorOf(10_000, 511)).not.toEqual(await vectorOf(10_000, 510));
});

test("other weights, and every option that changes vectors, make another embedder; a moved folder doesn't", async () => {
  const fake = library();
  const idOf = async (options: Partial<TransformersEmbedderOptions>) =>
    (await embedderOf(fake, options)).embedder_id;
  const plain = await idOf({});
  expect(plain).toMatch(/^transformers:small:fp32:[0-9a-f]{12}$/);
  const others = await Promise.all([
    idOf({ pooling: "cls" }),
    idOf({ max_tokens: 128 }),
    idOf({ query_prefix: "query: " }),
    idOf({ passage_prefix: "query: " }),
    idOf({ model: fake.model("other/small", "other weights") }),
  ]);
  expect(new Set([plain, ...others]).size).toBe(6);
  expect(await idOf({ threads: 2, batch_size: 3 })).toBe(plain);
  expect(await idOf({ model: fake.model("elsewhere/small", "weights of small") })).toBe(plain);
});

test("an abort ends the call at once, and the thread with the text at hand", async () => {
  const fake = library();
  const embedder = await embedderOf(fake);
  const stop = new AbortController();
  const reason = new Error("no longer wanted");
  const embedding = embedder.embed(["first", "hold", "never"], "passage", stop.signal);
  await vi.waitUntil(() => fake.read("ran").includes("hold"), PATIENCE);
  stop.abort(reason);
  await expect(embedding).rejects.toBe(reason);
  const next = embedder.embed(["after"], "passage");
  fake.go();
  expect(await next).toHaveLength(1);
  expect(fake.read("ran")).toEqual(["first", "hold", "after"]);
});

test("a query goes before the passages that wait", async () => {
  const fake = library();
  const embedder = await embedderOf(fake);
  const passages = embedder.embed(["hold", "passage"], "passage");
  await vi.waitUntil(() => fake.read("ran").includes("hold"), PATIENCE);
  const query = embedder.embed(["query"], "query");
  fake.go();
  await Promise.all([query, passages]);
  expect(fake.read("ran")).toEqual(["hold", "query", "passage"]);
});

test("a text that the model refuses fails alone; a thread that dies is followed by another", async () => {
  const fake = library();
  const embedder = await embedderOf(fake);
  const refused = await failureOf(embedder.embed(["refuse"], "passage"));
  expect(refused).toMatchObject({
    code: "embedder_rejected",
    message: expect.stringContaining("no such text"),
  });
  const died = await failureOf(embedder.embed(["crash", "hold"], "passage"));
  expect(died).toMatchObject({ code: "embedder_unavailable", retryable: true });
  expect(died.message).toContain("it broke");
  fake.go();
  expect(await embedder.embed(["fine"], "passage")).toHaveLength(1);
});

test("weights that can't be loaded are told with the model's name, and loaded once they can be", async () => {
  const fake = library();
  const model = fake.model("small", "broken");
  const embedder = await embedderOf(fake, { model });
  const failure = await failureOf(embedder.check());
  expect(failure.code).toBe("model_missing");
  expect(failure.message).toBe("The model small can't be loaded: these are no weights");
  writeFileSync(join(model, "onnx/model.onnx"), "whole");
  await expect(embedder.check()).resolves.toBeUndefined();
});

test("closed, it says so, also to whoever waits", async () => {
  const fake = library();
  const embedder = await embedderOf(fake);
  const waiting = failureOf(embedder.embed(["hold"], "passage"));
  await vi.waitUntil(() => fake.read("ran").includes("hold"), PATIENCE);
  const closing = embedder.close();
  expect((await waiting).code).toBe("shutting_down");
  fake.go();
  await closing;
  expect((await failureOf(embedder.check())).code).toBe("shutting_down");
});

test("without the package it names the command that installs it", async () => {
  const fake = library();
  const model = fake.model("small");
  rmSync(join(fake.folder, "node_modules"), { recursive: true });
  const { code, message } = await failureOf(embedderOf(fake, { model }));
  expect(code).toBe("model_missing");
  expect(message).toContain(
    `npm install --prefix ${fake.folder} --ignore-scripts @huggingface/transformers@^4.3.1`,
  );
});

test("without the model it names the file that is missing", async () => {
  const fake = library();
  const model = fake.model("small");
  const quantized = await failureOf(embedderOf(fake, { model, dtype: "q8" }));
  expect(quantized.message).toContain(join(model, "onnx/model_quantized.onnx"));
  rmSync(join(model, "tokenizer.json"));
  expect((await failureOf(embedderOf(fake, { model }))).message).toContain(join(model, "tokenizer.json"));
  const nowhere = await failureOf(embedderOf(fake, { model: "./nowhere" }));
  expect(nowhere.message).toContain("./nowhere is neither a folder nor the name of a model on the hub");
});

test("a model of the hub is fetched once, into its folder, and never asked for again", async () => {
  const fake = library();
  const cache_folder = join(fake.folder, "models");
  const options = { model: "owner/tiny@v2", cache_folder, hub_url: "http://127.0.0.1:1" };
  const first = await embedderOf(fake, options);
  expect(fake.read("fetched")).toEqual(Array(2).fill("owner/tiny@v2 from http://127.0.0.1:1"));
  await first.check();
  const second = await embedderOf(fake, options);
  await second.check();
  expect(second.embedder_id).toBe(first.embedder_id);
  expect(first.embedder_id).toMatch(/^transformers:owner\/tiny@v2:fp32:/);
  expect(fake.read("fetched")).toHaveLength(2);
});

test("what the hub doesn't have is told with the hub's words", async () => {
  const fake = library();
  const failure = await failureOf(embedderOf(fake, { model: "owner/gone", cache_folder: fake.folder }));
  expect(failure.code).toBe("model_missing");
  expect(failure.message).toContain("owner/gone can't be loaded: 404");
});

test.each([
  [{ batch_size: 0 }, "batch_size"],
  [{ max_tokens: 1.5 }, "max_tokens"],
  [{ threads: 0 }, "threads"],
  [{ pooling: "max" as "mean" }, "pooling"],
  [{ dtype: "fp8" as "fp32" }, "dtype"],
])("%o is refused", async (options, name) => {
  await expect(embedderOf(library(), options)).rejects.toThrow(name);
});
