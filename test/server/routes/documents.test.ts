import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { newDocument, uploadCommit } from "../../../contracts/samples.ts";
import type { Document } from "../../../src/document.ts";
import type { AcceptedAnswer } from "../../../src/server/schemas.ts";
import { startServer, until } from "../harness.ts";

function form(entries: [string, string | Blob, string?][]): FormData {
  const data = new FormData();
  for (const [name, value, filename] of entries) {
    if (typeof value === "string") data.append(name, value);
    else data.append(name, value, filename);
  }
  return data;
}

const text = (content: string) => new Blob([content], { type: "text/plain" });

describe("POST /v1/documents with a raw body", () => {
  test("answers 202 with the ids, and the document is there", async () => {
    const server = await startServer();
    const answer = await server.request(
      `/v1/documents?collection=notes&priority=3&metadata=${encodeURIComponent('{"year":2024}')}&filename=dir/a%20b.txt`,
      { method: "POST", headers: { "content-type": "text/plain" }, body: "hello" },
    );
    expect(answer.status).toBe(202);
    const accepted = answer.json<AcceptedAnswer>();
    expect(accepted).toMatchObject({ status: "pending", version: 1, duplicate: false });
    expect(accepted.status_url).toBe(`/v1/documents/${accepted.document_id}`);
    expect(accepted.events_url).toBe(`/v1/documents/${accepted.document_id}/events`);
    expect(answer.headers.get("location")).toBe(accepted.status_url);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-request-id")).toMatch(/^req_/);
    const document = (await server.request(accepted.status_url)).json<Document>();
    expect(document).toMatchObject({
      document_id: accepted.document_id,
      tenant_id: "default",
      collection: "notes",
      filename: "a b.txt",
      media_type: "text/plain",
      size_bytes: 5,
      metadata: { year: 2024 },
      status: "pending",
    });
    expect(document).not.toHaveProperty("revision");
    expect((await server.queue.get(accepted.job_id))?.priority).toBe(3);
    const [event] = await server.documents.readEvents({ after: 0, limit: 10 });
    expect(event?.causation_id).toBe(answer.headers.get("x-request-id"));
  });

  test.each([
    ["application/json", '{"a":1}'],
    ["text/plain", "plain"],
    ["application/x-www-form-urlencoded", "a=b"],
    ["application/octet-stream", "bytes"],
  ])("takes %s as it is, whatever other routes do with that type", async (type, content) => {
    const server = await startServer();
    const answer = await server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      headers: { "content-type": type },
      body: content,
    });
    expect(answer.status).toBe(202);
    const { document_id } = answer.json<AcceptedAnswer>();
    expect((await server.request(`/v1/documents/${document_id}/file`)).text).toBe(content);
  });

  test("takes the filename from Content-Disposition", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("x", "", {
      "content-disposition": "attachment; filename=\"old.txt\"; filename*=UTF-8''%E2%82%AC.txt",
    });
    expect((await server.request(`/v1/documents/${document_id}`)).json<Document>().filename).toBe("€.txt");
  });

  test("refuses wrong options before it reads the body, and names every field", async () => {
    const server = await startServer();
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(64 * 1024));
        if (pulled === 1_000) controller.close();
      },
    });
    const answer = await server.request(
      "/v1/documents?collection=-bad&priority=high&metadata=no&colour=red",
      {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body,
        duplex: "half",
      } as RequestInit,
    );
    expect(answer.status).toBe(400);
    const { code, errors } = answer.problem();
    expect(code).toBe("invalid_request");
    expect(errors?.map(({ field }) => field).sort()).toEqual([
      "collection",
      "colour",
      "metadata",
      "priority",
    ]);
    expect(await server.blobCount()).toBe(0);
    expect(pulled).toBeLessThan(1_000);
  });

  test("refuses a declared length above the limit before it reads the body", async () => {
    const server = await startServer({ max_upload_bytes: 10 });
    const answer = await server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: "x".repeat(11),
    });
    expect(answer.status).toBe(413);
    expect(answer.problem()).toMatchObject({ code: "payload_too_large", retryable: false });
  });

  test("refuses an undeclared length at the limit, and keeps nothing", async () => {
    const server = await startServer({ max_upload_bytes: 100_000 });
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(64 * 1024).fill(65));
      },
    });
    const answer = await server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      body,
      duplex: "half",
    } as RequestInit);
    expect(answer.status).toBe(413);
    expect(await server.blobCount()).toBe(0);
  });

  test("refuses a type that can't be read, and keeps nothing", async () => {
    const server = await startServer();
    const answer = await server.request("/v1/documents?filename=a.png", {
      method: "POST",
      body: Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex"),
    });
    expect(answer.status).toBe(415);
    expect(answer.problem().code).toBe("unsupported_media_type");
    expect(await server.blobCount()).toBe(0);
  });

  test("no body and no name is no file; an empty file with a name is one", async () => {
    const server = await startServer();
    const none = await server.request("/v1/documents", { method: "POST" });
    expect(none.status).toBe(400);
    expect(none.problem().detail).toContain("no file");
    const empty = await server.request("/v1/documents?filename=empty.txt", { method: "POST" });
    expect(empty.status).toBe(202);
  });

  test("a document_id of nobody is not found", async () => {
    const server = await startServer();
    const answer = await server.request("/v1/documents?filename=a.txt&document_id=doc_none", {
      method: "POST",
      body: "x",
    });
    expect(answer.status).toBe(404);
    expect(await server.blobCount()).toBe(0);
  });

  test("asks for the body of an Expect: 100-continue only when the request is welcome", async () => {
    const server = await startServer({ max_upload_bytes: 100 });
    const head = (length: number) =>
      `POST /v1/documents?filename=a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`;
    const welcome = await converse(server.port, head(5), (received) =>
      received.includes("100 Continue") ? "hello" : undefined,
    );
    expect(welcome).toContain("HTTP/1.1 202");
    const refused = await converse(server.port, head(101), () => undefined);
    expect(refused).toContain("HTTP/1.1 413");
    expect(refused).not.toContain("100 Continue");
  });

  test("a client that goes away in the middle leaves nothing", async () => {
    const lines: Record<string, unknown>[] = [];
    const server = await startServer({ onLog: (line) => lines.push(line) });
    for (const head of [
      "POST /v1/documents?filename=a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" +
        "Idempotency-Key: k1\r\nContent-Length: 1000000\r\n\r\nbeginning",
      "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n" +
        "Idempotency-Key: k2\r\nContent-Length: 1000000\r\n\r\n" +
        '--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nbeginning',
    ]) {
      const key = /Idempotency-Key: (\w+)/.exec(head)?.[1] as string;
      const socket = connect(server.port, "127.0.0.1");
      socket.write(head);
      // While it runs, its key is taken; once it is free again, the upload has ended.
      const again = () =>
        server.request("/v1/documents?collection=-", { method: "POST", headers: { "idempotency-key": key } });
      expect((await again()).status).toBe(400);
      const taken = async () =>
        (await server.request("/v1/documents", { method: "POST", headers: { "idempotency-key": key } }))
          .status;
      await until(async () => (await taken()) === 409);
      socket.destroy();
      await until(async () => (await taken()) === 400);
    }
    expect(await server.blobCount()).toBe(0);
    expect(await server.documents.listDocuments({ tenant_id: "default", limit: 10 })).toEqual([]);
    expect(lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

describe("POST /v1/documents with multipart/form-data", () => {
  test.each(["before", "after"])("takes one file with fields %s it", async (place) => {
    const server = await startServer();
    const fields: [string, string][] = [
      ["collection", "notes"],
      ["metadata", '{"tags":["a","b"]}'],
      ["on_duplicate", "new_version"],
      ["priority", "-2"],
    ];
    const file: [string, Blob, string] = ["file", text("hello"), "ünï.txt"];
    const answer = await server.request("/v1/documents?collection=query", {
      method: "POST",
      body: form(place === "before" ? [...fields, file] : [file, ...fields]),
    });
    expect(answer.status).toBe(202);
    const accepted = answer.json<AcceptedAnswer>();
    expect(answer.headers.get("location")).toBe(accepted.status_url);
    const document = (await server.request(accepted.status_url)).json<Document>();
    expect(document).toMatchObject({
      collection: "notes",
      filename: "ünï.txt",
      metadata: { tags: ["a", "b"] },
      size_bytes: 5,
    });
    expect((await server.queue.get(accepted.job_id))?.priority).toBe(-2);
  });

  test("takes several files as one document each, in their order", async () => {
    const server = await startServer();
    const answer = await server.request("/v1/documents", {
      method: "POST",
      body: form([
        ["files", text("one"), "1.txt"],
        ["files", text("two"), "2.txt"],
        ["collection", "many"],
        ["files", text("one"), "again.txt"],
      ]),
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBeNull();
    const { documents } = answer.json<{ documents: AcceptedAnswer[] }>();
    expect(documents.map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
    expect(documents[2]?.document_id).toBe(documents[0]?.document_id);
    const names = await Promise.all(
      documents.map(async ({ status_url }) => (await server.request(status_url)).json<Document>().filename),
    );
    expect(names).toEqual(["1.txt", "2.txt", "1.txt"]);
    expect(await server.blobCount()).toBe(2);
  });

  test("bytes come through whole, whatever they are", async () => {
    const server = await startServer({ max_upload_bytes: 8 * 1024 * 1024 });
    // Full of what looks like the beginning of a boundary.
    const content = "\r\n--\r\n-\r\n--b\r".repeat(200_000);
    const answer = await server.request("/v1/documents", {
      method: "POST",
      body: form([["file", text(content), "a.txt"]]),
    });
    const { document_id } = answer.json<AcceptedAnswer>();
    const file = await server.request(`/v1/documents/${document_id}/file`);
    expect(file.text.length).toBe(content.length);
    expect(file.text === content).toBe(true);
  });

  test.each<[string, [string, string | Blob, string?][], string]>([
    ["no file", [["collection", "x"]], "no file"],
    [
      "a file without a name",
      [["file", new Blob(["x"], { type: "application/octet-stream" }), ""]],
      "no filename",
    ],
    [
      "an unknown field",
      [
        ["colour", "red"],
        ["file", text("x"), "a.txt"],
      ],
      "colour",
    ],
    [
      "metadata that is no JSON",
      [
        ["metadata", "{"],
        ["file", text("x"), "a.txt"],
      ],
      "metadata",
    ],
    [
      "metadata that is no object",
      [
        ["metadata", "[1]"],
        ["file", text("x"), "a.txt"],
      ],
      "metadata",
    ],
    [
      "a field that comes twice",
      [
        ["collection", "a"],
        ["collection", "b"],
        ["file", text("x"), "a.txt"],
      ],
      "twice",
    ],
    [
      "a document_id for two files",
      [
        ["document_id", "doc_1"],
        ["file", text("x"), "a.txt"],
        ["file", text("y"), "b.txt"],
      ],
      "document_id",
    ],
  ])("refuses %s, and keeps nothing", async (_what, entries, told) => {
    const server = await startServer();
    const answer = await server.request("/v1/documents", { method: "POST", body: form(entries) });
    expect(answer.status).toBe(400);
    expect(answer.problem()).toMatchObject({ code: "invalid_request", retryable: false });
    expect(answer.problem().detail).toContain(told);
    expect(await server.blobCount()).toBe(0);
  });

  test("refuses more than 100 files, and keeps nothing", async () => {
    const server = await startServer();
    const entries = Array.from({ length: 101 }, (_, i): [string, Blob, string] => [
      "f",
      text(`${i}`),
      `${i}.txt`,
    ]);
    const answer = await server.request("/v1/documents", { method: "POST", body: form(entries) });
    expect(answer.status).toBe(400);
    expect(answer.problem().detail).toContain("100 files");
    expect(await server.blobCount()).toBe(0);
  });

  test("refuses one file above the limit, and keeps nothing of the others", async () => {
    const server = await startServer({ max_upload_bytes: 100 });
    const answer = await server.request("/v1/documents", {
      method: "POST",
      body: form([
        ["f", text("small"), "a.txt"],
        ["f", text("x".repeat(300_000)), "big.txt"],
        ["f", text("small too"), "b.txt"],
      ]),
    });
    expect(answer.status).toBe(413);
    expect(answer.problem().detail).toContain("big.txt");
    expect(await server.blobCount()).toBe(0);
  });

  test.each([
    ["without a boundary", "multipart/form-data", "x"],
    [
      "that ends early",
      "multipart/form-data; boundary=b",
      '--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nx',
    ],
    ["that is none", "multipart/form-data; boundary=b", "nothing of the kind"],
  ])("refuses a body %s", async (_what, type, body) => {
    const server = await startServer();
    const answer = await server.request("/v1/documents", {
      method: "POST",
      headers: { "content-type": type },
      body,
    });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.problem().code).toBe("invalid_request");
    expect(await server.blobCount()).toBe(0);
  });
});

describe("the same bytes again", () => {
  test("answer the existing document; 200 once its ingestion has ended", async () => {
    const server = await startServer();
    const first = await server.upload("same");
    const pending = await server.upload("same");
    expect(pending).toEqual({ ...first, duplicate: true });
    await server.complete(first.document_id, "same");
    const ended = await server.request("/v1/documents?filename=other.txt", { method: "POST", body: "same" });
    expect(ended.status).toBe(200);
    expect(ended.json()).toEqual({ ...first, duplicate: true, status: "completed" });
    expect(ended.headers.get("location")).toBe(first.status_url);
    expect((await server.upload("same", "filename=a.txt&collection=other")).document_id).not.toBe(
      first.document_id,
    );
    expect(await server.upload("same", "filename=a.txt&on_duplicate=new_version")).toMatchObject({
      document_id: first.document_id,
      version: 2,
    });
  });
});

describe("Idempotency-Key", () => {
  test("the same request gives the same answer, marked as replayed", async () => {
    const server = await startServer();
    const send = (key: string) =>
      server.request("/v1/documents?filename=a.txt", {
        method: "POST",
        headers: { "idempotency-key": key },
        body: "once",
      });
    const first = await send('"key-1"');
    const again = await send("key-1");
    expect(again.status).toBe(first.status);
    expect(again.json()).toEqual(first.json());
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await server.documents.lastSequence()).toBe(1);
    expect(await server.blobCount()).toBe(1);
  });

  test("with another payload: 422", async () => {
    const server = await startServer();
    await server.upload("one", "filename=a.txt", { "idempotency-key": "k" });
    const other = await server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      headers: { "idempotency-key": "k" },
      body: "two",
    });
    expect(other.status).toBe(422);
    expect(other.problem().code).toBe("idempotency_key_reused");
    expect(await server.blobCount()).toBe(1);
  });

  test("while the first still runs: 409 with Retry-After", async () => {
    const server = await startServer();
    let finish = () => {};
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from("begin"));
        finish = () => controller.close();
      },
    });
    const first = server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      headers: { "idempotency-key": "k" },
      body,
      duplex: "half",
    } as RequestInit);
    const second = () =>
      server.request("/v1/documents", { method: "POST", headers: { "idempotency-key": "k" } });
    await until(async () => (await second()).status === 409);
    const refused = await second();
    expect(refused.problem()).toMatchObject({ code: "idempotency_key_in_use", retryable: true });
    expect(refused.headers.get("retry-after")).toBe("1");
    finish();
    expect((await first).status).toBe(202);
  });

  test.each(["", '""', "k".repeat(256)])("refuses %j as a key", async (key) => {
    const server = await startServer();
    const answer = await server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      headers: { "idempotency-key": key },
      body: "x",
    });
    expect(answer.status).toBe(400);
    expect(answer.problem().detail).toContain("Idempotency-Key");
  });
});

describe("GET /v1/documents", () => {
  test("pages through, newest first, by collection and status", async () => {
    const server = await startServer();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await server.upload(`n${i}`, `filename=a.txt&collection=c${i % 2}`)).document_id);
    }
    const page = async (query: string) => {
      const { documents, next_cursor } = (await server.request(`/v1/documents?${query}`)).json<{
        documents: Document[];
        next_cursor: string | null;
      }>();
      return { ids: documents.map(({ document_id }) => document_id), next_cursor };
    };
    const first = await page("limit=2");
    expect(first.ids).toEqual(ids.slice(0, 2));
    const second = await page(`limit=2&cursor=${first.next_cursor}`);
    expect(second.ids).toEqual(ids.slice(2, 4));
    const third = await page(`limit=2&cursor=${second.next_cursor}`);
    expect(third).toEqual({ ids: ids.slice(4), next_cursor: null });
    expect((await page("limit=5")).next_cursor).toBeNull();
    expect((await page("collection=c1")).ids).toEqual([ids[1], ids[3]]);
    await server.start(ids[2] as string);
    expect((await page("status=processing")).ids).toEqual([ids[2]]);
  });

  test("lists what came inside a document; of another tenant's there is nothing to know", async () => {
    const server = await startServer();
    const parent = await server.upload("parent");
    const inside: string[] = [];
    for (const place of [1, 2, 3]) {
      const record = newDocument(server.system, {
        tenant_id: "default",
        parent_document_id: parent.document_id,
        filename: `${place}.txt`,
      });
      await server.documents.commit([uploadCommit(server.system, record)]);
      inside.push(record.document_id);
    }
    // Newest first; those of one millisecond in any order that stays.
    inside.sort().reverse();
    const ask = async (query: string) => server.request(`/v1/documents?${query}`);
    const first = (await ask(`parent_document_id=${parent.document_id}&limit=2`)).json<{
      documents: Document[];
      next_cursor: string;
    }>();
    expect(first.documents.map(({ document_id }) => document_id)).toEqual(inside.slice(0, 2));
    expect(first.documents[0]?.parent_document_id).toBe(parent.document_id);
    const rest = await ask(`parent_document_id=${parent.document_id}&cursor=${first.next_cursor}`);
    expect(rest.json<{ documents: Document[] }>().documents.map((each) => each.document_id)).toEqual(
      inside.slice(2),
    );
    const foreign = newDocument(server.system, { tenant_id: "other" });
    await server.documents.commit([uploadCommit(server.system, foreign)]);
    for (const unknown of [foreign.document_id, "doc_none"]) {
      const answer = await ask(`parent_document_id=${unknown}`);
      expect(answer.status).toBe(404);
      expect(answer.problem().code).toBe("not_found");
    }
  });

  test.each(["limit=0", "limit=201", "limit=x", "cursor=***", "status=lost", "page=2"])(
    "refuses %s",
    async (query) => {
      const server = await startServer();
      const answer = await server.request(`/v1/documents?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.problem().detail).toContain(query.split("=")[0]);
    },
  );
});

describe("DELETE and reingest", () => {
  test("a deleted document is gone at once; a job erases it", async () => {
    const server = await startServer();
    const { document_id, correlation_id, job_id } = await server.upload("x");
    const answer = await server.request(`/v1/documents/${document_id}`, { method: "DELETE" });
    expect(answer.status).toBe(202);
    const deletion = answer.json<{ job_id: string }>();
    expect(deletion).toEqual({ document_id, correlation_id, job_id: expect.stringMatching(/^job_/) });
    expect((await server.request(`/v1/documents/${document_id}`)).status).toBe(404);
    expect((await server.request(`/v1/documents/${document_id}`, { method: "DELETE" })).status).toBe(404);
    expect((await server.request(`/v1/documents/${document_id}/reingest`, { method: "POST" })).status).toBe(
      404,
    );
    expect((await server.queue.get(job_id))?.state).toBe("cancelled");
    expect((await server.queue.get(deletion.job_id))?.job_type).toBe("delete_document");
  });

  test("reingest makes a new version; while one is under way, that one is answered", async () => {
    const server = await startServer();
    const first = await server.upload("x");
    const early = await server.request(`/v1/documents/${first.document_id}/reingest`, { method: "POST" });
    expect(early.status).toBe(202);
    expect(early.json()).toEqual({ ...first, duplicate: true });
    await server.complete(first.document_id, "x");
    const answer = await server.request(`/v1/documents/${first.document_id}/reingest`, { method: "POST" });
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe(first.status_url);
    expect(answer.json()).toMatchObject({ version: 2, status: "pending", duplicate: false });
  });
});

/** Sends a head, then whatever `reply` gives for what was received, until the server closes. */
function converse(
  port: number,
  head: string,
  reply: (received: string) => string | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    let replied = false;
    const socket = connect(port, "127.0.0.1");
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      received += part;
      const more = replied ? undefined : reply(received);
      if (more !== undefined) {
        replied = true;
        socket.write(more);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
    socket.write(head);
  });
}
