/** What the deployment files ask a service for, asked of a real one. */
import { readFileSync } from "node:fs";
import pg from "pg";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { contractEmbedder, newJob } from "../contracts/index.ts";
import { createSystem } from "../src/adapters/node/system.ts";
import { openPostgresStorage } from "../src/adapters/postgres/storage.ts";
import { startPostgres } from "./services/postgres.ts";

test("KEDA's query counts the jobs of all tenants, ready and running", async () => {
  const text = readFileSync(new URL("../deploy/kubernetes/scale-on-postgres.yaml", import.meta.url), "utf8");
  const scaled = parseAllDocuments(text)
    .map((document) => document.toJS())
    .find(({ kind }) => kind === "ScaledObject");
  const server = await startPostgres({ fsync: "off" });
  const system = createSystem();
  const storage = await openPostgresStorage({
    url: server.role_url,
    schema: "sluice",
    system,
    embedder: contractEmbedder,
    vectors: false,
  });
  await storage.queue.enqueue([newJob(system), newJob(system, { tenant_id: "t2" }), newJob(system)]);
  const [first, second] = await storage.queue.claim("wrk_a", 2, 30_000);
  await storage.queue.complete(first!);
  expect(second).toBeDefined();
  const client = new pg.Client(server.role_url);
  await client.connect();
  const { rows } = await client.query(scaled.spec.triggers[0].metadata.query);
  expect(Number(Object.values(rows[0])[0])).toBe(2);
  await client.end();
  await storage.close();
  await server.stop();
});
