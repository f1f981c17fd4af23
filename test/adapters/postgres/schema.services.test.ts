/** Making the schema: by several at once, by roles that may do little, and where it can't be done. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { contractEmbedder, newDocument, newJob, uploadCommit } from "../../../contracts/index.ts";
import { manualClock } from "../../../contracts/system.ts";
import { checkPostgres } from "../../../src/adapters/postgres/check.ts";
import {
  openPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from "../../../src/adapters/postgres/storage.ts";
import type { ServiceCheck } from "../../../src/ports/service-check.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { withClient } from "./harness.ts";
import { startOldServer } from "./old-server.ts";

/** Debian's, without pgvector, and one that has it. */
let plain: PostgresServer;
let server: PostgresServer;
beforeAll(async () => {
  plain = await startPostgres();
  server = await startPostgres({}, { vectors: true });
});
afterAll(async () => {
  await plain?.stop();
  await server?.stop();
});

const { system } = manualClock();
const opened: PostgresStorage[] = [];
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
});

async function open(options: Partial<PostgresStorageOptions> = {}): Promise<PostgresStorage> {
  const storage = await openPostgresStorage({
    url: server.role_url,
    system,
    embedder: contractEmbedder,
    own_clock: true,
    pool_size: 2,
    ...options,
  });
  opened.push(storage);
  return storage;
}

const sql = (url: string, text: string) => withClient(url, (client) => client.query(text));

/** A database, and a role with these rights in it. */
async function newDatabase(
  name: string,
  role: string,
  rights: string,
): Promise<{ url: string; owner: string }> {
  const at = (user: string) => server.url.replace("postgres@", `${user}@`).replace("/sluice", `/${name}`);
  await sql(server.url, `CREATE DATABASE ${name}`);
  await sql(at("postgres"), `CREATE ROLE ${role} LOGIN; ${rights}`);
  return { url: at(role), owner: at("postgres") };
}

async function works(storage: PostgresStorage): Promise<void> {
  const record = newDocument(system);
  await storage.documents.commit([uploadCommit(system, record)]);
  expect(await storage.documents.getDocument("t1", record.document_id)).toEqual(record);
}

async function checksOf(url: string): Promise<ServiceCheck[]> {
  const checks: ServiceCheck[] = [];
  for await (const check of checkPostgres({ url, schema: "sluice", pool_size: 2, vectors: true }))
    checks.push(check);
  return checks;
}

const refusal = (message: RegExp) =>
  expect.objectContaining({
    code: "storage_unavailable",
    retryable: false,
    message: expect.stringMatching(message),
  });

describe("a first start", () => {
  test("of eight processes at once on an empty database makes it once, and all go on", async () => {
    const { url } = await newDatabase(
      "race",
      "racer",
      "GRANT CREATE ON DATABASE race TO racer; CREATE EXTENSION vector",
    );
    const storages = await Promise.all(Array.from({ length: 8 }, () => open({ url, pool_size: 1 })));
    await Promise.all(storages.map(works));
    const { rows } = await sql(url, "SELECT count(*)::int AS n FROM sluice.schema_version");
    expect(rows).toEqual([{ n: 1 }]);
    expect((await sql(url, "SELECT * FROM sluice.embedders")).rows).toHaveLength(1);
  });

  test("of two installations at once adds pgvector once", async () => {
    const { owner } = await newDatabase("two", "nobody_there", "");
    await Promise.all(["one", "two", "three"].map((schema) => open({ url: owner, schema, pool_size: 1 })));
    expect((await sql(owner, "SELECT FROM pg_extension WHERE extname = 'vector'")).rowCount).toBe(1);
  });

  test("by an embedder that is new, of several at once, makes one table for it", async () => {
    const embedder = { embedder_id: "another@1", dimensions: 16 };
    await open({ schema: "embedding" });
    await Promise.all(Array.from({ length: 4 }, () => open({ schema: "embedding", embedder, pool_size: 1 })));
    const { rows } = await sql(
      server.url,
      "SELECT embedder_id FROM embedding.embedders ORDER BY embedder_id",
    );
    expect(rows.map(({ embedder_id }) => embedder_id)).toEqual(["another@1", contractEmbedder.embedder_id]);
  });

  test("a start that broke off half way leaves nothing, and the next one succeeds", async () => {
    await sql(server.role_url, "CREATE SCHEMA half");
    // Refused late: the tables are made by then.
    const embedder = { embedder_id: "too wide", dimensions: 20_000 };
    await expect(open({ schema: "half", embedder })).rejects.toThrow();
    const left = await sql(server.url, "SELECT FROM pg_tables WHERE schemaname = 'half'");
    expect(left.rowCount).toBe(0);
    await works(await open({ schema: "half" }));
  });

  test("a name that is none for a schema is refused before anything is asked", async () => {
    await expect(open({ schema: 'x"; DROP TABLE y' })).rejects.toThrow("not a name for a schema");
  });
});

describe("a later start", () => {
  test("keeps what is there", async () => {
    const first = await open({ schema: "kept" });
    const record = newDocument(system);
    await first.documents.commit([uploadCommit(system, record)]);
    const second = await open({ schema: "kept" });
    expect(await second.documents.getDocument("t1", record.document_id)).toEqual(record);
  });

  test.each(["tables", "functions"])(
    "on a schema with newer %s is refused, and says what to do",
    async (what) => {
      const schema = `newer_${what}`;
      await open({ schema });
      await sql(server.role_url, `UPDATE ${schema}.schema_version SET ${what} = ${what} + 1`);
      const refused = open({ schema });
      await expect(refused).rejects.toEqual(refusal(/knows up to \d+\.\d+\. Start the newer Sluice/));
    },
  );

  test("makes functions of an older release again", async () => {
    const storage = await open({ schema: "older" });
    await sql(
      server.role_url,
      `UPDATE older.schema_version SET functions = 0; DROP FUNCTION older.get_document_1(text, text);
       DROP FUNCTION older.nearest_1(text, text, jsonb, text, int)`,
    );
    const asked = [1, 0, 0, 0, 0, 0, 0, 0];
    const nearest = ({ index }: PostgresStorage) =>
      index.nearest({ tenant_id: "t1" }, Float32Array.from(asked), 5);
    await expect(storage.documents.getDocument("t1", "doc_x")).rejects.toThrow();
    await expect(nearest(storage)).rejects.toThrow();
    // Started without vectors, as an api process with another index would be: those of others are made again too.
    await open({ schema: "older", vectors: false });
    expect(await nearest(storage)).toEqual([]);
    await works(await open({ schema: "older" }));
  });
});

describe("a server or a role that won't do", () => {
  test("a server without pgvector is told so, with the package and the way round", async () => {
    const refused = open({ url: plain.role_url });
    await expect(refused).rejects.toEqual(
      refusal(/lacks pgvector.*postgresql-NN-pgvector.*SLUICE_INDEX=pinecone/),
    );
    await works(await open({ url: plain.role_url, vectors: false }));
  });

  test("a role that may not add pgvector is told what a superuser is to do", async () => {
    const { url, owner } = await newDatabase("bare", "humble", "GRANT CREATE ON DATABASE bare TO humble");
    await expect(open({ url })).rejects.toEqual(refusal(/As a superuser, once: CREATE EXTENSION vector;/));
    await sql(owner, "CREATE EXTENSION vector");
    await works(await open({ url }));
  });

  test("a role that may not make schemas is told what is missing", async () => {
    const { url } = await newDatabase("closed", "stranger", "CREATE EXTENSION vector");
    await expect(open({ url })).rejects.toEqual(
      refusal(/permission denied for database closed.*SLUICE_POSTGRES_URL/),
    );
    const checks = await checksOf(url);
    expect(checks).toContainEqual(
      expect.objectContaining({ ok: false, fix: "CREATE SCHEMA sluice AUTHORIZATION stranger;" }),
    );
  });

  test("a schema of its own is all that a role needs", async () => {
    const rights = "CREATE EXTENSION vector; CREATE SCHEMA sluice AUTHORIZATION tenant_of_house";
    const { url } = await newDatabase("house", "tenant_of_house", rights);
    const checks = await checksOf(url);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    await works(await open({ url }));
  });

  test("a server older than 15 is refused by its version", async () => {
    const old = await startOldServer("140010");
    try {
      await expect(open({ url: old.url })).rejects.toEqual(
        refusal(/The server is PostgreSQL 14; Sluice needs 15 or later/),
      );
    } finally {
      await old.close();
    }
  });
});

describe("two installations in one database", () => {
  test("share no document, job, event, turn or notification", async () => {
    const [a, b] = [await open({ schema: "house_a", poll_ms: 3_600_000 }), await open({ schema: "house_b" })];
    const record = newDocument(system);
    await a.documents.commit([uploadCommit(system, record)]);
    await a.queue.enqueue([newJob(system)]);
    await a.keys.add({
      key_id: "key_1",
      tenant_id: "t1",
      name: "n",
      hash: "h",
      operator: false,
      created_at: record.created_at,
      expires_at: null,
    });
    await a.documents.saveCursor("kafka", 7);
    expect(await a.documents.lead("relay", "holder of a", 60_000)).toBe(true);

    expect(await b.documents.getDocument("t1", record.document_id)).toBeUndefined();
    expect(await b.documents.readEvents({ after: 0, limit: 10 })).toEqual([]);
    expect(await b.documents.lastSequence()).toBe(0);
    expect(await b.queue.claim("wrk_b", 10, 1_000)).toEqual([]);
    expect(await b.queue.stats()).toMatchObject({ by_state: { queued: 0 } });
    expect(await b.keys.any()).toBe(false);
    expect(await b.documents.getCursor("kafka")).toBe(0);
    expect(await b.documents.lead("relay", "holder of b", 60_000)).toBe(true);
    // The same ids once more: nothing of the one stands in the other's way.
    await b.documents.commit([uploadCommit(system, record)]);
    expect(await a.queue.claim("wrk_a", 10, 1_000)).toHaveLength(2);
    expect(await b.queue.claim("wrk_b", 10, 1_000)).toHaveLength(1);
  });

  test("hear only their own notifications", async () => {
    const [a, b] = [await open({ schema: "ear_a", poll_ms: 3_600_000 }), await open({ schema: "ear_b" })];
    const a2 = await open({ schema: "ear_a" });
    let rings = 0;
    a.documents.watchEvents(() => {
      rings += 1;
    });
    // It rings once when it begins to listen.
    await expect.poll(() => rings).toBe(1);
    const before = rings;
    for (let count = 0; count < 5; count += 1) await works(b);
    // Then one of its own: notifications of one database come in the order of their commits.
    expect(rings).toBe(before);
    await works(a2);
    await expect.poll(() => rings).toBe(before + 1);
  });
});
