/** Pages of other origins, as their browsers ask. */
import { describe, expect, test } from "vitest";
import { startServer, type TestServer, until } from "./harness.ts";
import { openSocket, openSse } from "./subscribers.ts";

const APP = "https://app.example";
const options = { allowed_origins: [APP, "tauri://localhost"] };

function preflight(server: TestServer, path: string, origin: string, method = "POST") {
  return fetch(server.url + path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization,content-type,sluice-tenant,upload-offset",
    },
  });
}

const listOf = (response: { headers: Headers }, name: string) =>
  (response.headers.get(name) ?? "").toLowerCase().split(/, */);

describe("with allowed origins", () => {
  test("a preflight needs no key, and says what may be sent", async () => {
    const server = await startServer(options);
    await server.addKey("t1");
    for (const path of ["/v1/documents", "/v1/keys/key_1", "/v1/uploads", "/v1/events/stream"]) {
      const response = await preflight(server, path, APP, "PATCH");
      expect(response.status, path).toBe(204);
      expect(response.headers.get("access-control-allow-origin")).toBe(APP);
      expect(response.headers.get("vary")).toContain("Origin");
      expect(response.headers.has("access-control-allow-credentials")).toBe(false);
      expect(listOf(response, "access-control-allow-methods")).toEqual(
        expect.arrayContaining(["get", "post", "put", "patch", "delete", "head"]),
      );
      expect(listOf(response, "access-control-allow-headers")).toEqual(
        expect.arrayContaining([
          "authorization",
          "content-type",
          "idempotency-key",
          "sluice-tenant",
          "last-event-id",
          "tus-resumable",
          "upload-length",
          "upload-offset",
          "upload-metadata",
          "x-http-method-override",
          "x-request-id",
        ]),
      );
    }
  });

  test("answers and refusals alike can be read, with the headers that matter", async () => {
    const server = await startServer(options);
    const key = await server.addKey("t1");
    const headers = { origin: APP, "content-type": "text/plain" };
    const path = "/v1/documents?filename=a.txt";
    const made = await server.request(path, { method: "POST", headers: { ...headers, ...key }, body: "x" });
    expect(made.status).toBe(202);
    const refused = await server.request(path, { method: "POST", headers, body: "x" });
    expect(refused.status).toBe(401);
    for (const answer of [made, refused]) {
      expect(answer.headers.get("access-control-allow-origin")).toBe(APP);
      expect(listOf(answer, "access-control-expose-headers")).toEqual(
        expect.arrayContaining([
          "location",
          "retry-after",
          "idempotency-replayed",
          "tus-resumable",
          "upload-offset",
          "upload-expires",
          "sluice-document-id",
          "x-request-id",
        ]),
      );
    }
    const other = await server.request("/v1/documents", { headers: { ...key, origin: "tauri://localhost" } });
    expect(other.headers.get("access-control-allow-origin")).toBe("tauri://localhost");
  });

  test("streams of events can be read, over SSE and WebSocket", async () => {
    const server = await startServer(options);
    const key = await server.addKey("t1");
    const token = key.authorization.slice("Bearer ".length);
    const sse = await openSse(server, "", { origin: APP, ...key });
    expect(sse.response.headers.get("access-control-allow-origin")).toBe(APP);
    const socket = await openSocket(server, `access_token=${token}`, { origin: APP });
    await server.upload("x", undefined, key);
    await until(() => sse.events().length === 1 && socket.events().length === 1);
    await expect(
      openSocket(server, `access_token=${token}`, { origin: "https://evil.example" }),
    ).rejects.toThrow("403");
    sse.close();
    socket.close();
  });

  test.each(["https://evil.example", "https://app.example.evil.example", "http://app.example", "null"])(
    "%s gets none of it",
    async (origin) => {
      const server = await startServer(options);
      await server.addKey("t1");
      const asked = await preflight(server, "/v1/documents", origin);
      expect(asked.status).toBe(404);
      const read = await server.request("/v1/documents", { headers: { origin } });
      for (const { headers } of [asked, read]) {
        expect(headers.has("access-control-allow-origin")).toBe(false);
        expect(headers.has("access-control-allow-methods")).toBe(false);
      }
    },
  );

  test("it is for the API alone", async () => {
    const server = await startServer(options);
    for (const path of ["/healthz", "/metrics", "/"]) {
      const answer = await server.request(path, { headers: { origin: APP } });
      expect(answer.headers.has("access-control-allow-origin"), path).toBe(false);
    }
    expect((await preflight(server, "/healthz", APP)).status).toBe(404);
  });

  test("without keys its pages count as the server's own, and no others do", async () => {
    const server = await startServer(options);
    const send = (origin: string) =>
      server.request("/v1/documents?filename=a.txt", {
        method: "POST",
        headers: { origin, "content-type": "text/plain" },
        body: origin,
      });
    expect((await send(APP)).status).toBe(202);
    expect((await send("https://evil.example")).status).toBe(403);
    const socket = await openSocket(server, "after=0", { origin: APP });
    await until(() => socket.events().length === 1);
    socket.close();
  });
});

describe("with *", () => {
  test("every page may call a server with keys, none one without", async () => {
    const server = await startServer({ allowed_origins: ["*"] });
    const origin = "https://anywhere.example";
    const send = (headers = {}) =>
      server.request("/v1/documents?filename=a.txt", {
        method: "POST",
        headers: { origin, "content-type": "text/plain", ...headers },
        body: "x",
      });
    const open = await send();
    expect(open.status).toBe(403);
    expect(open.headers.has("access-control-allow-origin")).toBe(false);
    const key = await server.addKey("t1");
    await until(async () => (await send(key)).status === 202);
    expect((await send(key)).headers.get("access-control-allow-origin")).toBe(origin);
    expect((await preflight(server, "/v1/documents", origin)).status).toBe(204);
  });
});

test("without allowed origins there is no CORS at all", async () => {
  const server = await startServer();
  await server.addKey("t1");
  expect((await preflight(server, "/v1/documents", APP)).status).toBe(404);
  const answer = await server.request("/v1/documents", { headers: { origin: APP } });
  expect(answer.headers.has("access-control-allow-origin")).toBe(false);
  expect(answer.headers.has("vary")).toBe(false);
});
