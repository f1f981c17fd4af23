import { describe, expect, test } from "vitest";
import type { CollectionView } from "../../../src/collection.ts";
import { startServer, type TestServer } from "../harness.ts";

/** As the harness sets its server. */
const server_default = {
  strategy: "structure",
  max_tokens: 256,
  overlap_tokens: 32,
  contextual_header: false,
};
const none = { strategy: null, max_tokens: null, overlap_tokens: null, contextual_header: null };

const put = (server: TestServer, collection: string, body: unknown, headers: Record<string, string> = {}) =>
  server.request(`/v1/collections/${collection}`, {
    method: "PUT",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
const remove = (server: TestServer, collection: string, headers: Record<string, string> = {}) =>
  server.request(`/v1/collections/${collection}`, { method: "DELETE", headers });
const get = (server: TestServer, collection: string, headers: Record<string, string> = {}) =>
  server.request(`/v1/collections/${collection}`, { headers });

async function list(server: TestServer, query = "", headers: Record<string, string> = {}) {
  const answer = await server.request(`/v1/collections${query}`, { headers });
  expect(answer.status).toBe(200);
  return answer.json<{ collections: CollectionView[]; next_cursor: string | null }>();
}

describe("/v1/collections", () => {
  test("a collection is set anew by each PUT, and shows what is its own and what is in force", async () => {
    const server = await startServer();
    const all = { strategy: "page", max_tokens: 300, overlap_tokens: 0, contextual_header: true };
    const answer = await put(server, "reports", { chunking: all });
    expect(answer.status).toBe(200);
    const set = answer.json<CollectionView>();
    expect(set).toMatchObject({
      collection: "reports",
      documents: 0,
      chunking: all,
      effective_chunking: all,
    });
    expect((await get(server, "reports")).json()).toEqual(set);

    const next = (await put(server, "reports", { chunking: { max_tokens: 400 } })).json<CollectionView>();
    expect(next.chunking).toEqual({ ...none, max_tokens: 400 });
    expect(next.effective_chunking).toEqual({ ...server_default, max_tokens: 400 });
    expect((await get(server, "reports")).json()).toEqual(next);
  });

  test.each([{}, { chunking: null }, { chunking: {} }, { chunking: none }])(
    "%j resets everything",
    async (body) => {
      const server = await startServer();
      await put(server, "reports", { chunking: { strategy: "fixed" } });
      const reset = (await put(server, "reports", body)).json<CollectionView>();
      expect(reset).toMatchObject({ chunking: none, effective_chunking: server_default });
      expect((await get(server, "reports")).json()).toEqual(reset);
    },
  );

  test("an overlap of the server's gives way to smaller chunks", async () => {
    const server = await startServer();
    const { chunking, effective_chunking } = (
      await put(server, "short", { chunking: { max_tokens: 40 } })
    ).json<CollectionView>();
    expect(chunking.overlap_tokens).toBeNull();
    expect(effective_chunking).toEqual({ ...server_default, max_tokens: 40, overlap_tokens: 20 });
  });

  test.each([
    ["an unknown strategy", { chunking: { strategy: "semantic" } }, "strategy"],
    ["chunks too short", { chunking: { max_tokens: 15 } }, "max_tokens"],
    ["chunks too long", { chunking: { max_tokens: 8_193 } }, "max_tokens"],
    ["half a token", { chunking: { max_tokens: 16.5 } }, "max_tokens"],
    ["a negative overlap", { chunking: { overlap_tokens: -1 } }, "overlap_tokens"],
    ["an overlap too long", { chunking: { max_tokens: 8_192, overlap_tokens: 1_025 } }, "overlap_tokens"],
    ["an overlap of more than half", { chunking: { max_tokens: 100, overlap_tokens: 51 } }, "overlap_tokens"],
    [
      "an overlap of more than half of the server's chunks",
      { chunking: { overlap_tokens: 129 } },
      "server's",
    ],
    ["text for a flag", { chunking: { contextual_header: "yes" } }, "contextual_header"],
    ["an unknown setting", { chunking: { size: 3 } }, "size"],
    ["an unknown group", { embedding: {} }, "embedding"],
    ["no object", [], "body"],
  ])("%s is refused, and changes nothing", async (_, body, named) => {
    const server = await startServer();
    const before = (await put(server, "c", { chunking: { max_tokens: 500 } })).json();
    const answer = await put(server, "c", body);
    expect(answer.status).toBe(400);
    const problem = answer.problem();
    expect(problem.code).toBe("invalid_request");
    expect(JSON.stringify(problem)).toContain(named);
    expect((await get(server, "c")).json()).toEqual(before);
  });

  test("the most that is allowed is taken", async () => {
    const server = await startServer();
    const widest = { max_tokens: 8_192, overlap_tokens: 1_024 };
    expect((await put(server, "c", { chunking: widest })).json()).toMatchObject({ chunking: widest });
    expect((await put(server, "c", { chunking: { max_tokens: 16, overlap_tokens: 8 } })).status).toBe(200);
  });

  test("a name that no document can have is none of a collection", async () => {
    const server = await startServer();
    for (const name of ["-x", "a%20b", "x".repeat(101)]) {
      expect((await put(server, name, {})).status, name).toBe(400);
      expect((await get(server, name)).status, name).toBe(400);
    }
  });

  test("one that has neither settings nor documents is not there", async () => {
    const server = await startServer();
    expect((await get(server, "nothing")).problem()).toMatchObject({ code: "not_found", status: 404 });
    expect((await remove(server, "nothing")).problem()).toMatchObject({ code: "not_found", status: 404 });
    await server.upload("text", "filename=a.txt&collection=papers");
    const papers = (await get(server, "papers")).json<CollectionView>();
    expect(papers).toEqual({
      collection: "papers",
      documents: 1,
      chunking: none,
      effective_chunking: server_default,
      updated_at: null,
    });
    expect((await remove(server, "papers")).problem().code).toBe("not_found");
  });

  test("DELETE takes the settings and leaves the documents", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("text", "filename=a.txt&collection=papers");
    await put(server, "papers", { chunking: { strategy: "sentence" } });
    const answer = await remove(server, "papers");
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect((await get(server, "papers")).json()).toMatchObject({ documents: 1, chunking: none });
    expect((await server.request(`/v1/documents/${document_id}`)).status).toBe(200);
  });

  test("lists by pages those with settings and those with documents", async () => {
    const server = await startServer();
    for (const [text, collection] of [
      ["1", "b"],
      ["2", "d"],
      ["3", "d"],
    ])
      await server.upload(text as string, `filename=a.txt&collection=${collection}`);
    for (const name of ["a", "d", "e"]) await put(server, name, { chunking: { strategy: "page" } });
    const brief = ({ collections, next_cursor }: Awaited<ReturnType<typeof list>>) => ({
      found: collections.map(({ collection, documents, chunking: { strategy } }) => [
        collection,
        documents,
        strategy,
      ]),
      next_cursor,
    });
    const all = [
      ["a", 0, "page"],
      ["b", 1, null],
      ["d", 2, "page"],
      ["e", 0, "page"],
    ];
    expect(brief(await list(server))).toEqual({ found: all, next_cursor: null });
    const first = brief(await list(server, "?limit=3"));
    expect(first.found).toEqual(all.slice(0, 3));
    expect(brief(await list(server, `?limit=3&cursor=${first.next_cursor}`))).toEqual({
      found: all.slice(3),
      next_cursor: null,
    });
    expect((await server.request("/v1/collections?cursor=***")).status).toBe(400);
    expect((await server.request("/v1/collections?limit=0")).status).toBe(400);
  });

  test("tenants have collections of their own under the same name", async () => {
    const server = await startServer();
    const [a, b] = [await server.addKey("a"), await server.addKey("b")];
    await put(server, "shared", { chunking: { strategy: "page" } }, a);
    await server.upload("of a", "filename=a.txt&collection=shared", a);
    expect((await get(server, "shared", b)).status).toBe(404);
    expect((await list(server, "", b)).collections).toEqual([]);
    expect((await remove(server, "shared", b)).status).toBe(404);
    await put(server, "shared", { chunking: { strategy: "fixed" } }, b);
    expect((await get(server, "shared", a)).json()).toMatchObject({
      documents: 1,
      chunking: { strategy: "page" },
    });
    expect((await get(server, "shared", b)).json()).toMatchObject({
      documents: 0,
      chunking: { strategy: "fixed" },
    });
    expect((await remove(server, "shared", b)).status).toBe(204);
    expect((await get(server, "shared", a)).json()).toMatchObject({ chunking: { strategy: "page" } });
    for (const answer of [
      await get(server, "shared"),
      await put(server, "shared", {}),
      await remove(server, "shared"),
    ])
      expect(answer.problem().code).toBe("unauthorized");
  });
});
