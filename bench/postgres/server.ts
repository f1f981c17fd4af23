/** The PostgreSQL server that everything here is measured on: one, started for the run, the same for all. */
import pg from "pg";
import { startPostgres } from "../../test/services/postgres.ts";

/** What was changed of the server's defaults, so that no checkpoint falls into one contestant's time alone. */
const SETTINGS = { shared_buffers: "512MB", max_wal_size: "4GB", checkpoint_timeout: "30min" };

const TOLD = [
  "fsync",
  "synchronous_commit",
  "full_page_writes",
  "wal_level",
  "wal_sync_method",
  "commit_delay",
  ...Object.keys(SETTINGS),
  "max_connections",
];

export interface Server {
  /** Of a role that row-level security holds for; everybody uses it. */
  url: string;
  /** Version and settings, for the reader of the figures. */
  told: string;
  /** As the owner of everything: between the rounds, never in them. */
  admin: pg.Client;
  stop(): Promise<void>;
}

/** @throws Error when the server, or pgvector for it, can't be had, or when it would not keep what it says that it has */
export async function startServer(): Promise<Server> {
  const server = await startPostgres(SETTINGS, { vectors: true });
  // Also when the process is told to end in the middle: nothing would ever stop this server.
  const abandon = () => void server.stop();
  process.once("exit", abandon);
  const stop = async () => {
    process.off("exit", abandon);
    await server.stop();
  };
  const admin = new pg.Client(server.url);
  try {
    await admin.connect();
    const [{ version, vector }] = await ask<{ version: string; vector: string }>(
      admin,
      `SELECT current_setting('server_version') AS version,
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector`,
    );
    const settings = await ask<{ name: string; value: string }>(
      admin,
      "SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1)",
      [TOLD],
    );
    for (const name of ["fsync", "synchronous_commit"]) {
      if (!settings.some((each) => each.name === name && each.value === "on"))
        throw new Error(`${name} is off`);
    }
    const told = TOLD.map((name) => `${name}=${settings.find((each) => each.name === name)?.value}`).join(
      ", ",
    );
    return {
      url: server.role_url,
      told: `PostgreSQL ${version}, pgvector ${vector}; ${told}`,
      admin,
      async stop() {
        await admin.end();
        await stop();
      },
    };
  } catch (error) {
    await admin.end();
    await stop();
    throw error;
  }
}

async function ask<Row>(client: pg.Client, text: string, values: unknown[] = []): Promise<[Row, ...Row[]]> {
  return (await client.query(text, values)).rows as [Row, ...Row[]];
}
