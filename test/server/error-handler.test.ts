import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { createMemoryBlobStore } from "../../src/adapters/memory/blob-store.ts";
import { SluiceError } from "../../src/errors.ts";
import { startServer } from "./harness.ts";

describe("problems", () => {
  test("tell what, where, whether to retry and under which request id", async () => {
    const server = await startServer();
    const missing = await server.request("/v1/documents/doc_none?secret=1", { method: "DELETE" });
    expect(missing.problem()).toEqual({
      type: "/docs/errors#not_found",
      title: "There is no such thing here",
      status: 404,
      detail: "There is no document doc_none.",
      instance: "/v1/documents/doc_none",
      code: "not_found",
      retryable: false,
      request_id: missing.headers.get("x-request-id"),
    });
    expect(missing.headers.get("cache-control")).toBe("no-store");
  });

  test.each([
    ["GET", "/nothing"],
    ["PUT", "/v1/documents"],
    ["GET", "/v1/nothing"],
    ["GET", "/v1/documents/%ff"],
  ])("an unknown route is one too: %s %s", async (method, path) => {
    const server = await startServer();
    const answer = await server.request(path, { method });
    expect([400, 404]).toContain(answer.status);
    expect(["not_found", "invalid_request"]).toContain(answer.problem().code);
  });

  test("what nobody foresaw is logged with its stack and leaks nothing", async () => {
    const lines: Record<string, unknown>[] = [];
    const broken = () => Promise.reject(new Error("password=hunter2 at /etc/secret"));
    const server = await startServer({
      blobs: { ...createMemoryBlobStore(), put: broken },
      onLog: (line) => lines.push(line),
    });
    const answer = await server.request("/v1/documents?filename=a.txt", { method: "POST", body: "x" });
    expect(answer.status).toBe(500);
    expect(answer.problem()).toMatchObject({ code: "internal", retryable: true });
    expect(answer.text).not.toContain("hunter2");
    const logged = lines.filter(({ level }) => level === 50);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatchObject({
      request_id: answer.headers.get("x-request-id"),
      err: {
        message: "password=hunter2 at /etc/secret",
        stack: expect.stringContaining("error-handler.test"),
      },
    });
  });

  test("Retry-After is what the error knows, rounded up", async () => {
    const busy = () =>
      Promise.reject(new SluiceError("storage_unavailable", "locked", { retry_after_ms: 2_500 }));
    const server = await startServer({ blobs: { ...createMemoryBlobStore(), put: busy } });
    const answer = await server.request("/v1/documents?filename=a.txt", { method: "POST", body: "x" });
    expect(answer.headers.get("retry-after")).toBe("3");
  });

  test("what is no HTTP is answered on the bare socket", async () => {
    const server = await startServer();
    const received = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connect(server.port, "127.0.0.1", () => socket.write("NONSENSE\r\n\r\n"));
      socket.on("data", (part) => {
        text += part.toString();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
    });
    expect(received).toContain("HTTP/1.1 400 Bad Request");
    expect(received).toContain('"code":"invalid_request"');
  });
});
