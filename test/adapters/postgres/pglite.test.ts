/**
 * The same adapter on PGlite: PostgreSQL and pgvector inside this process, so that `npm test` runs its SQL without a
 * server. It has one session for all connections, and notifications reach nobody else: changes are found by looking.
 * Its user is a superuser, so it also shows that tenants are kept apart where row-level security doesn't hold.
 */
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { afterAll, beforeAll } from "vitest";
import {
  describeApiKeyStore,
  describeDocumentStore,
  describeJobQueue,
  describeVectorIndex,
} from "../../../contracts/index.ts";
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
