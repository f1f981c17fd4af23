import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createSluice } from "../../../src/sluice.ts";
import { createFakeLibrary } from "./fake-library.ts";

test("an index of a local model goes on being searched by it when another embedder is configured", async () => {
  const fake = createFakeLibrary();
  const data_dir = mkdtempSync(join(tmpdir(), "sluice-local-model-"));
  onTestFinished(() => {
    fake.remove();
    rmSync(data_dir, { recursive: true, force: true });
  });
  const model = { SLUICE_EMBEDDER_MODEL: fake.model("small"), SLUICE_TRANSFORMERS_DIR: fake.folder };
  const open = (settings: Record<string, string>) =>
    createSluice({ data_dir, settings: { ...model, ...settings } });

  const before = await open({ SLUICE_EMBEDDER: "transformers" });
  const { document_id } = await before.upload(Buffer.from("The harbour pilot guides ships."), {
    filename: "harbour.txt",
  });
  await before.waitUntilSearchable(document_id);
  const first = await before.search({ query: "harbour pilot", mode: "vector" });
  expect(first.embedder_id).toMatch(/^transformers:small:fp32:/);
  expect(first.hits).toHaveLength(1);
  await before.close();

  const after = await open({ SLUICE_EMBEDDER: "hashing" });
  expect(await after.search({ query: "harbour pilot", mode: "vector" })).toMatchObject({
    embedder_id: first.embedder_id,
    hits: [{ document_id }],
  });
  await after.close();

  // Another pooling makes other vectors: that is no longer the index's embedder, and isn't taken for it.
  const other = await open({ SLUICE_EMBEDDER: "hashing", SLUICE_EMBEDDER_POOLING: "cls" });
  await expect(other.search({ query: "harbour pilot", mode: "vector" })).rejects.toMatchObject({
    code: "embedder_mismatch",
  });
  await other.close();
});
