/** A sweep and a commit that is still under way: the blob is named or condemned, never both. */
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { newDocument, newVersion, uploadCommit, uploadedEvent } from "../../../contracts/index.ts";
import { expectConflict, type StorageHarness } from "../../../contracts/storage.ts";
import type { Commit } from "../../../src/ports/document-store.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { createHarness } from "./harness.ts";

let server: PostgresServer;
let h: StorageHarness;
let client: pg.Client;
const schema = "test_1";
const key = "t1/blob_1";

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
const open = createHarness(() => ({ url: server.role_url, vectors: false }));
beforeEach(async () => {
  h = await open();
  client = new pg.Client(server.role_url);
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await h.close();
});

function uploadOf(blob_key: string): Commit {
  const record = newDocument(h.system);
  return { ...uploadCommit(h.system, record), version: newVersion(record, { blob_key }) };
}

/** Applied on a connection of its own, and not over. */
async function begin(commit: Commit): Promise<void> {
  await client.query("BEGIN");
  const call = `SELECT ${schema}.commit_1($1, ARRAY[NULL]::json[], ARRAY[NULL]::json[], NULL, false)`;
  await client.query(call, [JSON.stringify([commit])]);
}

/** Resolves when so many wait for an advisory lock. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
    );
    if (rows[0].n === count) return;
  }
}

test.each(["COMMIT", "ROLLBACK"])("a sweep waits for a commit that names a blob: %s", async (end) => {
  await begin(uploadOf(key));
  const condemning = h.documents.condemnBlobs([key, "t1/blob_2"]);
  await waiting(1);
  // Others that come meanwhile find what it will have decided; who names nothing doesn't wait.
  const later = h.documents.commit([uploadOf("t1/blob_2")]);
  const refused = expectConflict(later, "blob_condemned");
  await waiting(2);
  await h.documents.commit([{ tenant_id: "t1", events: [uploadedEvent(h.system, newDocument(h.system))] }]);
  await client.query(end);
  const unnamed = end === "COMMIT" ? ["t1/blob_2"] : [key, "t1/blob_2"];
  expect((await condemning).sort()).toEqual(unnamed);
  await refused;
  expect(await h.documents.referencedBlobs([key])).toEqual(new Set(end === "COMMIT" ? [key] : []));
});

test("a commit that names a blob waits for a sweep that has not ended, and is refused", async () => {
  await client.query("BEGIN");
  await client.query(`SELECT ${schema}.condemn_blobs_1($1)`, [[key]]);
  const late = expectConflict(h.documents.commit([uploadOf(key)]), "blob_condemned");
  await waiting(1);
  await client.query("COMMIT");
  await late;
});

test("readers of the log don't wait for a sweep", async () => {
  await client.query("BEGIN");
  await client.query(`SELECT ${schema}.condemn_blobs_1($1)`, [[key]]);
  await h.documents.commit([{ tenant_id: "t1", events: [uploadedEvent(h.system, newDocument(h.system))] }]);
  expect(await h.documents.readEvents({ after: 0, limit: 10 })).toHaveLength(1);
  await client.query("ROLLBACK");
});
