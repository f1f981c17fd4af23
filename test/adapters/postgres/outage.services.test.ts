/** Servers that stop, connections that break in the middle, and pools that run dry. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { newDocument, newJob, uploadCommit, uploadedEvent } from "../../../contracts/index.ts";
import { manualClock } from "../../../contracts/system.ts";
import {
  openPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from "../../../src/adapters/postgres/storage.ts";
import type { DocumentRecord } from "../../../src/document.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import { createFollower } from "../../../src/progress/follow.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { withClient } from "./harness.ts";
import { type FaultyProxy, startProxy } from "./proxy.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const clock = manualClock();
const { system } = clock;
const closing: { close(): Promise<void> }[] = [];
let made = 0;
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

/** A storage in a schema of its own, unless one is named. */
async function open(options: Partial<PostgresStorageOptions> = {}): Promise<PostgresStorage> {
  const storage = await openPostgresStorage({
    url: server.role_url,
    schema: `outage_${++made}`,
    system,
    embedder: { embedder_id: "contract@1", dimensions: 8 },
    vectors: false,
    own_clock: true,
    poll_ms: 50,
    ...options,
  });
  closing.push(storage);
  return storage;
}

async function openProxy(): Promise<FaultyProxy> {
  const proxy = await startProxy(server.role_url);
  closing.push(proxy);
  return proxy;
}

const upload = (storage: PostgresStorage, record: DocumentRecord) =>
  storage.documents.commit([uploadCommit(system, record)]);

/** How often each part of an upload is there. */
async function partsOf(storage: PostgresStorage, { tenant_id, document_id, job_id }: DocumentRecord) {
  const [document, events, job] = await Promise.all([
    storage.documents.getDocument(tenant_id, document_id),
    storage.documents.readEvents({ after: 0, limit: 10, document_id }),
    storage.queue.get(job_id),
  ]);
  return [document ? 1 : 0, events.length, job ? 1 : 0].join(" ");
}
const WHOLE = "1 1 1";
const NOTHING = "0 0 0";

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code?: string; reason?: string }) => error.code ?? error.reason ?? String(error),
  );

describe("while commits, claims and a follower run", () => {
  /** Ends every connection, with or without the server. */
  const outages: [string, () => Promise<unknown>][] = [
    ["the server is stopped at once and started again", () => server.restart("immediate")],
    ["the server is restarted in order", () => server.restart("fast")],
    [
      "every connection is ended by an administrator",
      () =>
        withClient(server.url, (client) =>
          client.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'app'",
          ),
        ),
    ],
    [
      "a server process is killed, and the server recovers from its log",
      async () => {
        const pid = await withClient(server.url, async (client) => {
          const { rows } = await client.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice' LIMIT 1",
          );
          return rows[0].pid as number;
        });
        process.kill(pid, "SIGKILL");
      },
    ],
  ];

  test.each(outages)("%s: nothing is lost, halved or doubled, and all goes on", async (_, outage) => {
    const storage = await open();
    const attempts: { record: DocumentRecord; outcome: string }[] = [];
    const seen: SluiceEvent[] = [];
    const failures = new Set<string>();
    const stop = new AbortController();
    let writing = true;

    const write = async () => {
      while (writing) {
        const record = newDocument(system);
        const outcome = await codeOf(upload(storage, record));
        attempts.push({ record, outcome });
        if (outcome !== "done") await system.sleep(10);
      }
    };
    const work = async (worker_id: string) => {
      while (writing) {
        try {
          const jobs = await storage.queue.claim(worker_id, 3, 30_000);
          await Promise.all(jobs.map((job) => storage.queue.complete(job)));
        } catch (error) {
          failures.add(await codeOf(Promise.reject(error)));
          await system.sleep(10);
        }
      }
    };
    const follow = async () => {
      const follower = createFollower(storage.documents);
      while (!stop.signal.aborted) {
        try {
          const from = seen.at(-1)?.sequence ?? 0;
          for await (const batch of follower.follow({}, from, stop.signal)) seen.push(...batch);
        } catch (error) {
          failures.add(await codeOf(Promise.reject(error)));
          await system.sleep(10);
        }
      }
      follower.close();
    };
    const running = [...Array.from({ length: 6 }, write), work("wrk_a"), work("wrk_b"), follow()];
    const acked = () => attempts.filter(({ outcome }) => outcome === "done").length;

    for (let round = 0; round < 3; round += 1) {
      const before = acked();
      await expect.poll(acked, { timeout: 20_000 }).toBeGreaterThan(before + 40);
      await outage();
    }
    const after = acked();
    await expect.poll(acked, { timeout: 20_000 }).toBeGreaterThan(after + 40);
    writing = false;
    await expect
      .poll(async () => seen.at(-1)?.sequence === (await storage.documents.lastSequence()), {
        timeout: 20_000,
      })
      .toBe(true);
    stop.abort();
    await Promise.all(running);

    for (const { record, outcome } of attempts) {
      const parts = await partsOf(storage, record);
      if (outcome === "done") expect(parts).toBe(WHOLE);
      else {
        expect(outcome).toBe("storage_unavailable");
        expect([WHOLE, NOTHING]).toContain(parts);
      }
    }
    expect([...failures].filter((code) => code !== "storage_unavailable" && code !== "lease_lost")).toEqual(
      [],
    );
    const sequences = seen.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    const all: string[] = [];
    for (let from = 0; ; ) {
      const page = await storage.documents.readEvents({ after: from, limit: 500 });
      all.push(...page.map(({ event_id }) => event_id));
      if (page.length === 0) break;
      from = page.at(-1)?.sequence ?? from;
    }
    expect(seen.map(({ event_id }) => event_id)).toEqual(all);
    await drain(storage);
    const { by_state } = await storage.queue.stats();
    expect(by_state).toMatchObject({ succeeded: all.length, queued: 0, running: 0, retrying: 0, dead: 0 });
  });

  /** Claims whose answer was lost come back when their leases end. */
  async function drain({ queue }: PostgresStorage): Promise<void> {
    clock.advance(60_000);
    for (const job of await queue.expired(1_000))
      await queue.retry(job, null, system.now(), { counts: false });
    for (;;) {
      const jobs = await queue.claim("wrk_last", 100, 30_000);
      if (jobs.length === 0) return;
      await Promise.all(jobs.map((job) => queue.complete(job)));
    }
  }
});

describe("a connection that breaks in the middle of a commit", () => {
  test("after the server made it: the adapter finds it, and says its sequence", async () => {
    const proxy = await openProxy();
    const storage = await open({ url: proxy.url });
    const record = newDocument(system);
    const broken = proxy.breakNext("commit_1", "unanswered");
    const sequence = await upload(storage, record);
    await broken;
    expect(await partsOf(storage, record)).toBe(WHOLE);
    expect(sequence).toBe(await storage.documents.lastSequence());
  });

  test("before the server got it: storage_unavailable, and nothing is there", async () => {
    const proxy = await openProxy();
    const storage = await open({ url: proxy.url });
    const record = newDocument(system);
    const broken = proxy.breakNext("commit_1", "lost");
    expect(await codeOf(upload(storage, record))).toBe("storage_unavailable");
    await broken;
    expect(await partsOf(storage, record)).toBe(NOTHING);
    expect(await codeOf(upload(storage, record))).toBe("done");
    expect(await partsOf(storage, record)).toBe(WHOLE);
  });

  test("made, and then nobody answers: storage_unavailable, and the same again is refused, not doubled", async () => {
    const proxy = await openProxy();
    const storage = await open({ url: proxy.url });
    const record = newDocument(system);
    const broken = proxy.breakNext("commit_1", "unanswered");
    const outcome = codeOf(upload(storage, record));
    await broken;
    proxy.refuse(true);
    expect(await outcome).toBe("storage_unavailable");
    proxy.refuse(false);
    expect(await codeOf(upload(storage, record))).toBe("revision");
    expect(await partsOf(storage, record)).toBe(WHOLE);
  });

  test("made only after the connection broke: not known, and then there once", async () => {
    const proxy = await openProxy();
    const schema = `outage_${++made}`;
    const storage = await open({ url: proxy.url, schema });
    const record = newDocument(system);
    await withClient(server.role_url, async (blocker) => {
      await blocker.query(`BEGIN; LOCK TABLE ${schema}.versions IN EXCLUSIVE MODE`);
      const outcome = codeOf(upload(storage, record));
      await expect.poll(waitingCommits, { timeout: 5_000 }).toBe(1);
      await proxy.close();
      expect(await outcome).toBe("storage_unavailable");
      await blocker.query("COMMIT");
    });
    const direct = await open({ schema });
    await expect.poll(() => partsOf(direct, record)).toBe(WHOLE);
  });

  const waitingCommits = () =>
    withClient(server.url, async (client) => {
      const { rowCount } = await client.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%commit_1%'",
      );
      return rowCount;
    });

  test("a commit that brings no event says that it isn't known", async () => {
    const proxy = await openProxy();
    const storage = await open({ url: proxy.url });
    const job = newJob(system);
    const broken = proxy.breakNext("commit_1", "unanswered");
    const refused = storage.documents.commit([{ tenant_id: "t1", enqueue: [job] }]);
    await expect(refused).rejects.toMatchObject({ code: "storage_unavailable", retryable: true });
    await broken;
    await expect(refused).rejects.toThrow("not known");
  });

  test("a read goes on by another connection", async () => {
    const proxy = await openProxy();
    const storage = await open({ url: proxy.url });
    const record = newDocument(system);
    await upload(storage, record);
    const broken = proxy.breakNext("get_document_1", "unanswered");
    expect((await storage.documents.getDocument("t1", record.document_id))?.document_id).toBe(
      record.document_id,
    );
    await broken;
  });
});

describe("bounded waits", () => {
  test("a pool that slow statements hold is storage_unavailable soon, and works again after", async () => {
    const schema = `outage_${++made}`;
    const storage = await open({ schema, pool_size: 2, connect_timeout_ms: 300, statement_timeout_ms: 900 });
    await withClient(server.role_url, async (blocker) => {
      await blocker.query(`BEGIN; LOCK TABLE ${schema}.documents`);
      const started = performance.now();
      const record = newDocument(system);
      const outcomes = await Promise.all([
        ...Array.from({ length: 6 }, () => codeOf(storage.documents.getDocument("t1", "doc_x"))),
        ...Array.from({ length: 2 }, () => codeOf(upload(storage, record))),
      ]);
      expect(new Set(outcomes)).toEqual(new Set(["storage_unavailable"]));
      expect(performance.now() - started).toBeLessThan(5_000);
      await blocker.query("COMMIT");
    });
    await upload(storage, newDocument(system));
  });

  test("a server that falls silent is storage_unavailable soon", async () => {
    const proxy = await openProxy();
    const storage = await open({ url: proxy.url, connect_timeout_ms: 300, statement_timeout_ms: 400 });
    const broken = proxy.breakNext("commit_1", "silent");
    const started = performance.now();
    expect(await codeOf(upload(storage, newDocument(system)))).toBe("storage_unavailable");
    expect(performance.now() - started).toBeLessThan(5_000);
    await broken;
    await upload(storage, newDocument(system));
  });

  test("no server at all is said at once, with what can't be reached", async () => {
    const refused = open({ url: "postgresql://app@127.0.0.1:1/sluice" });
    await expect(refused).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(refused).rejects.toThrow("PostgreSQL can't be reached");
  });
});

describe("listening", () => {
  const listening = (schema: string) =>
    withClient(server.url, async (client) =>
      (
        await client.query("SELECT pid FROM pg_stat_activity WHERE query = $1", [`LISTEN ${schema}_jobs`])
      ).rows.map(({ pid }) => pid as number),
    );

  test("comes back after the connection was ended, without looking at the log meanwhile", async () => {
    const schema = `outage_${++made}`;
    const hours = { schema, poll_ms: 3_600_000 };
    const [listener, speaker] = [await open(hours), await open(hours)];
    let [events, jobs] = [0, 0];
    listener.documents.watchEvents(() => {
      events += 1;
    });
    listener.queue.watchJobs(() => {
      jobs += 1;
    });
    const heard = async () => {
      const before = [events, jobs];
      await upload(speaker, newDocument(system));
      await expect.poll(() => events > before[0]! && jobs > before[1]!, { timeout: 5_000 }).toBe(true);
    };
    await expect.poll(() => listening(schema), { timeout: 5_000 }).toHaveLength(1);
    await heard();
    for (const end of ["terminate", "restart"]) {
      const [pid] = await listening(schema);
      if (end === "terminate") {
        await withClient(server.url, (client) => client.query("SELECT pg_terminate_backend($1)", [pid]));
      } else await server.restart("immediate");
      await expect
        .poll(async () => (await listening(schema)).some((other) => other !== pid), { timeout: 10_000 })
        .toBe(true);
      await expect.poll(() => codeOf(upload(speaker, newDocument(system))), { timeout: 5_000 }).toBe("done");
      await heard();
    }
  });

  test("an event that nobody told of is found by looking", async () => {
    const schema = `outage_${++made}`;
    const storage = await open({ schema });
    let rings = 0;
    storage.documents.watchEvents(() => {
      rings += 1;
    });
    await expect.poll(() => listening(schema)).toHaveLength(1);
    const commit = JSON.stringify([
      { tenant_id: "t1", events: [uploadedEvent(system, newDocument(system))] },
    ]);
    const before = rings;
    await withClient(server.role_url, (client) =>
      client.query(`SELECT ${schema}.commit_1($1, ARRAY[NULL]::json[], ARRAY[NULL]::json[], NULL, false)`, [
        commit,
      ]),
    );
    await expect.poll(() => rings).toBeGreaterThan(before);
  });
});
