/** An operator's key acts for any tenant; every other one for its own. */
import { describe, expect, test } from "vitest";
import { json, startServer, type TestServer, until } from "./harness.ts";
import { both, openSocket, openSse, transports } from "./subscribers.ts";

const acting = (tenant_id: string, headers: Record<string, string> = {}) => ({
  ...headers,
  "sluice-tenant": tenant_id,
});

const documentsOf = async (server: TestServer, headers: Record<string, string>) =>
  (await server.request("/v1/documents", { headers }))
    .json<{ documents: { document_id: string }[] }>()
    .documents.map(({ document_id }) => document_id);

describe("an operator's key", () => {
  test("acts for its own tenant, and for the one that Sluice-Tenant names", async () => {
    const server = await startServer();
    const operator = await server.addKey("home", { operator: true });
    const theirs = await server.addKey("acme");
    const own = await server.upload("at home", undefined, operator);
    const { document_id, job_id } = await server.upload("for acme", undefined, acting("acme", operator));
    expect(await documentsOf(server, operator)).toEqual([own.document_id]);
    expect(await documentsOf(server, acting("acme", operator))).toEqual([document_id]);
    expect(await documentsOf(server, theirs)).toEqual([document_id]);

    const job = `/v1/jobs/${job_id}`;
    expect((await server.request(job, { headers: operator })).status).toBe(404);
    expect((await server.request(job, { headers: acting("acme", operator) })).status).toBe(200);
    const cancelled = await server.request(`${job}/cancel`, {
      method: "POST",
      headers: acting("acme", operator),
    });
    expect(cancelled.json<{ state: string }>().state).toBe("cancelled");
    const init = json({ query: "acme" });
    const found = await server.request("/v1/search", {
      ...init,
      headers: { ...(init.headers as Record<string, string>), ...acting("acme", operator) },
    });
    expect(found.status).toBe(200);
  });

  test.each(both)("%s: follows the events of the tenant that it acts for", async (transport) => {
    const server = await startServer();
    const key = { key: "sluice_operator" };
    const { authorization } = await server.addKey("home", { operator: true });
    key.key = authorization.slice("Bearer ".length);
    const theirs = await server.addKey("acme");
    await server.upload("at home", undefined, { authorization });
    const { document_id } = await server.upload("acme's", undefined, theirs);
    const query = `after=0&access_token=${key.key}`;
    const stream = await transports[transport](server, `${query}&tenant_id=acme`);
    const ownStream = await transports[transport](server, query);
    await until(() => stream.events().length > 0 && ownStream.events().length > 0);
    expect(stream.events().map((event) => [event.tenant_id, event.document_id])).toEqual([
      ["acme", document_id],
    ]);
    expect(ownStream.events().map(({ tenant_id }) => tenant_id)).toEqual(["home"]);
    stream.close();
    ownStream.close();
  });

  test("the header works on the stream as well", async () => {
    const server = await startServer();
    const operator = await server.addKey("home", { operator: true });
    await server.upload("acme's", undefined, acting("acme", operator));
    const stream = await openSse(server, "after=0", acting("acme", operator));
    await until(() => stream.events().length > 0);
    expect(stream.events()[0]?.tenant_id).toBe("acme");
    stream.close();
  });

  test("names that no tenant can have are refused: they would be part of paths", async () => {
    const server = await startServer();
    const operator = await server.addKey("home", { operator: true });
    for (const name of ["../up", "a/b", ".hidden", "a".repeat(101)]) {
      const answer = await server.request("/v1/documents", { headers: acting(name, operator) });
      expect(answer.status, name).toBe(400);
      expect(answer.problem().detail).toMatch(/^Sluice-Tenant: /);
    }
    expect((await server.request("/v1/documents?tenant_id=acme", { headers: operator })).status).toBe(400);
  });
});

describe("any other key", () => {
  test("is refused another tenant, whatever it wants there, and left its own", async () => {
    const server = await startServer();
    const mine = await server.addKey("t1");
    const theirs = await server.addKey("t2");
    const { document_id } = await server.upload("theirs", undefined, theirs);
    for (const [method, path] of [
      ["GET", "/v1/documents"],
      ["GET", `/v1/documents/${document_id}`],
      ["POST", "/v1/documents?filename=a.txt"],
      ["DELETE", `/v1/documents/${document_id}`],
      ["GET", "/v1/jobs"],
      ["GET", "/v1/events"],
      ["GET", "/v1/events/stream"],
      ["GET", "/v1/events/stream?tenant_id=t2"],
      ["GET", "/v1/session"],
      ["GET", "/v1/keys"],
      ["GET", "/v1/operations"],
    ] as const) {
      const headers = path.includes("tenant_id=") ? mine : acting("t2", mine);
      const answer = await server.request(path, { method, headers });
      expect(answer.status, `${method} ${path}`).toBe(403);
      expect(answer.problem().code).toBe("forbidden");
    }
    expect(await documentsOf(server, theirs)).toEqual([document_id]);
    expect(await documentsOf(server, acting("t1", mine))).toEqual([]);
  });

  test("that of an operator is worth nothing on a stream for the socket of another", async () => {
    const server = await startServer();
    const { authorization } = await server.addKey("t1");
    const token = authorization.slice("Bearer ".length);
    await expect(openSocket(server, `tenant_id=t2&access_token=${token}`)).rejects.toThrow("403");
  });
});

test("without keys everybody is an operator, for `default` unless they say otherwise", async () => {
  const server = await startServer();
  const { document_id } = await server.upload("acme's", undefined, acting("acme"));
  expect(await documentsOf(server, {})).toEqual([]);
  expect(await documentsOf(server, acting("acme"))).toEqual([document_id]);
});

describe("a key that ends", () => {
  test("is as an unknown one from its time on, and does not open the server", async () => {
    const server = await startServer();
    const headers = await server.addKey("t1", { expires_at: new Date(Date.now() + 1_500).toISOString() });
    expect((await server.request("/v1/documents", { headers })).status).toBe(200);
    await until(async () => (await server.request("/v1/documents", { headers })).status === 401);
    expect((await server.request("/v1/documents")).status).toBe(401);
    expect(await server.keys.any()).toBe(true);
  });

  test.each(both)("%s: a stream opened with it ends by itself, another's goes on", async (transport) => {
    const server = await startServer();
    const expires_at = new Date(Date.now() + 1_500).toISOString();
    const token = (await server.addKey("t1", { expires_at })).authorization.slice("Bearer ".length);
    const lasting = await server.addKey("t1");
    const brief = await transports[transport](server, `access_token=${token}`);
    const other = await openSse(server, "", lasting);
    await until(() => ("ended" in brief.seen ? brief.seen.ended : brief.seen.close === 1008));
    await server.upload("still read by the other", undefined, lasting);
    await until(() => other.events().length === 1);
    expect(brief.events()).toEqual([]);
    other.close();
  });

  test.each(both)("%s: a stream ends when its key is revoked", async (transport) => {
    const server = await startServer();
    const token = (await server.addKey("t1")).authorization.slice("Bearer ".length);
    const [key] = await server.keys.list();
    await server.addKey("t1");
    const stream = await transports[transport](server, `access_token=${token}`);
    await server.keys.revoke(key?.key_id as string);
    await until(() => ("ended" in stream.seen ? stream.seen.ended : stream.seen.close === 1008));
  });

  test("streams opened without a key end when the first key is made", async () => {
    const server = await startServer();
    const stream = await openSse(server, "");
    await server.addKey("t1");
    await until(() => stream.seen.ended);
  });
});
