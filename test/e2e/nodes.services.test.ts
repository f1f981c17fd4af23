/** Several machines, played by processes that share nothing but one PostgreSQL server and one folder of files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SluiceEvent } from "../../src/events.ts";
import { expectLegal } from "../journey.ts";
import { type PostgresServer, startPostgres } from "../services/postgres.ts";
import { type Client, createClient } from "./client.ts";
import { freePort, type Running, startSluice } from "./processes.ts";

const LEASE_SECONDS = 3;

let server: PostgresServer;
const folder = mkdtempSync(join(tmpdir(), "sluice-nodes-"));
const running = new Set<Running>();

async function start(command: "api" | "worker"): Promise<Running> {
  const node = await startSluice({
    command,
    data_dir: folder,
    env: {
      SLUICE_STORAGE: "postgres",
      SLUICE_POSTGRES_URL: server.role_url,
      SLUICE_LEASE_SECONDS: String(LEASE_SECONDS),
      SLUICE_CHUNK_TOKENS: "64",
      SLUICE_CHUNK_OVERLAP_TOKENS: "8",
      SLUICE_PORT: String(await freePort()),
    },
  });
  running.add(node);
  return node;
}

let apis: Running[];
let workers: Running[];
let clients: [Client, Client];
beforeAll(async () => {
  server = await startPostgres({}, { vectors: true });
  apis = await Promise.all([start("api"), start("api")]);
  workers = await Promise.all([1, 2, 3, 4].map(() => start("worker")));
  clients = apis.map(({ url }) => createClient(url)) as [Client, Client];
});
afterAll(async () => {
  await Promise.all([...running].map((node) => node.stop()));
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const text = (subject: string) => `# ${subject}\n\n${`All about the ${subject}. `.repeat(200)}`;
const startedBy = (events: SluiceEvent[]) =>
  events.flatMap((event) => (event.event_type === "rag.ingestion.started" ? [event.data.worker_id] : []));

/** Collects a stream until so many ingestions have ended. */
async function collect(client: Client, after: number, ends: number): Promise<SluiceEvent[]> {
  const events: SluiceEvent[] = [];
  let ended = 0;
  for await (const event of client.events(`after=${after}`)) {
    events.push(event);
    if (event.event_type === "rag.ingestion.completed" && ++ended === ends) return events;
  }
  throw new Error(`the stream ended after ${ended} of ${ends}`);
}

/** Of the last event that a test has seen: the next begins there. */
let after = 0;

describe("two API processes and four workers on one PostgreSQL", () => {
  test("a document uploaded to one node is followed, read and found on the other", async () => {
    const [one, other] = clients;
    const { body } = await one.upload("heron.md", text("heron"));
    const document = await other.ended(body.document_id, body.job_id);
    expect(document).toMatchObject({ status: "completed", filename: "heron.md" });
    const journey = await one.journey(body.document_id);
    expect(expectLegal(journey)).toBe("completed");
    after = journey.at(-1)?.sequence ?? 0;
    for (const client of clients) {
      const { hits } = await client.search({ query: "heron" });
      expect(hits[0]?.document_id).toBe(body.document_id);
    }
  });

  test("both nodes tell every event once and in one order, and every worker has its share", async () => {
    const DOCUMENTS = 60;
    const following = clients.map((client) => collect(client, after, DOCUMENTS));
    await Promise.all(
      Array.from({ length: DOCUMENTS }, (_, n) =>
        (clients[n % 2] as Client).upload(`share-${n}.md`, text(`share ${n}`)),
      ),
    );
    const [told, toldThere] = (await Promise.all(following)) as [SluiceEvent[], SluiceEvent[]];
    expect(toldThere).toEqual(told);
    const sequences = told.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    const shares = new Map<string, number>();
    for (const worker_id of startedBy(told)) shares.set(worker_id, (shares.get(worker_id) ?? 0) + 1);
    expect([...shares.values()].reduce((sum, share) => sum + share)).toBe(DOCUMENTS);
    expect(shares.size).toBe(4);
    for (const share of shares.values()) expect(share).toBeGreaterThanOrEqual(DOCUMENTS / 4 / 4);
    after = sequences.at(-1) as number;
  });

  test("a worker and an API node that die at once are not missed", async () => {
    const [one, other] = clients;
    const DOCUMENTS = 40;
    const following = collect(other, after, DOCUMENTS);
    const answers = await Promise.all(
      Array.from({ length: DOCUMENTS }, (_, n) => one.upload(`death-${n}.md`, text(`death ${n}`))),
    );
    const [victim] = workers as [Running];
    const victim_id = /wrk_[0-9a-f]{32}/.exec(victim.log())?.[0];
    for await (const event of other.events(`after=${after}`)) {
      if (event.event_type === "rag.ingestion.started" && event.data.worker_id === victim_id) break;
    }
    await Promise.all([(apis[0] as Running).kill(), victim.kill()]);
    running.delete(victim);
    running.delete(apis[0] as Running);
    const told = await following;
    expect(new Set(told.map(({ sequence }) => sequence)).size).toBe(told.length);
    for (const { body } of answers) {
      const { body: document } = await other.call<{ status: string }>(
        "GET",
        `/v1/documents/${body.document_id}`,
      );
      expect(document.status).toBe("completed");
      expect(expectLegal(await other.journey(body.document_id))).toBe("completed");
    }
    const { hits } = await other.search({ query: "death 7" });
    expect(hits).not.toHaveLength(0);
  });
});
