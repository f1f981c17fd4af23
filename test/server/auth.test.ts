import { request as httpRequest } from "node:http";
import { describe, expect, test } from "vitest";
import type { Problem } from "../../src/server/schemas.ts";
import { json, startServer, type TestServer, until } from "./harness.ts";

/** A request with headers that fetch does not let a caller set. */
function send(server: TestServer, path: string, method: string, headers: Record<string, string>, body = "") {
  return new Promise<{ status: number; problem: Problem | undefined }>((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port: server.port, path, method, headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => {
          const isProblem = response.headers["content-type"]?.startsWith("application/problem+json");
          resolve({
            status: response.statusCode as number,
            problem: isProblem ? (JSON.parse(text) as Problem) : undefined,
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

const routes: [string, string][] = [
  ["GET", ""],
  ["DELETE", ""],
  ["POST", "/reingest"],
  ["GET", "/events"],
  ["GET", "/versions"],
  ["GET", "/text"],
  ["GET", "/chunks"],
  ["GET", "/file"],
];

describe("with API keys", () => {
  test("every route of the API needs one; what machines watch and the page do not", async () => {
    const server = await startServer();
    await server.addKey("t1");
    const paths: [string, string][] = [
      ["POST", "/v1/documents?filename=a.txt"],
      ["GET", "/v1/documents"],
      ...routes.map(([method, part]): [string, string] => [method, `/v1/documents/doc_1${part}`]),
      ["GET", "/v1/jobs"],
      ["GET", "/v1/jobs/job_1"],
      ["POST", "/v1/jobs/job_1/cancel"],
      ["POST", "/v1/jobs/job_1/retry"],
      ["POST", "/v1/search"],
      ["GET", "/v1/events"],
      ["GET", "/v1/events/stream"],
      ["GET", "/v1/session"],
      ["GET", "/v1/keys"],
      ["POST", "/v1/keys"],
      ["DELETE", "/v1/keys/key_1"],
      ["GET", "/v1/operations"],
    ];
    for (const [method, path] of paths) {
      const answer = await server.request(path, { method });
      expect(answer.status, `${method} ${path}`).toBe(401);
      expect(answer.problem()).toMatchObject({ code: "unauthorized", retryable: false });
      expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="sluice"');
    }
    for (const path of ["/healthz", "/metrics", "/openapi.json", "/"]) {
      expect((await server.request(path)).status, path).toBe(200);
    }
    expect((await server.request("/readyz")).status).toBe(503);
  });

  test.each(["Bearer wrong", "Basic abc", "Bearer", "wrong"])(
    "refuses the Authorization %j",
    async (value) => {
      const server = await startServer();
      await server.addKey("t1");
      const answer = await server.request("/v1/documents", { headers: { authorization: value } });
      expect(answer.status).toBe(401);
    },
  );

  test("a refused upload leaves nothing", async () => {
    const server = await startServer();
    await server.addKey("t1");
    const answer = await server.request("/v1/documents?filename=a.txt", { method: "POST", body: "x" });
    expect(answer.status).toBe(401);
    expect(await server.blobCount()).toBe(0);
  });

  test("a revoked key is refused within a second or so, a new one works at once", async () => {
    const server = await startServer();
    const first = await server.addKey("t1");
    expect((await server.request("/v1/documents", { headers: first })).status).toBe(200);
    const second = await server.addKey("t1");
    expect((await server.request("/v1/documents", { headers: second })).status).toBe(200);
    for (const { key_id } of (await server.keys.list()).slice(0, 1)) await server.keys.revoke(key_id);
    await until(async () => (await server.request("/v1/documents", { headers: first })).status === 401);
    expect((await server.request("/v1/documents", { headers: second })).status).toBe(200);
  });

  test("tenants do not meet: another's ids answer 404, and lists, searches and events leave them out", async () => {
    const server = await startServer();
    const mine = await server.addKey("t1");
    const other = await server.addKey("t2");
    const { document_id, job_id, correlation_id } = await server.upload("the quick fox", undefined, mine);
    await server.complete(document_id, "the quick fox", "t1");
    for (const [method, part] of routes) {
      const answer = await server.request(`/v1/documents/${document_id}${part}`, { method, headers: other });
      expect(answer.status, `${method} …${part}`).toBe(404);
      expect(answer.problem().code).toBe("not_found");
    }
    for (const [method, part] of [
      ["GET", ""],
      ["POST", "/cancel"],
      ["POST", "/retry"],
    ]) {
      const answer = await server.request(`/v1/jobs/${job_id}${part}`, {
        method,
        headers: other,
      } as RequestInit);
      expect(answer.status, `${method} …${part}`).toBe(404);
    }
    const taken = await server.request(`/v1/documents?filename=a.txt&document_id=${document_id}`, {
      method: "POST",
      headers: other,
      body: "mine now",
    });
    expect(taken.status).toBe(404);
    const get = async (path: string, headers: Record<string, string>) =>
      (await server.request(path, { headers })).json<Record<string, unknown[]>>();
    const search = async (headers: { authorization: string }) => {
      const init = json({ query: "fox" });
      const answer = await server.request("/v1/search", {
        ...init,
        headers: { ...init.headers, ...headers },
      });
      return answer.json<{ hits: unknown[] }>().hits.length;
    };
    const seen = async (headers: { authorization: string }) => [
      (await get("/v1/documents", headers)).documents?.length,
      (await get("/v1/jobs", headers)).jobs?.length,
      (await get("/v1/events", headers)).events?.length,
      (await get(`/v1/events?document_id=${document_id}`, headers)).events?.length,
      (await get(`/v1/events?correlation_id=${correlation_id}`, headers)).events?.length,
      await search(headers),
    ];
    expect(await seen(other)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await seen(mine)).toEqual([1, 1, 4, 4, 4, 1]);
    // The same bytes of another tenant are another document.
    const copy = await server.upload("the quick fox", undefined, other);
    expect(copy).toMatchObject({ duplicate: false });
    expect(copy.document_id).not.toBe(document_id);
    // The same Idempotency-Key of another tenant is another key.
    const keyed = { "idempotency-key": "k" };
    await server.upload("a", undefined, { ...mine, ...keyed });
    await server.upload("b", undefined, { ...other, ...keyed });
  });

  test("may be called under any name, and a stream shows only the tenant's own events", async () => {
    const server = await startServer();
    const mine = await server.addKey("t1");
    const other = await server.addKey("t2");
    expect((await send(server, "/v1/documents", "GET", { host: "sluice.example", ...mine })).status).toBe(
      200,
    );
    await server.upload("of the other", undefined, other);
    await server.upload("mine", undefined, mine);
    const response = await fetch(`${server.url}/v1/events/stream?after=0`, { headers: mine });
    const reader = response.body?.getReader();
    let text = "";
    while (!text.includes("data:")) text += Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(text).toContain("id: 2\n");
    expect(text).not.toContain("id: 1\n");
    await reader?.cancel();
  });
});

describe("without API keys", () => {
  test.each(["localhost", "LOCALHOST:7300", "127.0.0.1:1", "127.9.8.7", "[::1]:7300", "[::1]"])(
    "answers as %s",
    async (host) => {
      const server = await startServer();
      expect((await send(server, "/v1/documents", "GET", { host })).status).toBe(200);
    },
  );

  test.each(["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.1"])(
    "does not answer as %j (DNS rebinding)",
    async (host) => {
      const server = await startServer();
      for (const path of ["/v1/documents", "/healthz", "/", "/nothing"]) {
        const { status, problem } = await send(server, path, "GET", { host });
        expect(status, path).toBe(403);
        expect(problem?.code).toBe("forbidden");
      }
    },
  );

  test.each(["http://evil.example", "null", "http://localhost:1", "not a url"])(
    "takes no change from a page of %j",
    async (origin) => {
      const server = await startServer();
      const headers = { host: `localhost:${server.port}`, origin, "content-type": "text/plain" };
      const upload = await send(server, "/v1/documents?filename=a.txt", "POST", headers, "x");
      expect(upload.status).toBe(403);
      expect(upload.problem?.code).toBe("forbidden");
      expect(await server.blobCount()).toBe(0);
    },
  );

  test("takes changes from its own page", async () => {
    const server = await startServer();
    const host = `localhost:${server.port}`;
    const headers = { host, origin: `http://${host}`, "content-type": "text/plain" };
    expect((await send(server, "/v1/documents?filename=a.txt", "POST", headers, "x")).status).toBe(202);
  });
});
