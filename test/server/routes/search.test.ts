import { describe, expect, test } from "vitest";
import type { SearchAnswer } from "../../../src/search/search.ts";
import { json, startServer } from "../harness.ts";

describe("POST /v1/search", () => {
  test("answers hits that can be cited", async () => {
    const server = await startServer();
    const query = `filename=notes.txt&collection=c&metadata=${encodeURIComponent('{"year":2024}')}`;
    const { document_id } = await server.upload("a", query);
    const text = "the lazy dog\nthe quick fox";
    await server.complete(document_id, text);
    const answer = await server.request(
      "/v1/search",
      json({ query: "fox", collection: "c", filter: { year: { gte: 2020 } }, mode: "keyword", top_k: 5 }),
    );
    expect(answer.status).toBe(200);
    const { hits } = answer.json<SearchAnswer>();
    expect(hits).toHaveLength(1);
    expect(hits[0]).toMatchObject({
      document_id,
      version: 1,
      text: "the quick fox",
      filename: "notes.txt",
      heading_path: ["Top"],
      metadata: { year: 2024 },
      page: null,
      match: { vector: null, keyword: { rank: 1, score: expect.any(Number) } },
    });
    expect(text.slice(hits[0]?.char_start, hits[0]?.char_end)).toBe(hits[0]?.text);
    const hybrid = await server.request("/v1/search", json({ query: "fox" }));
    expect(hybrid.json<SearchAnswer>().hits[0]).toMatchObject({
      text: "the quick fox",
      match: { vector: { rank: expect.any(Number) }, keyword: { rank: 1 } },
    });
    const both = json({ query: "the dog or the fox", mode: "keyword", expand: "section" });
    const sections = (await server.request("/v1/search", both)).json<SearchAnswer>().hits;
    expect(sections.map(({ section }) => section)).toEqual([
      { text: "the lazy dog the quick fox", char_start: 0, char_end: text.length },
    ]);
    const elsewhere = await server.request("/v1/search", json({ query: "fox", collection: "d" }));
    expect(elsewhere.json<SearchAnswer>().hits).toEqual([]);
  });

  test.each([
    [{}, "query"],
    [{ query: "x", top_k: 0 }, "top_k"],
    [{ query: "x", mode: "magic" }, "mode"],
    [{ query: "x", filter: { a: { near: 1 } } }, "filter.a.near"],
    [{ query: "x", colour: "red" }, "colour"],
    [{ query: "x", expand: "document" }, "expand"],
  ])("refuses %j and names the field", async (request, field) => {
    const server = await startServer();
    const answer = await server.request("/v1/search", json(request));
    expect(answer.status).toBe(400);
    expect(answer.problem().errors?.map((error) => error.field)).toContain(field);
  });

  test("refuses what is no JSON, and a body that is too large", async () => {
    const server = await startServer();
    const send = (body: string, type: string) =>
      server.request("/v1/search", { method: "POST", headers: { "content-type": type }, body });
    expect((await send("{", "application/json")).problem().code).toBe("invalid_request");
    expect((await send("query=x", "application/x-www-form-urlencoded")).problem().detail).toContain(
      "application/json",
    );
    const large = await send(JSON.stringify({ query: "x".repeat(2 * 1024 * 1024) }), "application/json");
    expect(large.status).toBe(413);
    expect(large.problem().code).toBe("payload_too_large");
  });
});
