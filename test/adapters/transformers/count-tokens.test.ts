import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openTokenCounter } from "../../../src/adapters/transformers/count-tokens.ts";
import { writeTinyEmbedder } from "./tiny-models.ts";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-counter-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("BERT's uncased tokenizer is counted by", async () => {
  const count = await openTokenCounter(writeTinyEmbedder(newFolder()));
  // The tiny vocabulary has letters and digits only.
  expect(count?.("Abc 12")).toBe(5);
  expect(count?.("")).toBe(0);
});

test.each([
  ["of another kind", { model: { type: "Unigram", vocab: [["a", 0]] }, normalizer: null }],
  [
    "with case",
    { model: { type: "WordPiece", vocab: { "[UNK]": 0 } }, normalizer: { type: "BertNormalizer" } },
  ],
  ["that says nothing", {}],
])("a tokenizer %s is left to the library", async (_, content) => {
  const folder = newFolder();
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(content));
  expect(await openTokenCounter(folder)).toBeUndefined();
});

test("a file that is damaged is left to the library", async () => {
  const folder = newFolder();
  writeFileSync(join(folder, "tokenizer.json"), "weights of");
  expect(await openTokenCounter(folder)).toBeUndefined();
});
