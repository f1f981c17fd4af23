import { describe, expect, test } from "vitest";
import type { Chunk } from "../../../src/chunk.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import { startServer, type TestServer } from "../harness.ts";

describe("GET …/events", () => {
  test("tells the journey, by pages, also after the document was deleted", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("one\ntwo");
    await server.upload("of another");
    await server.complete(document_id, "one\ntwo");
    await server.request(`/v1/documents/${document_id}`, { method: "DELETE" });
    const read = async (query: string) =>
      (await server.request(`/v1/documents/${document_id}/events?${query}`)).json<{
        events: SluiceEvent[];
        next_after: number;
      }>();
    const all = await read("");
    expect(all.events.map(({ event_type }) => event_type)).toEqual([
      "rag.document.uploaded",
      "rag.ingestion.started",
      "rag.ingestion.stage_completed",
      "rag.ingestion.completed",
      "rag.document.deleted",
    ]);
    const first = await read("limit=2");
    expect(first.events).toEqual(all.events.slice(0, 2));
    expect((await read(`after=${first.next_after}`)).events).toEqual(all.events.slice(2));
    expect(await read(`after=${all.next_after}`)).toEqual({ events: [], next_after: all.next_after });
  });

  test("of no document: 404", async () => {
    const server = await startServer();
    expect((await server.request("/v1/documents/doc_none/events")).status).toBe(404);
  });
});

describe("GET …/versions", () => {
  test("lists every set of bytes, and not where they lie", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("old");
    await server.upload("newer", `filename=b.txt&document_id=${document_id}`);
    const answer = await server.request(`/v1/documents/${document_id}/versions`);
    const { versions } = answer.json<{ versions: Record<string, unknown>[] }>();
    expect(versions).toMatchObject([
      { version: 1, filename: "a.txt", size_bytes: 3 },
      { version: 2, filename: "b.txt", size_bytes: 5 },
    ]);
    expect(answer.text).not.toContain("blob");
    expect((await server.request("/v1/documents/doc_none/versions")).status).toBe(404);
  });
});

describe("GET …/text and …/chunks", () => {
  test("are not ready before the stages that make them", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("one\ntwo");
    for (const part of ["text", "chunks"]) {
      const answer = await server.request(`/v1/documents/${document_id}/${part}`);
      expect(answer.status).toBe(409);
      expect(answer.problem()).toMatchObject({ code: "not_ready", retryable: true });
      expect((await server.request(`/v1/documents/doc_none/${part}`)).status).toBe(404);
    }
  });

  test("give what came out of the document", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("a");
    const text = "Grüße €\ntwo\nthree";
    await server.complete(document_id, text);
    const answer = await server.request(`/v1/documents/${document_id}/text`);
    expect(answer.text).toBe(text);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const head = await server.request(`/v1/documents/${document_id}/text`, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect((await server.request(`/v1/documents/${document_id}/text?version=1`)).text).toBe(text);
    expect((await server.request(`/v1/documents/${document_id}/text?version=2`)).status).toBe(404);
    const stretch = async (query: string) =>
      (await server.request(`/v1/documents/${document_id}/text?${query}`)).text;
    expect(await stretch("char_start=6&char_end=11")).toBe("€\ntwo");
    expect(await stretch("char_start=12")).toBe("three");
    expect(await stretch("char_end=5")).toBe("Grüße");
    expect(await stretch("char_start=90&char_end=95")).toBe("");
    expect(await stretch("char_start=0&char_end=900")).toBe(text);
    expect((await server.request(`/v1/documents/${document_id}/text?char_start=-1`)).status).toBe(400);

    const page = async (query: string) =>
      (await server.request(`/v1/documents/${document_id}/chunks?${query}`)).json<{
        chunks: Chunk[];
        next_cursor: string | null;
      }>();
    const first = await page("limit=2");
    expect(first.chunks.map((chunk) => chunk.text)).toEqual(["Grüße €", "two"]);
    for (const chunk of first.chunks) {
      expect(text.slice(chunk.char_start, chunk.char_end)).toBe(chunk.text);
      expect(chunk).not.toHaveProperty("vector");
    }
    const second = await page(`limit=2&cursor=${first.next_cursor}`);
    expect(second.chunks.map((chunk) => chunk.text)).toEqual(["three"]);
    expect(second.next_cursor).toBeNull();
  });

  test("a text that an earlier release stored otherwise is told as such, and not as empty", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("a");
    const record = await server.complete(document_id, "old");
    await server.documents.commit([
      {
        tenant_id: record.tenant_id,
        document: { record, expect_revision: record.revision },
        checkpoint: { stage: "extracting", data: { text_key: "default/text" } },
      },
    ]);
    const answer = await server.request(`/v1/documents/${document_id}/text`);
    expect(answer.status).toBe(404);
    expect(answer.problem().detail).toContain("/reingest");
  });

  test("are of the searchable version while a newer one is made; a page of a replaced version is gone", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("a");
    await server.complete(document_id, "old\nolder");
    const { next_cursor } = (await server.request(`/v1/documents/${document_id}/chunks?limit=1`)).json<{
      next_cursor: string;
    }>();
    await server.upload("b", `filename=b.txt&document_id=${document_id}`);
    expect((await server.request(`/v1/documents/${document_id}/text`)).text).toBe("old\nolder");
    expect((await server.request(`/v1/documents/${document_id}/text?version=2`)).status).toBe(409);
    await server.complete(document_id, "new");
    expect((await server.request(`/v1/documents/${document_id}/text`)).text).toBe("new");
    const stale = await server.request(`/v1/documents/${document_id}/chunks?cursor=${next_cursor}`);
    expect(stale.status).toBe(404);
    for (const cursor of ["***", Buffer.from("1").toString("base64url")]) {
      expect((await server.request(`/v1/documents/${document_id}/chunks?cursor=${cursor}`)).status).toBe(400);
    }
  });
});

describe("GET …/file", () => {
  async function withFile(server: TestServer, filename = "a.txt") {
    const { document_id } = await server.upload("0123456789", `filename=${encodeURIComponent(filename)}`);
    return (headers: Record<string, string> = {}, method = "GET", query = "") =>
      server.request(`/v1/documents/${document_id}/file${query}`, { method, headers });
  }

  test("gives the original bytes, as a download that no browser runs", async () => {
    const server = await startServer();
    const get = await withFile(server, 'Grüße "5%".txt');
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(answer.text).toBe("0123456789");
    const headers = Object.fromEntries(answer.headers);
    expect(headers).toMatchObject({
      "content-type": "text/plain",
      "content-length": "10",
      "accept-ranges": "bytes",
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox",
      "cache-control": "no-store",
      "content-disposition":
        'attachment; filename="Gr__e \\"5%\\".txt"; filename*=UTF-8\'\'Gr%C3%BC%C3%9Fe%20%225%25%22.txt',
    });
    expect(headers.etag).toMatch(/^"[0-9a-f]{64}"$/);
    const head = await get({}, "HEAD");
    expect(head.headers.get("content-length")).toBe("10");
    expect((await get({ "if-none-match": headers.etag as string })).status).toBe(304);
    expect((await get({ "if-none-match": '"other"' })).status).toBe(200);
  });

  test.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=4-", "456789", "bytes 4-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=8-100", "89", "bytes 8-9/10"],
  ])("gives the range %s", async (range, text, content_range) => {
    const server = await startServer();
    const answer = await (await withFile(server))({ range });
    expect(answer.status).toBe(206);
    expect(answer.text).toBe(text);
    expect(answer.headers.get("content-range")).toBe(content_range);
    expect(answer.headers.get("content-length")).toBe(String(text.length));
  });

  test("a range beyond the end: 416; of other bytes than the client has: everything", async () => {
    const server = await startServer();
    const get = await withFile(server);
    const beyond = await get({ range: "bytes=10-" });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get("content-range")).toBe("bytes */10");
    expect((await get({ range: "bytes=0-1", "if-range": '"other"' })).text).toBe("0123456789");
    expect((await get({ range: "bytes=0-1,4-5" })).status).toBe(200);
  });

  test("of an older version; of none: 404", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("old");
    await server.upload("newer", `filename=b.txt&document_id=${document_id}`);
    const get = (query: string) => server.request(`/v1/documents/${document_id}/file${query}`);
    expect((await get("")).text).toBe("newer");
    expect((await get("?version=1")).text).toBe("old");
    expect((await get("?version=3")).status).toBe(404);
    expect((await get("?version=0")).status).toBe(400);
  });

  test("whose bytes are lost: an error that says so", async () => {
    const server = await startServer();
    const get = await withFile(server);
    for await (const { key } of server.blobs.list("")) await server.blobs.delete(key);
    const answer = await get();
    expect(answer.status).toBe(500);
    expect(answer.problem().code).toBe("blob_missing");
  });
});
