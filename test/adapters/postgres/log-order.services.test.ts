/** Whoever reads the log by sequence misses nothing, though sequences are drawn before they are committed. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newDocument, uploadCommit, uploadedEvent } from "../../../contracts/index.ts";
import type { StorageHarness } from "../../../contracts/storage.ts";
import type { DocumentRecord } from "../../../src/document.ts";
import type { NewEvent, SluiceEvent } from "../../../src/events.ts";
import type { EventQuery } from "../../../src/ports/document-store.ts";
import { createFollower } from "../../../src/progress/follow.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { createHarness } from "./harness.ts";

let server: PostgresServer;
let h: StorageHarness;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
const open = createHarness(() => ({ url: server.role_url, vectors: false, poll_ms: 50 }));
beforeEach(async () => {
  h = await open();
});
afterEach(async () => {
  for (const client of held.splice(0)) await client.end();
  await h.close();
});

const schema = "test_1";
const idsOf = (events: { event_id: string }[]) => events.map(({ event_id }) => event_id);

const held: pg.Client[] = [];
async function connect(): Promise<pg.Client> {
  const client = new pg.Client(server.role_url);
  await client.connect();
  held.push(client);
  return client;
}

/** A commit that has drawn its numbers, held open on a connection of its own. */
async function holdOpen(events: NewEvent[], tenant_id = "t1") {
  const client = await connect();
  await client.query("BEGIN");
  const { rows } = await client.query(
    `SELECT ${schema}.commit_1($1, ARRAY[NULL]::json[], ARRAY[NULL]::json[], NULL, false) AS sequence`,
    [JSON.stringify([{ tenant_id, events }])],
  );
  const end = async (how: "COMMIT" | "ROLLBACK") => {
    await client.query(how);
    await client.end();
  };
  return {
    sequence: Number(rows[0].sequence),
    commit: () => end("COMMIT"),
    rollback: () => end("ROLLBACK"),
    kill: () => client.end(),
  };
}

/** Reads on from the last sequence it got, as every reader does. */
function readerOf(query: Partial<EventQuery>) {
  const seen: SluiceEvent[] = [];
  return async () => {
    const after = seen.at(-1)?.sequence ?? 0;
    seen.push(...(await h.documents.readEvents({ ...query, after, limit: 100 })));
    return idsOf(seen);
  };
}

const write = (events: NewEvent[], tenant_id = "t1") => h.documents.commit([{ tenant_id, events }]);

describe("a commit that drew its numbers early and is committed late", () => {
  const record = () => newDocument(h.system);
  const queries: [string, (of: DocumentRecord) => Partial<EventQuery>][] = [
    ["everything", () => ({})],
    ["a tenant", ({ tenant_id }) => ({ tenant_id })],
    ["a document", ({ tenant_id, document_id }) => ({ tenant_id, document_id })],
    ["a document, whosesoever", ({ document_id }) => ({ document_id })],
    ["a correlation", ({ tenant_id, correlation_id }) => ({ tenant_id, correlation_id })],
    ["a collection", ({ tenant_id, collection }) => ({ tenant_id, collection })],
  ];

  test.each(queries)("is not skipped by a reader of %s", async (_, queryOf) => {
    const of = record();
    const [first, held, later] = [1, 2, 3].map(() => uploadedEvent(h.system, of)) as [
      NewEvent,
      NewEvent,
      NewEvent,
    ];
    const read = readerOf(queryOf(of));
    await write([first]);
    const open = await holdOpen([held]);
    await write([later]);
    expect(await read()).toEqual(idsOf([first]));
    await open.commit();
    expect(await read()).toEqual(idsOf([first, held, later]));
  });

  test.each(queries)("is waited for by a reader of %s no longer than it lasts", async (_, queryOf) => {
    const of = record();
    const [held, later] = [1, 2].map(() => uploadedEvent(h.system, of)) as [NewEvent, NewEvent];
    const read = readerOf(queryOf(of));
    const open = await holdOpen([held]);
    await write([later]);
    expect(await read()).toEqual([]);
    await open.rollback();
    expect(await read()).toEqual(idsOf([later]));
  });

  test("of several, the oldest decides", async () => {
    const events = Array.from({ length: 5 }, () => uploadedEvent(h.system, record()));
    const read = readerOf({});
    const first = await holdOpen(events.slice(0, 1));
    const second = await holdOpen(events.slice(1, 3));
    await write(events.slice(3, 4));
    await second.commit();
    expect(await read()).toEqual([]);
    await first.commit();
    const third = await holdOpen(events.slice(4));
    expect(await read()).toEqual(idsOf(events.slice(0, 4)));
    await third.commit();
    expect(await read()).toEqual(idsOf(events));
  });

  test("lastSequence stays before it, so a follower from now on gets it", async () => {
    const of = record();
    const before = await write([uploadedEvent(h.system, of)]);
    const held = uploadedEvent(h.system, of);
    const open = await holdOpen([held]);
    await write([uploadedEvent(h.system, of)]);
    const now = await h.documents.lastSequence();
    expect(now).toBe(before);
    await open.commit();
    expect(idsOf(await h.documents.readEvents({ after: now, limit: 1 }))).toEqual([held.event_id]);
    expect(await h.documents.lastSequence()).toBe(open.sequence + 1);
  });

  test("nobody waits to write meanwhile", async () => {
    const open = await holdOpen([uploadedEvent(h.system, record())]);
    await Promise.all(Array.from({ length: 20 }, () => write([uploadedEvent(h.system, record())])));
    await open.commit();
    expect(await readerOf({})()).toHaveLength(21);
  });

  test("a long report or an advisory lock of somebody else's holds back no reader", async () => {
    const client = await connect();
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await client.query(`SELECT count(*) FROM ${schema}.events`);
    await client.query(
      "SELECT pg_advisory_lock(1), pg_advisory_lock(1, 1), pg_advisory_xact_lock_shared(hashtext('x'))",
    );
    await write([uploadedEvent(h.system, record())]);
    expect(await readerOf({})()).toHaveLength(1);
  });

  test("a writer whose connection dies holds back nobody", async () => {
    const open = await holdOpen([uploadedEvent(h.system, record())]);
    await write([uploadedEvent(h.system, record())]);
    await open.kill();
    await expect.poll(readerOf({})).toHaveLength(1);
  });

  test("another installation in the same database holds back nobody here", async () => {
    const other = await open();
    await h.documents.commit([uploadCommit(h.system, record())]);
    const held = await holdOpen([uploadedEvent(h.system, record())]);
    await other.documents.commit([uploadCommit(other.system, newDocument(other.system))]);
    expect(await other.documents.readEvents({ after: 0, limit: 5 })).toHaveLength(1);
    await held.commit();
    await other.close();
  });
});

describe("many writers", () => {
  const WRITERS = 32;
  const ROUNDS = 12;

  /** Follows until it has this many events. */
  async function gather(
    storage: StorageHarness,
    filter: Partial<EventQuery>,
    wanted: number,
  ): Promise<SluiceEvent[]> {
    const follower = createFollower(storage.documents);
    const stop = new AbortController();
    const seen: SluiceEvent[] = [];
    try {
      for await (const batch of follower.follow(filter, 0, stop.signal)) {
        seen.push(...batch);
        if (seen.length >= wanted) stop.abort();
      }
    } finally {
      follower.close();
    }
    return seen;
  }

  test(`followers get each event of ${WRITERS} writers once and in order, from two processes`, async () => {
    const other = await h.second?.();
    if (!other) throw new Error("the harness opens a second connection");
    const shared = newDocument(h.system);
    const ids = new Set<string>();
    const total = WRITERS * ROUNDS;
    const ofTenant = {
      tenant_id: "t1",
      document_id: shared.document_id,
      correlation_id: shared.correlation_id,
    };
    const following = [h, other].flatMap((storage) =>
      [
        {},
        { tenant_id: "t1" },
        { document_id: shared.document_id },
        { correlation_id: shared.correlation_id },
        ofTenant,
      ].map((filter) => gather(storage, filter, total)),
    );
    // Of three lengths, and some rolled back: numbers are drawn in vain, and commits pass one another.
    const writer = async (place: number) => {
      const storage = place % 2 === 0 ? h : other;
      for (let round = 0; round < ROUNDS; round += 1) {
        const event = uploadedEvent(storage.system, shared);
        ids.add(event.event_id);
        if ((place + round) % 5 === 0) {
          const vain = await holdOpen([uploadedEvent(h.system, shared)]);
          await vain.rollback();
        }
        if ((place + round) % 7 === 0) {
          const late = await holdOpen([event]);
          await storage.documents.lastSequence();
          await late.commit();
        } else {
          await storage.documents.commit([{ tenant_id: "t1", events: [event] }]);
        }
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, place) => writer(place)));
    for (const seen of await Promise.all(following)) {
      expect(seen).toHaveLength(total);
      expect(new Set(idsOf(seen))).toEqual(ids);
      const sequences = seen.map(({ sequence }) => sequence);
      expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    }
    await other.close();
  });
});
