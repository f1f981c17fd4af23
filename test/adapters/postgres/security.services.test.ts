/** Row-level security: what a connection of the role sees and writes by plain SQL, past every function of ours. */
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newDocument, uploadCommit } from "../../../contracts/index.ts";
import { change, claimOne, publish, type StorageHarness } from "../../../contracts/storage.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { createHarness, withClient } from "./harness.ts";

let server: PostgresServer;
let h: StorageHarness;
let tables: string[];
const schema = "test_1";

beforeAll(async () => {
  server = await startPostgres({}, { vectors: true });
  h = await createHarness(() => ({ url: server.role_url }))();
  for (const tenant_id of ["a", "b"]) await fill(tenant_id);
  tables = await withClient(server.url, tablesWithTenant);
});
afterAll(async () => {
  await h?.close();
  await server?.stop();
});

/** A row of this tenant in every table that has tenants. */
async function fill(tenant_id: string): Promise<void> {
  const record = await publish(h, [{ text: "quartz" }], { tenant_id });
  const checkpoint = { stage: "extracting" as const, data: { part_0_key: `${tenant_id}/text` } };
  const { document_id } = record;
  const next = { ...record, revision: record.revision + 1 };
  await h.documents.commit([
    { tenant_id, document: { record: next, expect_revision: record.revision }, checkpoint },
    {
      tenant_id,
      answer: {
        key: "k",
        fingerprint: "f",
        status: 201,
        body: { document_id },
        created_at: record.created_at,
      },
    },
  ]);
  await claimOne(h);
  await h.documents.collections.put(tenant_id, {
    collection: "c",
    settings: { chunking: {} },
    updated_at: record.created_at,
  });
  const key = { key_id: `key_${tenant_id}`, hash: `hash of ${tenant_id}`, name: "test" };
  await h.keys.add({ ...key, tenant_id, operator: false, created_at: record.created_at, expires_at: null });
}

async function tablesWithTenant(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = $1 AND column_name = 'tenant_id' AND table_type = 'BASE TABLE' ORDER BY table_name`,
    [schema],
  );
  return rows.map(({ table_name }) => `${schema}.${table_name}`);
}

const tenantsIn = async (client: pg.Client, table: string) =>
  (await client.query(`SELECT DISTINCT tenant_id FROM ${table} ORDER BY tenant_id`)).rows.map(
    ({ tenant_id }) => tenant_id,
  );

/** One row of tenant b, as the superuser sees it. */
const rowOfB = (table: string) =>
  withClient(
    server.url,
    async (client) =>
      (await client.query(`SELECT to_json(t)::text AS row FROM ${table} AS t WHERE tenant_id = 'b' LIMIT 1`))
        .rows[0].row as string,
  );

const outcomeOf = (query: Promise<pg.QueryResult>) =>
  query.then(
    ({ rowCount }) => `${rowCount} rows`,
    (error: { code: string }) => error.code,
  );

/** What is left of an attempt to write b's rows: the superuser's count before and after must agree. */
async function attempts(client: pg.Client, table: string): Promise<Record<string, string>> {
  const row = await rowOfB(table);
  const insert = `INSERT INTO ${table} SELECT * FROM json_populate_record(NULL::${table}, $1)`;
  return {
    insert: await outcomeOf(client.query(insert, [row])),
    update: await outcomeOf(client.query(`UPDATE ${table} SET tenant_id = tenant_id WHERE tenant_id = 'b'`)),
    delete: await outcomeOf(client.query(`DELETE FROM ${table} WHERE tenant_id = 'b'`)),
  };
}
const REFUSED = { insert: "42501", update: "0 rows", delete: "0 rows" };

describe("row-level security", () => {
  test("every table with a tenant has it forced, and a policy", async () => {
    const { rows } = await withClient(server.url, (client) =>
      client.query(
        `SELECT oid::regclass::text AS name, relrowsecurity AND relforcerowsecurity AS forced,
           (SELECT count(*)::int FROM pg_policy WHERE polrelid = pg_class.oid) AS policies
         FROM pg_class WHERE oid = ANY ($1::regclass[]) ORDER BY 1`,
        [tables],
      ),
    );
    expect(tables.length).toBeGreaterThanOrEqual(13);
    expect(rows).toEqual(tables.map((name) => ({ name, forced: true, policies: 1 })));
  });

  test("the tables were filled for both tenants, so that what follows shows something", async () => {
    await withClient(server.url, async (client) => {
      for (const table of tables)
        expect([table, await tenantsIn(client, table)]).toEqual([table, ["a", "b"]]);
    });
  });

  test("the role is the tables' owner, and no superuser", async () => {
    const { rows } = await withClient(server.role_url, (client) =>
      client.query(
        `SELECT DISTINCT tableowner = current_user AS owner, usesuper FROM pg_tables, pg_user
         WHERE schemaname = $1 AND usename = current_user`,
        [schema],
      ),
    );
    expect(rows).toEqual([{ owner: true, usesuper: false }]);
  });

  test("who has said no tenant sees no row and writes none", async () => {
    await withClient(server.role_url, async (client) => {
      for (const table of tables) {
        expect([table, await tenantsIn(client, table)]).toEqual([table, []]);
        expect([table, await attempts(client, table)]).toEqual([table, REFUSED]);
      }
    });
  });

  test("who has said a tenant sees its rows alone and writes no other's", async () => {
    await withClient(server.role_url, async (client) => {
      await client.query("SET sluice.tenant = 'a'");
      for (const table of tables) {
        expect([table, await tenantsIn(client, table)]).toEqual([table, ["a"]]);
        expect([table, await attempts(client, table)]).toEqual([table, REFUSED]);
        // Nor can it give one of its own away.
        const give = await outcomeOf(client.query(`UPDATE ${table} SET tenant_id = 'b'`));
        expect([table, give]).toEqual([table, "42501"]);
      }
    });
  });

  test("a commit in one tenant's name writes no other's document, chunks or event", async () => {
    const record = newDocument(h.system, { tenant_id: "b" });
    const commit = { ...uploadCommit(h.system, record), tenant_id: "a" };
    await expect(h.documents.commit([commit])).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(h.documents.commit([{ tenant_id: "a", events: commit.events ?? [] }])).rejects.toThrow();
    expect(await h.documents.getDocument("b", record.document_id)).toBeUndefined();
  });

  test("no connection of the pool remembers a tenant", async () => {
    const record = await publish(h, [{ text: "quartz" }], { tenant_id: "a" });
    await change(h, record, { filename: "other" });
    await h.index.matching({ tenant_id: "a" }, "quartz", 5);
    await h.queue.stats();
    await h.queue.deadByCode();
    await h.queue.loads(10);
    // A session of the same kind as the pool's: functions leave nothing behind, also after a refused one.
    await withClient(server.role_url, async (client) => {
      const left = async () =>
        (await client.query("SELECT current_setting('sluice.tenant', true) AS t")).rows[0].t;
      await client.query(`SELECT * FROM ${schema}.get_document_1('a', $1)`, [record.document_id]);
      expect((await left()) || null).toBe(null);
      await client.query(`SELECT * FROM ${schema}.read_events_1(0, 5, NULL, NULL, NULL, NULL)`);
      expect((await left()) || null).toBe(null);
      const commit = JSON.stringify([{ tenant_id: "a", cancel_job: "job_never" }]);
      await expect(
        client.query(`SELECT ${schema}.commit_1($1, ARRAY[NULL]::json[], ARRAY[NULL]::json[], NULL, false)`, [
          commit,
        ]),
      ).rejects.toMatchObject({ code: "SL001" });
      expect((await left()) || null).toBe(null);
      expect(await tenantsIn(client, tables[0] as string)).toEqual([]);
    });
  });
});
