import { describe, expect, test } from "vitest";
import type { Operations } from "../../../src/server/routes/operations.ts";
import { startServer, type TestServer, until } from "../harness.ts";

const malformed = { code: "malformed_document", message: "page 3 is damaged", retryable: false } as const;
const presence = { worker_id: "wrk_1", pid: 4711, host: "here", started_at: new Date().toISOString() };
const none = { uploaded: 0, completed: 0, failed: 0, retried: 0, chunks: 0 };

async function operations(server: TestServer, headers: Record<string, string> = {}, query = "") {
  const answer = await server.request(`/v1/operations${query}`, { headers });
  expect(answer.status, answer.text).toBe(200);
  return answer.json<Operations>();
}

/** Minute by minute, summed: a test may run over the end of one. */
const hourOf = ({ activity }: Operations) =>
  activity.minutes.reduce(
    (sum, { minute: _, ...counts }) => ({
      uploaded: sum.uploaded + counts.uploaded,
      completed: sum.completed + counts.completed,
      failed: sum.failed + counts.failed,
      retried: sum.retried + counts.retried,
      chunks: sum.chunks + counts.chunks,
    }),
    none,
  );

/** Once it is so: answers may be a second old, and the log is read a moment after. */
async function eventually(
  server: TestServer,
  fits: (seen: Operations) => boolean,
  ...rest: [Record<string, string>?, string?]
): Promise<Operations> {
  let seen = await operations(server, ...rest);
  await until(async () => {
    seen = await operations(server, ...rest);
    return fits(seen);
  });
  return seen;
}

describe("GET /v1/operations", () => {
  test("of a server on which nothing happened", async () => {
    const server = await startServer();
    const seen = await operations(server);
    expect(seen).toMatchObject({
      tenant_id: "default",
      queue: { oldest_ready_ms: 0 },
      dead: [],
      workers: [],
      tenants: null,
    });
    expect(new Set(Object.values(seen.queue.by_state))).toEqual(new Set([0]));
    expect(seen.activity.minutes).toHaveLength(60);
    expect(hourOf(seen)).toEqual(none);
    const minutes = seen.activity.minutes.map(({ minute }) => Date.parse(minute));
    expect(minutes).toEqual([...minutes].sort((a, b) => a - b));
    expect(Date.parse(seen.at) - (minutes.at(-1) as number)).toBeLessThan(60_000);
  });

  test("figures after uploads: one done, one failed for good, one waiting", async () => {
    const server = await startServer();
    const done = await server.upload("one\ntwo", "filename=done.txt");
    await server.complete(done.document_id, "one\ntwo");
    const failed = await server.upload("bad", "filename=bad.txt");
    await server.start(failed.document_id);
    await server.kill(failed.document_id, malformed);
    await server.upload("waits", "filename=waits.txt");
    const seen = await eventually(server, (now) => hourOf(now).uploaded === 3 && hourOf(now).failed === 1);
    expect(hourOf(seen)).toEqual({ uploaded: 3, completed: 1, failed: 1, retried: 0, chunks: 2 });
    expect(seen.activity.stages).toEqual([
      { stage: "extracting", count: 1, p50_ms: expect.closeTo(5, 0), p95_ms: expect.closeTo(5, 0) },
    ]);
    expect(seen.activity.processing).toMatchObject({ count: 1, p50_ms: expect.closeTo(12, 0) });
    const { by_state } = (await eventually(server, (now) => now.queue.by_state.queued === 1)).queue;
    expect(by_state).toMatchObject({ queued: 1, running: 0, succeeded: 1, dead: 1 });
    expect(seen.dead).toEqual([{ code: "malformed_document", jobs: 1 }]);
  });

  test("each tenant sees its own; all at once are an operator's to see, most loaded first", async () => {
    const server = await startServer();
    const t1 = await server.addKey("t1");
    const t2 = await server.addKey("t2");
    const operator = await server.addKey("home", { operator: true });
    const done = await server.upload("one", undefined, t1);
    await server.complete(done.document_id, "one", "t1");
    await server.upload("two", undefined, t2);
    await server.upload("three", undefined, t2);
    const all = await eventually(server, (now) => hourOf(now).uploaded === 3, operator, "?all=true");
    expect(all.tenant_id).toBeNull();
    expect(all.tenants).toEqual([
      { tenant_id: "t2", waiting: 2, running: 0, dead: 0, completed: 0 },
      { tenant_id: "t1", waiting: 0, running: 0, dead: 0, completed: 1 },
    ]);
    expect(all.queue.by_state).toMatchObject({ queued: 2, succeeded: 1 });
    const [one, two] = [await operations(server, t1), await operations(server, t2)];
    expect([hourOf(one).uploaded, hourOf(two).uploaded]).toEqual([1, 2]);
    expect([one.tenant_id, one.tenants, two.queue.by_state.queued]).toEqual(["t1", null, 2]);
    const acting = await operations(server, { ...operator, "sluice-tenant": "t2" });
    expect(acting).toMatchObject({ tenant_id: "t2", tenants: null });
    expect(hourOf(acting).uploaded).toBe(2);
    for (const headers of [t1, t2]) {
      const refused = await server.request("/v1/operations?all=true", { headers });
      expect(refused.status).toBe(403);
      expect(refused.problem().detail).toMatch(/operator/);
    }
  });

  test("workers alive, with what they hold: the tenant's jobs by name, others' as a number", async () => {
    const server = await startServer();
    const t1 = await server.addKey("t1");
    const t2 = await server.addKey("t2");
    const operator = await server.addKey("home", { operator: true });
    const mine = await server.upload("one", undefined, t1);
    await server.upload("two", undefined, t2);
    const claimed = await server.queue.claim("wrk_1", 2, 60_000);
    await server.queue.heartbeat(presence, claimed, 60_000);
    const seen = await operations(server, t1);
    expect(seen.workers).toEqual([
      {
        ...presence,
        last_seen_at: expect.any(String),
        holds: [
          {
            job_id: mine.job_id,
            job_type: "ingest_document",
            document_id: mine.document_id,
            attempts: 1,
            updated_at: expect.any(String),
          },
        ],
        holds_of_others: 1,
      },
    ]);
    const all = await operations(server, operator, "?all=true");
    expect(all.workers).toMatchObject([{ holds: [{}, {}], holds_of_others: 0 }]);
    for (const lease of claimed) await server.queue.complete(lease);
    const free = await eventually(server, (now) => now.workers[0]?.holds.length === 0, t1);
    expect(free.workers).toMatchObject([{ holds_of_others: 0 }]);
    await server.queue.removeWorker("wrk_1");
    await eventually(server, (now) => now.workers.length === 0, t1);
  });

  test("the database is asked once a second, however many ask", async () => {
    let asked = 0;
    const server = await startServer({
      wrapQueue: (queue) => ({
        ...queue,
        deadByCode: (tenant_id) => {
          asked += 1;
          return queue.deadByCode(tenant_id);
        },
      }),
    });
    const answers = await Promise.all(Array.from({ length: 50 }, () => operations(server)));
    const times = new Set(answers.map(({ at }) => at));
    expect(asked).toBe(times.size);
    expect(asked).toBeLessThan(10);
    await operations(server, { "sluice-tenant": "other" });
    expect(asked).toBe(times.size + 1);
  });

  test("activity counts what happened before this process began", async () => {
    const server = await startServer();
    await server.upload("before");
    const restarted = await server.again();
    await until(async () => hourOf((await restarted("/v1/operations")) as Operations).uploaded === 1);
  });
});
