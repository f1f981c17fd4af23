import { Webhook as Verifier } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import type { Delivery, DeliveryDetail, Webhook, WebhookTest, WebhookView } from "../../../src/webhook.ts";
import { createClock } from "../../support/clock.ts";
import { startReceiver } from "../../support/receiver.ts";
import { json, type ServerOptions, startServer, type TestServer, until } from "../harness.ts";

type Created = Webhook & { secret: string };

async function create(
  server: TestServer,
  input: object,
  headers: Record<string, string> = {},
): Promise<Created> {
  const init = json(input);
  const answer = await server.request("/v1/webhooks", { ...init, headers: { ...init.headers, ...headers } });
  expect(answer.status, answer.text).toBe(201);
  return answer.json<Created>();
}

const get = async (server: TestServer, webhook_id: string) =>
  (await server.request(`/v1/webhooks/${webhook_id}`)).json<WebhookView>();

async function deliveries(server: TestServer, webhook_id: string, query = ""): Promise<Delivery[]> {
  const answer = await server.request(`/v1/webhooks/${webhook_id}/deliveries${query}`);
  return answer.json<{ deliveries: Delivery[] }>().deliveries;
}

const detail = async (server: TestServer, { webhook_id, delivery_id }: Delivery) =>
  (await server.request(`/v1/webhooks/${webhook_id}/deliveries/${delivery_id}`)).json<DeliveryDetail>();

const patch = (body: object): RequestInit => ({ ...json(body), method: "PATCH" });

/** The time limit of a request, which sleeps for as long. */
const REQUEST_MS = 15_000;

/** A server whose clock the test moves; private addresses are allowed, or no test could receive anything. */
async function startTimed(options: ServerOptions = {}) {
  const clock = createClock();
  const server = await startServer({ system: clock.system, webhooks: { allow_private: true }, ...options });
  /** Lets time pass until something has come about, but none while a request is under way: it would be late. */
  const passUntil = (condition: () => boolean | Promise<boolean>, step_ms = 1_000) =>
    until(async () => {
      if (await condition()) return true;
      if (!clock.sleeping(REQUEST_MS)) clock.advance(step_ms);
      return false;
    });
  return { clock, server, passUntil };
}

describe("webhooks are made and changed", () => {
  test("with what was given, and a secret that no later answer shows", async () => {
    const server = await startServer();
    const input = { url: "https://example.com/hook", description: "for tests", collection: "c" };
    const created = await create(server, { ...input, event_types: ["rag.ingestion.completed"] });
    const { secret, ...shown } = created;
    expect(secret).toMatch(/^whsec_/);
    expect(shown).toMatchObject({ ...input, event_types: ["rag.ingestion.completed"], enabled: true });
    const list = await server.request("/v1/webhooks");
    const more = { pending: 0, failed: 0, last_succeeded_at: null, last_failed_at: null };
    expect(list.json()).toEqual({ webhooks: [{ ...shown, ...more }] });
    expect(await get(server, created.webhook_id)).toEqual({ ...shown, ...more });

    const changed = await server.request(
      `/v1/webhooks/${created.webhook_id}`,
      patch({ description: "", collection: null, enabled: false }),
    );
    expect(changed.json()).toMatchObject({
      url: input.url,
      description: "",
      collection: null,
      enabled: false,
    });
    const rotated = await server.request(`/v1/webhooks/${created.webhook_id}/rotate_secret`, {
      method: "POST",
    });
    const next = rotated.json<{ secret: string }>().secret;
    expect(next).toMatch(/^whsec_/);
    expect(next).not.toBe(secret);
    for (const { text } of [list, changed, await server.request("/v1/webhooks")]) {
      expect(text).not.toContain("whsec_");
    }
    const path = `/v1/webhooks/${created.webhook_id}`;
    expect((await server.request(path, { method: "DELETE" })).status).toBe(204);
    expect((await server.request(path)).problem().code).toBe("not_found");
  });

  test.each([
    [{}, /url/],
    [{ url: "ftp://example.com/" }, /https/],
    [{ url: "http://example.com/" }, /https/],
    [{ url: "https://me:word@example.com/" }, /password/],
    [{ url: "https://127.0.0.1/hook" }, /not allowed/],
    [{ url: "https://[::ffff:10.0.0.1]/" }, /not allowed/],
    [{ url: "https://example.com/", event_types: [] }, /event_types/],
    [{ url: "https://example.com/", event_types: ["sluice.webhook.test"] }, /event_types/],
    [{ url: "https://example.com/", secret: "whsec_mine" }, /secret/],
  ])("%j is refused", async (input, why) => {
    const server = await startServer();
    const answer = await server.request("/v1/webhooks", json(input));
    expect(answer.status).toBe(400);
    expect(answer.problem()).toMatchObject({ code: "invalid_request", detail: expect.stringMatching(why) });
    const { webhook_id } = await create(server, { url: "https://example.com/" });
    const url = (input as { url?: string }).url;
    if (url === undefined || url === "https://example.com/") return;
    expect((await server.request(`/v1/webhooks/${webhook_id}`, patch({ url }))).status).toBe(400);
  });

  test("up to a number", async () => {
    const server = await startServer();
    await Promise.all(Array.from({ length: 100 }, () => create(server, { url: "https://example.com/" })));
    const answer = await server.request("/v1/webhooks", json({ url: "https://example.com/" }));
    expect(answer.problem()).toMatchObject({ status: 409, code: "webhook_limit" });
  });
});

describe("events are delivered", () => {
  test("signed, as CloudEvents, all but progress, from the webhook's making on", async () => {
    const receiver = await startReceiver();
    const server = await startServer({ webhooks: { allow_private: true } });
    await server.upload("before");
    const { webhook_id, secret } = await create(server, { url: receiver.url });
    const { document_id } = await server.upload("after");
    await server.start(document_id);
    const stage = "extracting" as const;
    await server.move(document_id, "rag.ingestion.progressed", { stage, done: 1, total: 2 });
    await server.move(document_id, "rag.ingestion.stage_completed", { stage, duration_ms: 1, counts: {} });
    await until(() => receiver.received.length === 3);
    const { events } = (await server.request(`/v1/documents/${document_id}/events`)).json<{
      events: { event_id: string; event_type: string; sequence: number }[];
    }>();
    const wanted = events.filter(({ event_type }) => event_type !== "rag.ingestion.progressed");
    expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual(
      wanted.map(({ event_id }) => event_id),
    );
    for (const { headers, body, event } of receiver.received) {
      expect(headers["content-type"]).toBe("application/cloudevents+json");
      expect(new Verifier(secret).verify(body, headers)).toEqual(event);
      expect(event).toMatchObject({ specversion: "1.0", source: "/test", subject: document_id });
      expect(event.id).toBe(headers["webhook-id"]);
    }
    await until(async () => (await get(server, webhook_id)).pending === 0);
    const [last, ...others] = await deliveries(server, webhook_id);
    expect(others).toHaveLength(2);
    expect(last).toMatchObject({
      webhook_id,
      event_id: wanted[2]?.event_id,
      sequence: wanted[2]?.sequence,
      document_id,
      state: "succeeded",
      attempts: 1,
      status: 204,
      error: null,
      next_attempt_at: null,
    });
    const shown = await detail(server, last as Delivery);
    expect(shown.body).toBe(receiver.received[2]?.body);
    expect(shown.tries).toMatchObject([{ status: 204, error: null, response: "" }]);
    expect((await get(server, webhook_id)).last_succeeded_at).not.toBeNull();
    const metrics = (await server.request("/metrics")).text;
    expect(metrics).toContain('sluice_webhook_deliveries_total{outcome="succeeded"} 3');
    expect(metrics).toContain("sluice_webhook_deliveries_pending 0");
  });

  test("by type and collection, where a webhook names them", async () => {
    const receiver = await startReceiver();
    const server = await startServer({ webhooks: { allow_private: true } });
    const url = (name: string) => `${receiver.url}?${name}`;
    await create(server, { url: url("started"), event_types: ["rag.ingestion.started"] });
    await create(server, { url: url("reports"), collection: "reports" });
    const other = await server.upload("one");
    const report = await server.upload("two", "filename=b.txt&collection=reports");
    for (const { document_id } of [other, report]) await server.start(document_id);
    const got = () =>
      receiver.received.map(({ path, event }) => {
        const name = event.subject === report.document_id ? "report" : "other";
        return `${path.split("?")[1]}: ${event.type} of ${name}`;
      });
    const wanted = [
      "reports: rag.document.uploaded of report",
      "reports: rag.ingestion.started of report",
      "started: rag.ingestion.started of other",
      "started: rag.ingestion.started of report",
    ];
    await until(() => receiver.received.length >= 4);
    // A later event of all kinds has come, so nothing else was under way.
    expect(got().sort()).toEqual(wanted);
  });

  test("a failing one is tried again, and holds up its document alone", async () => {
    let poisoned = "";
    const receiver = await startReceiver(({ event }, response, all) => {
      const first = all.filter(({ event: { id } }) => id === event.id).length === 1;
      const fails = event.subject === poisoned && event.type === "rag.document.uploaded" && first;
      response.writeHead(fails ? 500 : 204).end(fails ? "no room".repeat(1_000) : "");
    });
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    await server.upload("warm up");
    await passUntil(() => receiver.received.length === 1);
    // The document's id is known only when its first event may be on its way.
    await server.request(`/v1/webhooks/${webhook_id}`, patch({ enabled: false }));
    const one = await server.upload("one");
    const two = await server.upload("two");
    poisoned = one.document_id;
    for (const { document_id } of [one, two]) await server.start(document_id);
    await server.request(`/v1/webhooks/${webhook_id}`, patch({ enabled: true }));
    // Five seconds have not passed before the other document has everything.
    await passUntil(() => receiver.sequences(two.document_id).length === 2);
    expect(receiver.sequences(one.document_id)).toHaveLength(1);
    const [failing] = (await deliveries(server, webhook_id)).filter(
      ({ document_id, attempts }) => document_id === one.document_id && attempts === 1,
    );
    expect(failing).toMatchObject({ state: "pending", status: 500, error: "The receiver answered 500." });
    const shown = await detail(server, failing as Delivery);
    expect(shown.tries[0]?.response).toHaveLength(4_096);
    expect(Date.parse(failing?.next_attempt_at ?? "") - Date.parse(shown.tries[0]?.at ?? "")).toBe(5_000);
    await passUntil(() => receiver.sequences(one.document_id).length === 3);
    const [first, again, next] = receiver.sequences(one.document_id) as [number, number, number];
    expect(again).toBe(first);
    expect(next).toBeGreaterThan(first);
    const ids = receiver.received.filter(({ event }) => event.subject === one.document_id);
    expect(ids[0]?.headers["webhook-id"]).toBe(ids[1]?.headers["webhook-id"]);
    expect(ids[0]?.body).toBe(ids[1]?.body);
    const at = ids.map(({ headers }) => Number(headers["webhook-timestamp"])) as [number, number, number];
    expect(at[1] - at[0]).toBeGreaterThanOrEqual(5);
  });

  test("a slow receiver slows no other", async () => {
    const held: (() => void)[] = [];
    const slow = await startReceiver((_, response) => held.push(() => response.writeHead(204).end()));
    const quick = await startReceiver();
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: slow.url });
    await create(server, { url: quick.url });
    for (let count = 0; count < 20; count += 1) await server.upload(`text ${count}`);
    await passUntil(() => quick.received.length === 20 && held.length === 8);
    // As many as there may be at a time, and nothing is lost of the rest.
    expect(slow.received).toHaveLength(8);
    const release = setInterval(() => held.splice(0).forEach((answer) => void answer()), 5);
    await passUntil(async () => (await get(server, webhook_id)).pending === 0);
    clearInterval(release);
    const ids = new Set(slow.received.map(({ event }) => event.id));
    expect(ids.size).toBe(20);
  });

  test("who does not answer within 15 s has failed", async () => {
    const silent = await startReceiver(() => {});
    const { clock, server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: silent.url });
    await server.upload("one");
    await passUntil(() => silent.received.length === 1);
    clock.advance(14_000);
    await until(async () => (await deliveries(server, webhook_id))[0]?.attempts === 0);
    clock.advance(1_000);
    await until(async () => (await deliveries(server, webhook_id))[0]?.attempts === 1);
    const [delivery] = await deliveries(server, webhook_id);
    expect(delivery).toMatchObject({ status: null, error: "There was no answer within 15 s." });
  });

  test("Retry-After of a 503 is kept to, though it is later than the schedule", async () => {
    const receiver = await startReceiver((_, response) =>
      response.writeHead(503, { "retry-after": "60" }).end(),
    );
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    await server.upload("one");
    await passUntil(async () => (await deliveries(server, webhook_id))[0]?.attempts === 1);
    const [delivery] = await deliveries(server, webhook_id);
    const { tries } = await detail(server, delivery as Delivery);
    expect(Date.parse(delivery?.next_attempt_at ?? "") - Date.parse(tries[0]?.at ?? "")).toBe(60_000);
  });

  test("redirects are failures, and are not followed", async () => {
    const elsewhere = await startReceiver();
    const receiver = await startReceiver((_, response) =>
      response.writeHead(307, { location: elsewhere.url }).end(),
    );
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    await server.upload("one");
    await passUntil(async () => (await deliveries(server, webhook_id))[0]?.attempts === 1);
    const [delivery] = await deliveries(server, webhook_id);
    expect(delivery).toMatchObject({
      state: "pending",
      status: 307,
      error: expect.stringMatching(/redirect/),
    });
    expect(elsewhere.received).toEqual([]);
  });

  test("410 Gone disables the webhook; enabled again, it goes on where it stopped", async () => {
    let gone = true;
    const receiver = await startReceiver((_, response) => response.writeHead(gone ? 410 : 204).end());
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    const { document_id } = await server.upload("one");
    await passUntil(async () => !(await get(server, webhook_id)).enabled);
    expect(await get(server, webhook_id)).toMatchObject({
      disabled_reason: expect.stringMatching(/410 Gone/),
      pending: 1,
    });
    const meanwhile = await server.upload("two");
    gone = false;
    const enabled = await server.request(`/v1/webhooks/${webhook_id}`, patch({ enabled: true }));
    expect(enabled.json()).toMatchObject({ enabled: true, disabled_reason: null });
    await passUntil(() => receiver.received.length === 3);
    expect(receiver.sequences(document_id)).toHaveLength(2);
    expect(receiver.sequences(meanwhile.document_id)).toHaveLength(1);
  });

  test("after the last try it has failed and the document's next goes on; both can be replayed", async () => {
    let broken = true;
    const receiver = await startReceiver(({ event }, response) =>
      response.writeHead(broken && event.type === "rag.document.uploaded" ? 500 : 204).end(),
    );
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    const { document_id } = await server.upload("one");
    await server.start(document_id);
    await passUntil(() => receiver.received.length === 9, 600_000);
    expect(new Set(receiver.sequences(document_id).slice(0, 8)).size).toBe(1);
    await passUntil(async () => (await get(server, webhook_id)).pending === 0);
    const [failed] = await deliveries(server, webhook_id, "?state=failed");
    expect(failed).toMatchObject({ state: "failed", attempts: 8, finished_at: expect.any(String) });
    expect((await detail(server, failed as Delivery)).tries).toHaveLength(8);
    expect(await get(server, webhook_id)).toMatchObject({ failed: 1, last_failed_at: expect.any(String) });

    broken = false;
    const { delivery_id } = failed as Delivery;
    const replay = await server.request(`/v1/webhooks/${webhook_id}/deliveries/${delivery_id}/replay`, {
      method: "POST",
    });
    expect(replay.status).toBe(202);
    expect(replay.json()).toMatchObject({ delivery_id, state: "pending", attempts: 0, finished_at: null });
    await passUntil(() => receiver.received.length === 10);
    const [first, again] = [receiver.received[0], receiver.received[9]];
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    await passUntil(async () => (await deliveries(server, webhook_id, "?state=failed")).length === 0);
    const succeeded = await server.request(`/v1/webhooks/${webhook_id}/replay`, json({ state: "failed" }));
    expect(succeeded).toMatchObject({ status: 202 });
    expect(succeeded.json()).toEqual({ replayed: 0 });
  });

  test("all that failed are replayed at once", async () => {
    let broken = true;
    const receiver = await startReceiver((_, response) => response.writeHead(broken ? 500 : 204).end());
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    for (const text of ["one", "two"]) await server.upload(text);
    await passUntil(async () => (await get(server, webhook_id)).failed === 2, 600_000);
    broken = false;
    const answer = await server.request(`/v1/webhooks/${webhook_id}/replay`, json({ state: "failed" }));
    expect(answer.json()).toEqual({ replayed: 2 });
    await passUntil(() => receiver.received.length === 18);
  });

  test("five days without one success disable a webhook", async () => {
    const receiver = await startReceiver((_, response) => response.writeHead(500).end());
    const { clock, server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    await server.upload("one");
    await passUntil(async () => (await get(server, webhook_id)).failed === 1, 600_000);
    expect((await get(server, webhook_id)).enabled).toBe(true);
    clock.advance(5 * 86_400_000);
    await server.upload("two");
    await passUntil(async () => !(await get(server, webhook_id)).enabled);
    expect((await get(server, webhook_id)).disabled_reason).toMatch(/5 days.*500/);
    const [delivery] = await deliveries(server, webhook_id);
    expect(delivery).toMatchObject({ state: "pending", attempts: 1 });
  });

  test("after a rotation both secrets sign, and a day later the new one alone", async () => {
    const receiver = await startReceiver();
    const { clock, server, passUntil } = await startTimed();
    const { webhook_id, secret } = await create(server, { url: receiver.url });
    const rotated = await server.request(`/v1/webhooks/${webhook_id}/rotate_secret`, { method: "POST" });
    const next = rotated.json<{ secret: string }>().secret;
    await server.upload("one");
    await passUntil(() => receiver.received.length === 1);
    const { body, headers } = receiver.received[0]!;
    for (const each of [secret, next]) expect(new Verifier(each).verify(body, headers)).toBeTruthy();
    clock.advance(24 * 3_600_000);
    await server.upload("two");
    await passUntil(() => receiver.received.length === 2);
    expect(receiver.received[1]!.headers["webhook-signature"].split(" ")).toHaveLength(1);
  });

  test("what ended a week ago is dropped from the log", async () => {
    const receiver = await startReceiver();
    const { server, passUntil } = await startTimed();
    const { webhook_id } = await create(server, { url: receiver.url });
    await server.upload("one");
    await passUntil(async () => (await deliveries(server, webhook_id, "?state=succeeded")).length === 1);
    const day = 86_400_000;
    await passUntil(async () => (await deliveries(server, webhook_id)).length === 0, day);
  });
});

describe("addresses", () => {
  test("a private one is refused by number, and by a name that resolves to it", async () => {
    const receiver = await startReceiver();
    const names: string[] = [];
    const resolve = async (name: string) => {
      names.push(name);
      return [{ address: "127.0.0.1", family: 4 }];
    };
    const server = await startServer({ webhooks: { resolve } });
    const number = await server.request("/v1/webhooks", json({ url: `https://127.0.0.1:${receiver.port}/` }));
    expect(number.problem().detail).toBe("url: The URL's address is not allowed: it is private or reserved.");
    const { webhook_id } = await create(server, { url: `https://innocent.example:${receiver.port}/` });
    const tested = await server.request(`/v1/webhooks/${webhook_id}/test`, { method: "POST" });
    const error = "The URL's address is not allowed: it is private or reserved.";
    expect(tested.json()).toMatchObject({ status: null, error });
    await server.upload("one");
    await until(async () => (await deliveries(server, webhook_id))[0]?.attempts === 1);
    const [delivery] = await deliveries(server, webhook_id);
    expect(delivery).toMatchObject({ state: "pending", status: null, error });
    expect((await detail(server, delivery as Delivery)).tries[0]).toMatchObject({ response: null });
    expect(names).toEqual(["innocent.example", "innocent.example"]);
    expect(receiver.received).toEqual([]);
  });

  test("localhost is refused, by the system's own resolver", async () => {
    const receiver = await startReceiver();
    const server = await startServer();
    const { webhook_id } = await create(server, { url: `https://localhost:${receiver.port}/` });
    const tested = await server.request(`/v1/webhooks/${webhook_id}/test`, { method: "POST" });
    expect(tested.json<WebhookTest>().error).toMatch(/not allowed/);
    expect(receiver.received).toEqual([]);
  });

  test("the address that was checked is the one that is connected to", async () => {
    const receiver = await startReceiver();
    const answers = ["127.0.0.1", "192.0.2.1"];
    const resolve = async () => [{ address: answers.shift() as string, family: 4 }];
    const server = await startServer({ webhooks: { allow_private: true, resolve } });
    const { webhook_id } = await create(server, { url: `http://rebinding.example:${receiver.port}/` });
    const tested = await server.request(`/v1/webhooks/${webhook_id}/test`, { method: "POST" });
    expect(tested.json()).toMatchObject({ status: 204, error: null });
    expect(answers).toEqual(["192.0.2.1"]);
  });
});

describe("a test request", () => {
  test("is signed, made at once, and not stored", async () => {
    const receiver = await startReceiver();
    const server = await startServer({ webhooks: { allow_private: true } });
    const { webhook_id, secret } = await create(server, { url: receiver.url });
    await server.request(`/v1/webhooks/${webhook_id}`, patch({ enabled: false }));
    const tested = await server.request(`/v1/webhooks/${webhook_id}/test`, { method: "POST" });
    expect(tested.json()).toEqual({ status: 204, error: null, duration_ms: expect.any(Number) });
    const [{ body, headers, event }] = receiver.received as [(typeof receiver.received)[0]];
    expect(new Verifier(secret).verify(body, headers)).toMatchObject({ data: { webhook_id } });
    expect(event.type).toBe("sluice.webhook.test");
    expect(await deliveries(server, webhook_id)).toEqual([]);
    await receiver.close();
    const again = await server.request(`/v1/webhooks/${webhook_id}/test`, { method: "POST" });
    expect(again.json<WebhookTest>()).toMatchObject({ status: null, error: expect.stringMatching(/ECONN/) });
  });
});

describe("tenants", () => {
  test("neither see nor change each other's webhooks, nor get each other's events", async () => {
    const receiver = await startReceiver();
    const lines: string[] = [];
    const server = await startServer({
      webhooks: { allow_private: true },
      onLog: (line) => lines.push(JSON.stringify(line)),
    });
    const [a, b] = [await server.addKey("a"), await server.addKey("b")];
    const { webhook_id, secret } = await create(server, { url: receiver.url }, a);
    const own = await create(server, { url: `${receiver.url}?b` }, b);
    await server.upload("of a", "filename=a.txt", a);
    const { document_id } = await server.upload("of b", "filename=a.txt", b);
    await until(() => receiver.received.length === 2);
    expect(receiver.received.map(({ path, event }) => `${path} ${event.tenantid}`).sort()).toEqual([
      "/hook a",
      "/hook?b b",
    ]);
    const of = async (headers: Record<string, string>, id: string) =>
      (await server.request(`/v1/webhooks/${id}/deliveries`, { headers })).json<{ deliveries: Delivery[] }>();
    const [mine] = (await of(b, own.webhook_id)).deliveries;
    expect(mine?.document_id).toBe(document_id);
    const path = `/v1/webhooks/${webhook_id}`;
    const [theirs] = (await of(a, webhook_id)).deliveries;
    for (const [method, at, body] of [
      ["GET", path],
      ["PATCH", path, { enabled: false }],
      ["DELETE", path],
      ["POST", `${path}/rotate_secret`],
      ["POST", `${path}/test`],
      ["GET", `${path}/deliveries`],
      ["GET", `${path}/deliveries/${theirs?.delivery_id}`],
      ["GET", `/v1/webhooks/${own.webhook_id}/deliveries/${theirs?.delivery_id}`],
      ["POST", `${path}/deliveries/${theirs?.delivery_id}/replay`],
      ["POST", `/v1/webhooks/${own.webhook_id}/deliveries/${theirs?.delivery_id}/replay`],
      ["POST", `${path}/replay`, { state: "failed" }],
    ] as const) {
      const init = body === undefined ? { headers: {} } : json(body);
      const answer = await server.request(at, { ...init, method, headers: { ...init.headers, ...b } });
      expect(answer.status, `${method} ${at}`).toBe(404);
      expect(answer.problem().code).toBe("not_found");
    }
    const list = await server.request("/v1/webhooks", { headers: b });
    expect(list.json<{ webhooks: Webhook[] }>().webhooks.map((each) => each.webhook_id)).toEqual([
      own.webhook_id,
    ]);
    expect(receiver.received).toHaveLength(2);
    expect(lines.join("\n")).not.toContain(secret.slice(6));
  });

  test("deliveries are listed in pages", async () => {
    const receiver = await startReceiver();
    const server = await startServer({ webhooks: { allow_private: true } });
    const { webhook_id } = await create(server, { url: receiver.url });
    for (const text of ["one", "two", "three"]) await server.upload(text);
    await until(() => receiver.received.length === 3);
    const found: number[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const query: string = cursor === "" ? "?limit=2" : `?limit=2&cursor=${cursor}`;
      const page = (await server.request(`/v1/webhooks/${webhook_id}/deliveries${query}`)).json<{
        deliveries: Delivery[];
        next_cursor: string | null;
      }>();
      found.push(...page.deliveries.map(({ sequence }) => sequence));
      cursor = page.next_cursor;
    }
    expect(found).toEqual([3, 2, 1]);
    const wrong = await server.request(`/v1/webhooks/${webhook_id}/deliveries?cursor=bm9uZQ`);
    expect(wrong.problem().code).toBe("invalid_request");
  });
});
