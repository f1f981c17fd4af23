/**
 * The same adapter on PGlite: PostgreSQL and pgvector inside this process, so that `npm test` runs its SQL without a
 * server. It has one session for all connections, and notifications reach nobody else: changes are found by looking.
 * Its user is a superuser, so it also shows that tenants are kept apart where row-level security doesn't hold.
 */
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  describeApiKeyStore,
  describeDocumentStore,
  describeJobQueue,
  describeVectorIndex,
} from "../../../contracts/index.ts";
import { publish } from "../../../contracts/storage.ts";
import { migrations } from "../../../src/adapters/postgres/tables.ts";
import { createHarness } from "./harness.ts";

let db: PGlite;
let server: PGLiteSocketServer;
let url: string;
beforeAll(async () => {
  db = await PGlite.create({ extensions: { vector } });
  server = new PGLiteSocketServer({ db, port: 0, maxConnections: 64 });
  await server.start();
  url = `postgresql://postgres@${server.getServerConn()}/postgres`;
});
afterAll(async () => {
  await server.stop();
  await db.close();
});

const open = createHarness(() => ({ url, poll_ms: 20, pool_size: 2 }));

describeVectorIndex("postgres in this process", open);
describeDocumentStore("postgres in this process", open);
describeJobQueue("postgres in this process", open);
describeApiKeyStore("postgres in this process", open);

test("words stored before stemming are found by their stems after the upgrade", async () => {
  const h = await createHarness(() => ({ url, poll_ms: 20, pool_size: 2 }), "upgraded")();
  onTestFinished(() => h.close?.());
  await publish(h, [{ text: "a text" }]);
  // As the release before wrote them.
  await db.query("UPDATE upgraded_1.entries SET words = $$'=t1' ships:1A,4D guided:2A 'o''clock':3A$$");
  const find = (words: string) => h.index.matching({ tenant_id: "t1" }, words, 5);
  expect(await find("ship")).toEqual([]);
  await db.exec(
    (migrations.find((sql) => sql.includes("english_stem")) as string).replaceAll("$S", "upgraded_1"),
  );
  for (const words of ["ship", "ships", "guiding"]) expect(await find(words), words).toHaveLength(1);
  const { rows } = await db.query("SELECT words::text FROM upgraded_1.entries");
  expect(rows).toEqual([{ words: "'=t1' 'guid':2A 'o''clock':3A 'ship':1A,4" }]);
});
