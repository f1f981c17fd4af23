import { describe, expect, test } from "vitest";
import { describeReranker } from "../../../contracts/reranker.ts";
import { createHttpReranker, type HttpRerankerOptions } from "../../../src/adapters/http/reranker.ts";
import { startRerankServer } from "../../support/rerank-server.ts";

const open = async (kind: HttpRerankerOptions["kind"]) => {
  const { url, close } = await startRerankServer();
  return { reranker: createHttpReranker({ kind, url, model: "m" }), close };
};
describeReranker("the rerank API", () => open("http"));
describeReranker("Text Embeddings Inference", () => open("tei"));

describe("the reranker behind HTTP", () => {
  test("sends what the rerank API takes, with the key", async () => {
    const { url, received } = await startRerankServer();
    const reranker = createHttpReranker({ kind: "http", url: `${url}/`, model: "m", api_key: "s3cret" });
    expect(await reranker.rerank("a b", ["b c", "a b"])).toEqual([0.5, 1]);
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      path: "POST /v1/rerank",
      headers: { authorization: "Bearer s3cret" },
    });
    expect(received[0]?.body).toEqual({ model: "m", query: "a b", documents: ["b c", "a b"], top_n: 2 });
  });

  test("sends what Text Embeddings Inference takes", async () => {
    const { url, received } = await startRerankServer();
    const reranker = createHttpReranker({ kind: "tei", url });
    expect(await reranker.rerank("a b", ["b c", "a b"])).toEqual([0.5, 1]);
    expect(received[0]?.body).toEqual({ query: "a b", texts: ["b c", "a b"], truncate: true });
    expect(received[0]?.headers.authorization).toBeUndefined();
  });

  test("sends no more passages at once than it may, and keeps their order", async () => {
    const { url, received } = await startRerankServer();
    const reranker = createHttpReranker({ kind: "tei", url, batch_size: 2 });
    expect(await reranker.rerank("a b", ["a", "b a", "c", "a", "a b"])).toEqual([0.5, 1, 0, 0.5, 1]);
    expect(received.map(({ body }) => body.texts?.length).sort()).toEqual([1, 2, 2]);
  });

  test.each([
    [500, "boom", "reranker_unavailable", "answered 500: boom"],
    [429, "", "reranker_unavailable", "answered 429"],
    [401, "bad key s3cret", "reranker_rejected", "answered 401: bad key [api key]"],
    [302, "", "reranker_rejected", "answered 302"],
    [200, "<html>", "reranker_unavailable", "not JSON"],
    [200, "{}", "reranker_unavailable", "without a list"],
    [200, '[{"index":0,"score":1}]', "reranker_unavailable", "1 scores for 2 passages"],
    [200, '[{"index":0,"score":1},{"index":0,"score":1}]', "reranker_unavailable", "unexpected index 0"],
    [200, '[{"index":0,"score":1},{"index":1}]', "reranker_unavailable", "no score for passage 1"],
  ])("an answer of %i %s is %s", async (status, body, code, message) => {
    const { url } = await startRerankServer((response) => response.writeHead(status).end(body));
    const reranker = createHttpReranker({ kind: "http", url, model: "m", api_key: "s3cret" });
    const error = await reranker.rerank("a", ["a", "b"]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "SluiceError", code });
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain("s3cret");
  });

  test("nobody there is reranker_unavailable, from check too", async () => {
    const { url, close } = await startRerankServer();
    await close();
    const reranker = createHttpReranker({ kind: "tei", url });
    await expect(reranker.rerank("a", ["a"])).rejects.toMatchObject({ code: "reranker_unavailable" });
    await expect(reranker.check()).rejects.toMatchObject({ code: "reranker_unavailable" });
  });

  test.each(["ftp://host", "nowhere", "http://user:password@host"])("refuses the address %s", (url) => {
    expect(() => createHttpReranker({ kind: "tei", url })).toThrow(TypeError);
  });
});
