import { createHash } from "node:crypto";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { SluiceError } from "../../../src/errors.ts";
import { blobOfUpload } from "../../../src/ids.ts";
import type { AcceptedAnswer, Problem } from "../../../src/server/schemas.ts";
import { startServer, type TestServer, until } from "../harness.ts";
import { createTusClient, encodeMetadata, type TusAnswer } from "../tus-client.ts";

interface State {
  upload_id: string;
  filename: string;
  size_bytes: number;
  offset: number;
  created_at: string;
  expires_at: string;
  accepted: AcceptedAnswer | null;
}

const text = "Resumable uploads go on where they were. ".repeat(5_000);
const sha256Of = (data: string) => createHash("sha256").update(data).digest("hex");
const codeOf = ({ text: body }: TusAnswer) => (JSON.parse(body) as Problem).code;
const idOf = (path: string) => path.split("/").at(-1) as string;
const stateOf = async (server: TestServer, path: string) => (await server.request(path)).json<State>();
const bytesKey = (path: string) => `default/${blobOfUpload(idOf(path))}`;

async function* once_(data: string) {
  yield Buffer.from(data);
}

async function documentsOf(server: TestServer) {
  return server.documents.listDocuments({ tenant_id: "default", limit: 10 });
}

/** A PATCH whose body has begun and does not go on. */
async function stuckPatch(server: TestServer, path: string, offset: number, begin: string, size: number) {
  const client = createTusClient(server.url);
  const patch = client.open("PATCH", path, {
    ...client.offsetHeaders(offset),
    "content-length": String(size),
  });
  patch.outgoing.on("error", () => {});
  patch.outgoing.write(begin);
  await until(async () => (await stateOf(server, path)).offset === offset + begin.length);
  return patch;
}

test("created, sent in pieces, and a document with these bytes", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(text.length, {
    filename: "dir/notes.txt",
    filetype: "text/plain",
    collection: "letters",
    metadata: '{"year":2026}',
    priority: "3",
  });
  expect(path).toMatch(/^\/v1\/uploads\/upl_[0-9a-f]{32}$/);
  expect(await stateOf(server, path)).toMatchObject({
    upload_id: idOf(path),
    filename: "notes.txt",
    size_bytes: text.length,
    offset: 0,
    accepted: null,
  });
  const first = await client.patch(path, 0, text.slice(0, 70_000));
  expect(first.status).toBe(204);
  expect(first.headers["upload-offset"]).toBe("70000");
  expect(Date.parse(first.headers["upload-expires"] as string)).toBeGreaterThan(Date.now());
  expect(first.headers["sluice-document-id"]).toBeUndefined();
  expect(await documentsOf(server)).toEqual([]);

  const last = await client.patch(path, 70_000, text.slice(70_000));
  expect(last.status).toBe(204);
  expect(last.headers["upload-offset"]).toBe(String(text.length));
  const [document, ...others] = await documentsOf(server);
  expect(others).toEqual([]);
  expect(document).toMatchObject({
    document_id: last.headers["sluice-document-id"],
    job_id: last.headers["sluice-job-id"],
    correlation_id: last.headers["sluice-correlation-id"],
    collection: "letters",
    filename: "notes.txt",
    metadata: { year: 2026 },
    size_bytes: text.length,
    sha256: sha256Of(text),
  });
  expect(last.headers).toMatchObject({
    "sluice-status": "pending",
    "sluice-version": "1",
    "sluice-duplicate": "false",
  });
  const file = await server.request(`/v1/documents/${document?.document_id}/file`);
  expect(file.text).toBe(text);

  const head = await client.head(path);
  expect(head.status).toBe(200);
  expect(head.headers).toMatchObject({
    "upload-offset": String(text.length),
    "upload-length": String(text.length),
    "sluice-document-id": document?.document_id,
    "cache-control": "no-store",
  });
  expect((await stateOf(server, path)).accepted).toMatchObject({
    document_id: document?.document_id,
    status_url: `/v1/documents/${document?.document_id}`,
  });
  const metrics = await server.request("/metrics");
  expect(metrics.text).toContain("sluice_upload_ack_seconds_count 1\n");
});

test("a connection cut in the middle: HEAD says where, and the rest completes it", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(text.length, { filename: "a.txt" });
  const patch = await stuckPatch(server, path, 0, text.slice(0, 123_456), text.length);
  patch.outgoing.destroy();
  const head = await client.head(path);
  expect(head.headers["upload-offset"]).toBe("123456");
  expect((await client.patch(path, 123_456, text.slice(123_456))).status).toBe(204);
  expect(await documentsOf(server)).toMatchObject([{ sha256: sha256Of(text) }]);
});

test("a client that comes back is not kept out by its own dead connection", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(text.length, { filename: "a.txt" });
  const dead = await stuckPatch(server, path, 0, text.slice(0, 100_000), text.length);
  const head = await client.head(path);
  expect(head.headers["upload-offset"]).toBe("100000");
  expect(await dead.answer).toMatchObject({ status: 204, headers: { "upload-offset": "100000" } });
  expect((await client.patch(path, 100_000, text.slice(100_000))).status).toBe(204);
});

test("a server that stops ends what runs, and says how much it has", async () => {
  const server = await startServer();
  const path = await createTusClient(server.url).create(text.length, { filename: "a.txt" });
  const patch = await stuckPatch(server, path, 0, text.slice(0, 100_000), text.length);
  const closed = server.app.close();
  const answer = await patch.answer;
  expect(answer).toMatchObject({ status: 204, headers: { "upload-offset": "100000", connection: "close" } });
  await closed;
  expect((await server.blobs.resumable.state(bytesKey(path)))?.size_bytes).toBe(100_000);
});

test("another offset than where it stands is refused, and changes nothing", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(10, { filename: "a.txt" });
  await client.patch(path, 0, "12345");
  for (const offset of [0, 4, 6, 10]) {
    const refused = await client.patch(path, offset, "x");
    expect(refused.status).toBe(409);
    expect(codeOf(refused)).toBe("upload_offset_mismatch");
    expect(refused.headers["content-type"]).toContain("application/problem+json");
  }
  expect((await stateOf(server, path)).offset).toBe(5);
});

test("more bytes than it was created for are refused, told or not, and those before are kept", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(10, { filename: "a.txt" });
  const told = await client.patch(path, 0, "12345678901");
  expect([told.status, codeOf(told)]).toEqual([413, "payload_too_large"]);
  await client.patch(path, 0, "12345");
  const chunked = await client.send("PATCH", path, client.offsetHeaders(5), "678901");
  expect([chunked.status, codeOf(chunked)]).toEqual([413, "payload_too_large"]);
  expect((await stateOf(server, path)).offset).toBe(5);
  expect(await documentsOf(server)).toEqual([]);
});

describe("creation", () => {
  const create = (
    server: TestServer,
    fields: Record<string, string | null>,
    more: Record<string, string> = {},
  ) =>
    createTusClient(server.url).send("POST", "/v1/uploads", {
      "upload-length": "5",
      "upload-metadata": encodeMetadata(fields),
      ...more,
    });

  test.each([
    [{ collection: "no such thing!" }, "collection"],
    [{ metadata: "{" }, "metadata"],
    [{ priority: "high" }, "priority"],
    [{ on_duplicate: "whatever" }, "on_duplicate"],
    [{ colection: "typo" }, "colection"],
  ])("wrong fields are refused: %j", async (fields, named) => {
    const server = await startServer();
    const refused = await create(server, fields);
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.text)).toMatchObject({ code: "invalid_request" });
    expect((JSON.parse(refused.text) as Problem).detail).toContain(named);
    expect(await server.blobCount()).toBe(0);
  });

  test("a file larger than may be, a document that isn't there, and a server that is full refuse at once", async () => {
    let full = false;
    const server = await startServer({
      max_upload_bytes: 100,
      admit: async () => {
        if (full) throw new SluiceError("queue_full", "full", { retry_after_ms: 5_000 });
        return () => {};
      },
    });
    const large = await create(server, { filename: "a.txt" }, { "upload-length": "101" });
    expect([large.status, codeOf(large)]).toEqual([413, "payload_too_large"]);
    const unknown = await create(server, { document_id: "doc_0" });
    expect([unknown.status, codeOf(unknown)]).toEqual([404, "not_found"]);
    full = true;
    const refused = await create(server, { filename: "a.txt" });
    expect([refused.status, codeOf(refused), refused.headers["retry-after"]]).toEqual([
      429,
      "queue_full",
      "5",
    ]);
    expect(await server.blobCount()).toBe(0);
    const told = await createTusClient(server.url).send("OPTIONS", "/v1/uploads");
    expect(told.headers).toMatchObject({
      "tus-version": "1.0.0",
      "tus-max-size": "100",
      "tus-extension": "creation,creation-with-upload,expiration,termination",
    });
  });

  test("may bring the first bytes, or all of them", async () => {
    const server = await startServer();
    const client = createTusClient(server.url);
    const post = (size: number, body: string) =>
      client.send(
        "POST",
        "/v1/uploads",
        {
          "upload-length": String(size),
          "upload-metadata": encodeMetadata({ filename: "a.txt" }),
          "content-type": "application/offset+octet-stream",
        },
        body,
      );
    const some = await post(10, "1234");
    expect([some.status, some.headers["upload-offset"]]).toEqual([201, "4"]);
    expect((await client.patch(some.headers.location as string, 4, "567890")).status).toBe(204);
    const all = await post(5, "whole");
    expect([all.status, all.headers["upload-offset"]]).toEqual([201, "5"]);
    expect(all.headers["sluice-document-id"]).toMatch(/^doc_/);
    expect(await documentsOf(server)).toHaveLength(2);
  });

  test("of an empty file is all of it", async () => {
    const server = await startServer();
    const client = createTusClient(server.url);
    const path = await client.create(0, { filename: "empty.txt" });
    expect((await stateOf(server, path)).accepted).not.toBeNull();
    expect(await documentsOf(server)).toMatchObject([{ size_bytes: 0 }]);
  });

  test("needs a length and the protocol's version", async () => {
    const server = await startServer();
    const client = createTusClient(server.url);
    expect(codeOf(await client.send("POST", "/v1/uploads"))).toBe("invalid_request");
    const deferred = await client.send("POST", "/v1/uploads", { "upload-defer-length": "1" });
    expect([deferred.status, codeOf(deferred)]).toEqual([400, "invalid_request"]);
    for (const version of ["", "0.2.2"]) {
      const old = await client.send("POST", "/v1/uploads", {
        "tus-resumable": version,
        "upload-length": "1",
      });
      expect([old.status, codeOf(old), old.headers["tus-version"]]).toEqual([
        412,
        "tus_version_unsupported",
        "1.0.0",
      ]);
    }
  });
});

describe("what can't be read", () => {
  const png = Buffer.concat([Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), Buffer.alloc(100_000)]);

  test("is refused as soon as its first bytes are there, and nothing of it stays", async () => {
    const server = await startServer({ max_upload_bytes: 1e9 });
    const client = createTusClient(server.url);
    const path = await client.create(500_000_000, { filename: "a.png" });
    const patch = client.open("PATCH", path, { ...client.offsetHeaders(0), "content-length": "500000000" });
    patch.outgoing.on("error", () => {});
    patch.outgoing.write(png);
    const refused = await patch.answer;
    expect([refused.status, codeOf(refused)]).toEqual([415, "unsupported_media_type"]);
    patch.outgoing.destroy();
    expect((await client.head(path)).status).toBe(404);
    expect(await server.blobCount()).toBe(0);
    expect(await server.blobs.resumable.state(bytesKey(path))).toBeUndefined();
  });

  test("also when these first bytes come one request at a time", async () => {
    const server = await startServer();
    const client = createTusClient(server.url);
    const path = await client.create(png.length, { filename: "a.png" });
    expect((await client.patch(path, 0, png.subarray(0, 5))).status).toBe(204);
    expect((await client.patch(path, 5, png.subarray(5, 40_000))).status).toBe(204);
    expect((await client.patch(path, 40_000, png.subarray(40_000, 80_000))).status).toBe(415);
    expect((await client.head(path)).status).toBe(404);
  });
});

test("another tenant's upload is not there", async () => {
  const server = await startServer();
  const [one, two] = [await server.addKey("one"), await server.addKey("two")];
  const mine = createTusClient(server.url, one);
  const theirs = createTusClient(server.url, two);
  const path = await mine.create(5, { filename: "a.txt" });
  expect((await createTusClient(server.url).head(path)).status).toBe(401);
  for (const answer of [
    await theirs.head(path),
    await theirs.patch(path, 0, "12345"),
    await theirs.send("DELETE", path),
    await theirs.send("GET", path),
    await mine.head("/v1/uploads/upl_nonsense"),
  ]) {
    expect(answer.status).toBe(404);
  }
  expect((await mine.patch(path, 0, "12345")).status).toBe(204);
});

test("given up, it is gone; a document that it became stays", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(10, { filename: "a.txt" });
  await client.patch(path, 0, "12345");
  expect((await client.send("DELETE", path)).status).toBe(204);
  expect((await client.head(path)).status).toBe(404);
  expect((await client.send("DELETE", path)).status).toBe(404);
  expect(await server.blobs.resumable.state(bytesKey(path))).toBeUndefined();
  expect(await server.blobCount()).toBe(0);

  const other = await client.create(5, { filename: "a.txt" });
  const done = await client.patch(other, 0, "12345");
  expect((await client.send("DELETE", other)).status).toBe(204);
  const file = await server.request(`/v1/documents/${done.headers["sluice-document-id"]}/file`);
  expect(file.text).toBe("12345");
});

test("where only POST gets through, it says what it means", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(5, { filename: "a.txt" });
  const headers = { ...client.offsetHeaders(0), "x-http-method-override": "PATCH" };
  expect((await client.send("POST", path, headers, "123")).headers["upload-offset"]).toBe("3");
  expect((await client.send("POST", path)).status).toBe(400);
  expect((await client.send("POST", path, { "x-http-method-override": "DELETE" })).status).toBe(204);
});

test("what came too long ago is gone", async () => {
  const server = await startServer({ upload_expiry_ms: 1 });
  const client = createTusClient(server.url);
  const path = await client.create(5, { filename: "a.txt" });
  await until(async () => (await client.head(path)).status === 410);
  const patch = await client.patch(path, 0, "12345");
  expect([patch.status, codeOf(patch)]).toEqual([410, "upload_expired"]);
});

test("all bytes and no document, for a server died: many who ask at once complete it once", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(text.length, { filename: "a.txt" });
  await server.blobs.resumable.append(bytesKey(path), 0, once_(text));
  const answers = await Promise.all([
    client.head(path),
    client.head(path),
    client.send("GET", path),
    client.patch(path, text.length, ""),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 204]);
  const documents = await documentsOf(server);
  expect(documents).toMatchObject([{ sha256: sha256Of(text) }]);
  expect((await stateOf(server, path)).accepted?.document_id).toBe(documents[0]?.document_id);
});

test("bytes that were there before answer that document, and are not kept twice", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const first = await server.upload("same bytes");
  const path = await client.create(10, { filename: "b.txt" });
  const done = await client.patch(path, 0, "same bytes");
  expect(done.headers).toMatchObject({
    "sluice-document-id": first.document_id,
    "sluice-duplicate": "true",
  });
  expect(await server.blobs.resumable.state(bytesKey(path))).toBeUndefined();
  expect((await client.head(path)).headers["upload-offset"]).toBe("10");
});

test("100-continue comes when nothing stands against the body, and not before a refusal", async () => {
  const server = await startServer();
  const client = createTusClient(server.url);
  const path = await client.create(5, { filename: "a.txt" });
  const open = (offset: number) => {
    const patch = client.open("PATCH", path, {
      ...client.offsetHeaders(offset),
      "content-length": "5",
      expect: "100-continue",
    });
    patch.outgoing.flushHeaders();
    return patch;
  };
  const refused = open(3);
  let continued = false;
  refused.outgoing.on("continue", () => {
    continued = true;
  });
  expect((await refused.answer).status).toBe(409);
  expect(continued).toBe(false);
  refused.outgoing.destroy();
  const welcome = open(0);
  await once(welcome.outgoing, "continue");
  welcome.outgoing.end("12345");
  expect((await welcome.answer).status).toBe(204);
});
