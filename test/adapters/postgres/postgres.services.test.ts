/** The storage ports over a real PostgreSQL server. Debian's has no pgvector for it: vectors are shown with PGlite. */
import { afterAll, beforeAll } from "vitest";
import {
  describeApiKeyStore,
  describeDocumentStore,
  describeJobQueue,
  describeJobQueueModel,
} from "../../../contracts/index.ts";
import { queueModelOptions } from "../../contracts/queue-model-options.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { createHarness } from "./harness.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const open = createHarness(() => ({ url: server.role_url, vectors: false }));

describeDocumentStore("postgres", open);
describeJobQueue("postgres", open);
describeJobQueueModel("postgres", open, queueModelOptions());
describeApiKeyStore("postgres", open);
