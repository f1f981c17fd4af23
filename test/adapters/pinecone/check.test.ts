import { expect, onTestFinished, test } from "vitest";
import { contractEmbedder, manualClock } from "../../../contracts/index.ts";
import { checkPineconeIndex } from "../../../src/adapters/pinecone/check.ts";
import { createPineconeIndex } from "../../../src/adapters/pinecone/vector-index.ts";
import type { ServiceCheck } from "../../../src/ports/service-check.ts";
import { type PineconeServerOptions, startPineconeServer } from "../../services/pinecone-server.ts";

async function start(options: Partial<PineconeServerOptions> = {}) {
  const server = await startPineconeServer({ dimension: 8, ...options });
  onTestFinished(() => server.stop());
  return server;
}

async function check(index_host: string, api_key = "test-key"): Promise<ServiceCheck[]> {
  const { system } = manualClock();
  const options = { index_host, api_key, embedder: contractEmbedder, system, max_retries: 0 };
  const all: ServiceCheck[] = [];
  for await (const one of checkPineconeIndex(options)) all.push(one);
  return all;
}

const failing = (all: ServiceCheck[]) => all.filter(({ ok }) => !ok);

test("an index that fits passes every check, and nothing stays in it", async () => {
  const server = await start();
  const all = await check(server.url);
  expect(all).toHaveLength(5);
  for (const each of all) expect(each).toEqual({ name: "pinecone", ok: true, message: expect.any(String) });
  expect(server.namespaces()).toEqual([]);
});

test("other dimensions or another metric are told with the fix", async () => {
  const server = await start({ dimension: 1536, metric: "euclidean" });
  const [dimensions, metric] = failing(await check(server.url));
  expect(dimensions).toMatchObject({
    name: "pinecone",
    message: "the index has 1536 dimensions, contract@1 makes 8",
    fix: expect.stringContaining("Create an index"),
  });
  expect(metric).toMatchObject({ name: "pinecone", message: expect.stringContaining("euclidean") });
});

test("a wrong key ends the check, and is named by its setting", async () => {
  const server = await start();
  const all = await check(server.url, "wrong");
  expect(all).toEqual([
    {
      name: "pinecone",
      ok: false,
      message: expect.stringContaining("answered 401"),
      fix: expect.stringContaining("SLUICE_PINECONE_API_KEY"),
    },
  ]);
});

test("a host that is not there is named by its setting", async () => {
  const server = await startPineconeServer({ dimension: 8 });
  await server.stop();
  const [reach, ...rest] = await check(server.url);
  expect(rest).toEqual([]);
  expect(reach).toMatchObject({ ok: false, fix: expect.stringContaining("SLUICE_PINECONE_HOST") });
});

test("an index without listing and a key that may not write are told apart", async () => {
  const server = await start();
  server.failNext({ path: "/vectors/list", status: 400 });
  server.failNext({ path: "/vectors/delete", status: 403 });
  const [list, write] = failing(await check(server.url));
  expect(list).toMatchObject({ name: "pinecone", fix: expect.stringContaining("serverless") });
  expect(write).toMatchObject({ name: "pinecone", fix: expect.stringContaining("role") });
});

test("options that make no sense are refused before anything is sent", () => {
  const { system } = manualClock();
  const index =
    (index_host: string, api_key = "k") =>
    () =>
      createPineconeIndex({
        index_host,
        api_key,
        embedder: contractEmbedder,
        documents: {} as never,
        words: {} as never,
        system,
      });
  expect(index("my-index.svc.pinecone.io")).toThrow("http or https address");
  expect(index("https://user:word@my-index.svc.pinecone.io")).toThrow("user or password");
  expect(index("https://my-index.svc.pinecone.io", "")).toThrow("api_key");
});
