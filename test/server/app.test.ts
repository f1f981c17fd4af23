import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { createMemoryBlobStore } from "../../src/adapters/memory/blob-store.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { AcceptedAnswer } from "../../src/server/schemas.ts";
import { startServer } from "./harness.ts";

const MB = 1024 * 1024;

/** Counts and hashes what is put, and keeps none of it: a memory store would hide what the server holds. */
function createSink(): { blobs: BlobStore; peak: () => number } {
  let peak = 0;
  const blobs: BlobStore = {
    ...createMemoryBlobStore(),
    async put(_key, source) {
      const hash = createHash("sha256");
      let size_bytes = 0;
      for await (const bytes of source) {
        size_bytes += bytes.byteLength;
        hash.update(bytes);
        if ((size_bytes & (MB - 1)) < bytes.byteLength) peak = Math.max(peak, process.memoryUsage().rss);
      }
      return { size_bytes, sha256: hash.digest("hex") };
    },
  };
  return { blobs, peak: () => peak };
}

/** Sends `size` bytes from one small buffer, waiting for the socket, so that the sender holds nothing either. */
function stream(url: string, headers: Record<string, string>, head: string, size: number, tail: string) {
  const piece = Buffer.alloc(64 * 1024, "The quick brown fox jumps over the lazy dog.\r\n");
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = httpRequest(url, { method: "POST", headers }, (response) => {
      let text = "";
      response.on("data", (part) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode as number, text }));
    });
    request.on("error", reject);
    request.write(head);
    let left = size / piece.length;
    const more = () => {
      while (left > 0) {
        left--;
        if (!request.write(piece)) return void request.once("drain", more);
      }
      request.end(tail);
    };
    more();
  });
}

describe("large uploads", () => {
  const part =
    '--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n';
  test.each([
    ["raw", { "content-type": "text/plain" }, "", ""],
    ["multipart", { "content-type": "multipart/form-data; boundary=b" }, part, "\r\n--b--\r\n"],
  ])("%s: memory stays flat however large the file", async (_form, headers, head, tail) => {
    const sink = createSink();
    const server = await startServer({ blobs: sink.blobs, max_upload_bytes: 1024 * MB });
    const url = `${server.url}/v1/documents?filename=a.txt`;
    // What the first bytes cost (buffers, compiled code) is not what is measured.
    expect((await stream(url, headers, head, 64 * MB, tail)).status).toBe(202);
    const before = sink.peak();
    const answer = await stream(url, headers, head, 320 * MB, tail);
    expect(answer.status, answer.text).toBe(202);
    const { document_id } = JSON.parse(answer.text) as AcceptedAnswer;
    expect((await server.documents.getDocument("default", document_id))?.size_bytes).toBe(320 * MB);
    // A server that held the file would need 256 MB more; what is left is garbage not collected yet.
    expect(sink.peak() - before).toBeLessThan(100 * MB);
  });
});

describe("close", () => {
  test("lets a request in flight finish, and leaves no connection behind", async () => {
    let began = () => {};
    const beginning = new Promise<void>((resolve) => {
      began = resolve;
    });
    const memory = createMemoryBlobStore();
    const blobs: BlobStore = {
      ...memory,
      put: (key, source, options) => {
        began();
        return memory.put(key, source, options);
      },
    };
    const server = await startServer({ blobs });
    const unused = connect(server.port, "127.0.0.1");
    const cut = new Promise((resolve) => unused.once("close", resolve));
    await new Promise((resolve) => unused.once("connect", resolve));
    let finish = () => {};
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from("begin"));
        finish = () => controller.close();
      },
    });
    const upload = server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      body,
      duplex: "half",
    } as RequestInit);
    await beginning;
    const closed = server.app.close();
    await cut;
    finish();
    const answer = await upload;
    expect(answer.status).toBe(202);
    expect(answer.headers.get("connection")).toBe("close");
    await closed;
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  test("refuses a request that comes on an open connection meanwhile", async () => {
    const server = await startServer();
    // The first request holds the connection; the second, behind it on the same one, is read when the first is done.
    const socket = connect(server.port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      received += text;
    });
    const ended = new Promise((resolve) => socket.once("close", resolve));
    const arrived = new Promise<void>((resolve) => server.app.server.once("request", () => resolve()));
    socket.write(
      "POST /v1/documents?filename=a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" +
        "Content-Length: 5\r\n\r\nhel",
    );
    await arrived;
    const closing = new Promise<void>((resolve) => server.app.server.once("close", () => resolve()));
    const closed = server.app.close();
    await expect.poll(() => server.app.server.listening).toBe(false);
    socket.write("loGET /v1/documents HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await Promise.all([ended, closing, closed]);
    expect(received).toContain("HTTP/1.1 202 Accepted");
    expect(received).not.toContain("HTTP/1.1 200");
  });
});

test("log lines carry the ids that an operator looks for, and no query", async () => {
  const lines: Record<string, unknown>[] = [];
  const server = await startServer({ onLog: (line) => lines.push(line) });
  const accepted = await server.upload("x", "filename=secret-name.txt");
  await server.request(`/v1/documents/${accepted.document_id}`);
  const [upload, look] = lines.filter(({ msg }) => msg === "request");
  expect(upload).toMatchObject({
    method: "POST",
    path: "/v1/documents",
    status: 202,
    tenant_id: "default",
    document_id: accepted.document_id,
    job_id: accepted.job_id,
    correlation_id: accepted.correlation_id,
    request_id: expect.stringMatching(/^req_/),
    ms: expect.any(Number),
  });
  expect(look).toMatchObject({ status: 200, document_id: accepted.document_id });
  expect(JSON.stringify(lines)).not.toContain("secret-name");
});
