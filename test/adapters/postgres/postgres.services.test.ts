/** The contract suites on real servers: Debian's PostgreSQL, which has no pgvector, and a newer one that has. */
import { afterAll, beforeAll, describe } from "vitest";
import {
  describeApiKeyStore,
  describeDocumentStore,
  describeJobQueue,
  describeJobQueueModel,
  describeVectorIndex,
} from "../../../contracts/index.ts";
import { queueModelOptions } from "../../contracts/queue-model-options.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";
import { createHarness } from "./harness.ts";

describe("words only", () => {
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
});

describe("with pgvector", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({}, { vectors: true });
  });
  afterAll(() => server.stop());
  const open = createHarness(() => ({ url: server.role_url }));

  describeVectorIndex("postgres", open);
  describeDocumentStore("postgres", open);
  describeJobQueue("postgres", open);
});
