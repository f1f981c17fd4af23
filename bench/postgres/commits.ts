/** The transaction that an upload waits for, beside the same rows by plain statements. */
import pg from "pg";
import { newDocument, uploadCommit } from "../../contracts/samples.ts";
import { createSystem } from "../../src/adapters/node/system.ts";
import type { NewJob } from "../../src/job.ts";
import type { Commit } from "../../src/ports/document-store.ts";
import type { Context, Table } from "../benchmark.ts";
import { POOL } from "./queues/queue.ts";
import { openStorage } from "./queues/sluice.ts";
import { inRounds, inTurns, type Task } from "./rounds.ts";
import type { Server } from "./server.ts";

const system = createSystem();
const newUpload = () => uploadCommit(system, newDocument(system));
const AIM = 8_000;
const TABLES = ["documents", "versions", "jobs", "events"];

export async function uploadCommits(server: Server, { quick, say }: Context): Promise<Table[]> {
  const storage = await openStorage(server.url);
  const bare = await openBare(server);
  try {
    const { documents } = storage;
    const calls = quick ? 1_000 : 10_000;
    const clear = async () => {
      await server.admin.query(
        `TRUNCATE ${["sluice", "bare"].flatMap((schema) => TABLES.map((name) => `${schema}.${name}`)).join(", ")}`,
      );
      await server.admin.query("CHECKPOINT");
    };
    const tasks = [1, 32].flatMap((callers): Task[] => {
      const count = callers === 1 ? calls / 5 : calls;
      const suffix = `${callers} ${callers === 1 ? "caller" : "callers"}`;
      const beside = `plain INSERTs in BEGIN and COMMIT, ${suffix}`;
      const task = (what: string, call: () => Promise<unknown>): Task => ({
        task: `${what}, ${suffix}`,
        beside,
        prepare: clear,
        run: () => inTurns(count, callers, call),
      });
      return [
        {
          ...task("Sluice, documents.commit", () => documents.commit([newUpload()])),
          ...(callers === 32 ? { aim: AIM } : {}),
        },
        task("plain INSERTs in BEGIN and COMMIT", () => bare.transaction(newUpload())),
        task("one prepared statement", () => bare.statement(newUpload())),
      ];
    });
    return [
      {
        title: "postgres: what an upload commits (document, version, job, event), per second",
        rows: await inRounds(tasks, quick ? 1 : 3, say),
        notes: [
          `Every call resolves when its commit is durable. Pools of ${POOL} connections. ratio: of the plain INSERTs with as many callers.`,
          "Plain: the same rows into tables of the same columns and indexes, without row-level security, checks, or order of events: six round trips.",
          "One prepared statement: those rows, four INSERTs in one WITH, one round trip: about what the server itself takes.",
        ],
      },
    ];
  } finally {
    await bare.close();
    await storage.close();
  }
}

/** Tables like Sluice's, and the statements that fill them. */
async function openBare({ url, admin }: Server) {
  await admin.query(
    "DROP SCHEMA IF EXISTS bare CASCADE; CREATE SCHEMA bare; CREATE SEQUENCE bare.event_sequence",
  );
  for (const name of TABLES) {
    await admin.query(`CREATE TABLE bare.${name} (LIKE sluice.${name} INCLUDING ALL)`);
  }
  await admin.query(
    "GRANT ALL ON SCHEMA bare TO app; GRANT ALL ON ALL TABLES IN SCHEMA bare, sluice TO app; GRANT ALL ON SEQUENCE bare.event_sequence TO app",
  );
  const pool = new pg.Pool({ connectionString: url, max: POOL });

  return {
    async transaction(commit: Commit): Promise<void> {
      const client = await pool.connect();
      try {
        await client.query("BEGIN");
        for (const { table, values } of rowsOf(commit)) {
          await client.query(insertInto(table, Object.keys(values)), Object.values(values));
        }
        await client.query("COMMIT");
      } finally {
        client.release();
      }
    },
    async statement(commit: Commit): Promise<void> {
      const rows = rowsOf(commit);
      let from = 0;
      const inserts = rows.map(({ table, values }) => {
        const text = insertInto(table, Object.keys(values), from);
        from += Object.keys(values).length;
        return text;
      });
      const [first, ...others] = inserts.reverse();
      const text = `WITH ${others.map((each, index) => `w${index} AS (${each})`).join(", ")} ${first}`;
      const values = rows.flatMap((row) => Object.values(row.values));
      await pool.query({ name: "upload", text, values });
    },
    close: () => pool.end(),
  };
}

interface BareRow {
  table: string;
  values: Record<string, unknown>;
}

function insertInto(table: string, columns: string[], from = 0): string {
  const places = columns.map((_, index) => `$${from + index + 1}`);
  if (table !== "events")
    return `INSERT INTO bare.${table} (${columns.join(", ")}) VALUES (${places.join(", ")})`;
  return `INSERT INTO bare.events (sequence, ${columns.join(", ")}) VALUES (nextval('bare.event_sequence'), ${places.join(", ")})`;
}

function rowsOf({ document, version, enqueue, events }: Commit): BareRow[] {
  const [job] = enqueue as [NewJob];
  const now = system.now();
  return [
    { table: "documents", values: { ...document?.record, removed: false } },
    { table: "versions", values: { ...version } },
    {
      table: "jobs",
      values: {
        ...job,
        state: "queued",
        priority: 0,
        attempts: 0,
        max_attempts: 5,
        run_at: now,
        created_at: now,
        updated_at: now,
      },
    },
    { table: "events", values: { ...events?.[0] } },
  ];
}
