import { describe, expect, test } from "vitest";
import type { PublicKey } from "../../../src/server/routes/keys.ts";
import type { Session } from "../../../src/server/routes/session.ts";
import { json, startServer, type TestServer } from "../harness.ts";

type Headers = Record<string, string>;
type Made = PublicKey & { key: string; note?: string };

async function make(server: TestServer, body: object, headers: Headers = {}) {
  const init = json(body);
  return server.request("/v1/keys", { ...init, headers: { ...(init.headers as Headers), ...headers } });
}
const list = async (server: TestServer, headers: Headers) =>
  (await server.request("/v1/keys", { headers })).json<{ keys: PublicKey[] }>().keys;
const revoke = (server: TestServer, key_id: string, headers: Headers) =>
  server.request(`/v1/keys/${key_id}`, { method: "DELETE", headers });
const bearer = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` });

describe("/v1/keys", () => {
  test("the first key closes the server, and its answer says so", async () => {
    const server = await startServer();
    expect(await list(server, {})).toEqual([]);
    const answer = await make(server, { name: "page", operator: true });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const first = answer.json<Made>();
    expect(first).toMatchObject({ tenant_id: "default", name: "page", operator: true, expires_at: null });
    expect(first.key).toMatch(/^sluice_[A-Za-z0-9_-]{43}$/);
    expect(first.note).toMatch(/from now on every request needs one/);
    // At once, not when this process looks again.
    expect((await server.request("/v1/documents")).status).toBe(401);
    expect((await make(server, {})).status).toBe(401);
    const second = (await make(server, {}, bearer(first))).json<Made>();
    expect(second).not.toHaveProperty("note");
    expect(second).toMatchObject({ name: "", operator: false, current: false });
    expect(await list(server, bearer(second))).toMatchObject([
      { key_id: first.key_id, current: false },
      { key_id: second.key_id, current: true },
    ]);
    expect(JSON.stringify(await list(server, bearer(second)))).not.toMatch(/hash|sluice_/);
  });

  test("a key is its tenant's: others neither see nor revoke it, an operator does by acting for that tenant", async () => {
    const server = await startServer();
    const mine = await server.addKey("t1");
    const theirs = await server.addKey("t2");
    const operator = await server.addKey("home", { operator: true });
    const made = (await make(server, { name: "n" }, mine)).json<Made>();
    expect(made.tenant_id).toBe("t1");
    expect((await list(server, theirs)).map(({ key_id }) => key_id)).not.toContain(made.key_id);
    expect((await revoke(server, made.key_id, theirs)).status).toBe(404);
    expect((await revoke(server, made.key_id, operator)).status).toBe(404);
    expect((await revoke(server, made.key_id, { ...operator, "sluice-tenant": "t1" })).status).toBe(204);
    // At once, in this process.
    expect((await server.request("/v1/documents", { headers: bearer(made) })).status).toBe(401);
    expect((await revoke(server, made.key_id, mine)).status).toBe(404);
  });

  test("a key can't revoke itself, so over HTTP there is always one left", async () => {
    const server = await startServer();
    const mine = await server.addKey("t1");
    const [own] = await list(server, mine);
    const refused = await revoke(server, own?.key_id as string, mine);
    expect(refused.status).toBe(409);
    expect(refused.problem()).toMatchObject({ code: "own_key", retryable: false });
    expect((await server.request("/v1/documents", { headers: mine })).status).toBe(200);
  });

  test("only an operator makes an operator's key", async () => {
    const server = await startServer();
    const plain = await server.addKey("t1");
    const operator = await server.addKey("t1", { operator: true });
    expect((await make(server, { operator: true }, plain)).problem().code).toBe("forbidden");
    const made = (await make(server, { operator: true }, operator)).json<Made>();
    expect(made.operator).toBe(true);
    const reach = { ...bearer(made), "sluice-tenant": "t9" };
    expect((await server.request("/v1/documents", { headers: reach })).status).toBe(200);
  });

  test("a key for a browser ends by itself, and can't be made into one that lasts", async () => {
    const server = await startServer();
    const lasting = await server.addKey("t1");
    const brief = (await make(server, { expires_in_seconds: 600 }, lasting)).json<Made>();
    expect(Date.parse(brief.expires_at as string) - Date.parse(brief.created_at)).toBe(600_000);
    expect((await server.request("/v1/documents", { headers: bearer(brief) })).status).toBe(200);
    expect((await make(server, {}, bearer(brief))).problem().code).toBe("forbidden");
    const [first] = await list(server, lasting);
    expect((await revoke(server, first?.key_id as string, bearer(brief))).problem().code).toBe("forbidden");
    expect((await server.request("/v1/documents", { headers: lasting })).status).toBe(200);
  });

  test("what an operator's key that ends makes ends no later", async () => {
    const server = await startServer();
    const expires_at = new Date(Date.now() + 600_000).toISOString();
    const operator = await server.addKey("t1", { operator: true, expires_at });
    expect((await make(server, { expires_in_seconds: 3_600 }, operator)).problem().code).toBe("forbidden");
    const shorter = (await make(server, { expires_in_seconds: 60 }, operator)).json<Made>();
    expect(Date.parse(shorter.expires_at as string)).toBeLessThan(Date.parse(expires_at));
    const same = (await make(server, {}, operator)).json<Made>();
    expect(Math.abs(Date.parse(same.expires_at as string) - Date.parse(expires_at))).toBeLessThan(1_000);
  });

  test("keys that expired long ago are gone when the next is made, and never all", async () => {
    const server = await startServer();
    const day = 86_400_000;
    await server.addKey("t1", {
      key_id: "key_old",
      expires_at: new Date(Date.now() - 2 * day).toISOString(),
    });
    await server.addKey("t1", { key_id: "key_new", expires_at: new Date(Date.now() - 1_000).toISOString() });
    const mine = await server.addKey("t1");
    const made = (await make(server, { expires_in_seconds: 1 }, mine)).json<Made>();
    const ids = (await list(server, mine)).map(({ key_id }) => key_id);
    expect(ids).toContain("key_new");
    expect(ids).toContain(made.key_id);
    expect(ids).not.toContain("key_old");
  });

  test.each([
    { expires_in_seconds: 0 },
    { expires_in_seconds: 1.5 },
    { colour: "red" },
    { name: "x".repeat(201) },
  ])("refuses %j", async (body) => {
    const server = await startServer();
    expect((await make(server, body)).status).toBe(400);
    expect(await server.keys.any()).toBe(false);
  });
});

describe("/v1/session", () => {
  const session = async (server: TestServer, headers: Headers = {}) =>
    (await server.request("/v1/session", { headers })).json<Session>();

  test("without keys: everybody is an operator", async () => {
    const server = await startServer({ max_upload_bytes: 4_711 });
    expect(await session(server)).toEqual({
      tenant_id: "default",
      operator: true,
      key_id: null,
      keys_required: false,
      version: expect.stringMatching(/^\d/),
      max_upload_bytes: 4_711,
      media_types: ["application/json", "text/html", "text/markdown", "text/plain"],
      collections_default: "default",
      embedder_id: "test@1",
      search_modes: ["hybrid", "vector", "keyword"],
      ocr_languages: ["eng"],
    });
    expect(await session(server, { "sluice-tenant": "acme" })).toMatchObject({ tenant_id: "acme" });
  });

  test("with a key: whose it is, and for whom it acts now", async () => {
    const server = await startServer();
    const mine = await server.addKey("t1", { key_id: "key_mine" });
    const operator = await server.addKey("home", { key_id: "key_op", operator: true });
    const required = { keys_required: true };
    expect(await session(server, mine)).toMatchObject({
      ...required,
      tenant_id: "t1",
      operator: false,
      key_id: "key_mine",
    });
    expect(await session(server, { ...operator, "sluice-tenant": "t1" })).toMatchObject({
      ...required,
      tenant_id: "t1",
      operator: true,
      key_id: "key_op",
    });
  });

  test("tells the embedder that searches go by, not the configured one", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("quartz");
    await server.complete(document_id, "quartz");
    const version = { document_id, version: 1, embedder_id: "older@1" };
    await server.documents.commit([{ tenant_id: "default", indexed: version }]);
    expect((await session(server)).embedder_id).toBe(
      (await server.documents.embedders.read()).serving ?? "test@1",
    );
  });
});
