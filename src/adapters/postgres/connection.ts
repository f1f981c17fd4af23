/** The pool of connections, and what is done when one breaks. */
import pg from "pg";
import type { Log } from "../../ports/log.ts";
import { isDisconnect, isSerialization, translateError } from "./errors.ts";

export interface PostgresOptions {
  /** postgresql://user:password@host:port/database, with sslmode and the like as libpq has them. */
  url: string;
  /** Everything lies in this schema. Default "sluice". Letters, digits and _ only. */
  schema?: string;
  /** Connections of this process at most, the listening one aside. Default 10. */
  pool_size?: number;
  /** Longest wait for a connection. Default 5,000. */
  connect_timeout_ms?: number;
  /** Longest that one statement may take. Default 60,000. */
  statement_timeout_ms?: number;
  log?: Log;
}

export interface Connection {
  /** Replaces `$S` in statements. */
  readonly schema: string;
  /** Of functions that write nothing: tried again once when the connection turns out to be dead. */
  read<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  /**
   * One statement, one transaction. Tried again when PostgreSQL says that nothing of it was done (a deadlock).
   * @throws SluiceError storage_unavailable also when the connection broke in the middle and nobody knows
   */
  write<Row>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Several statements on one connection, for the schema. */
  session<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  /** A connection of its own, outside the pool. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

const MAX_TRIES = 5;
const INT8 = 20;

/** Milliseconds, counts and sequences all stay below 2^53. */
const types = {
  getTypeParser: ((oid: number, format: unknown) =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format as "text")) as typeof pg.types.getTypeParser,
};

export function createConnection(options: PostgresOptions): Connection {
  const { url, schema = "sluice", log } = options;
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) throw new TypeError(`not a name for a schema: ${schema}`);
  const { connect_timeout_ms = 5_000, statement_timeout_ms = 60_000 } = options;
  const settings = {
    connectionString: url,
    connectionTimeoutMillis: connect_timeout_ms,
    statement_timeout: statement_timeout_ms,
    // A server that went away without a word ends no statement: then this side does.
    query_timeout: statement_timeout_ms + connect_timeout_ms,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: "sluice",
    types,
  };
  const pool = new pg.Pool({ ...settings, max: options.pool_size ?? 10, idleTimeoutMillis: 60_000 });
  // Of a connection that nobody was using; the pool forgets it and opens another.
  pool.on("error", (error) => log?.warn({ err: error }, "an idle connection to PostgreSQL broke"));

  const named = (text: string) => text.replaceAll("$S", schema);

  async function run<Row>(text: string, values: unknown[], doing: "read" | "written"): Promise<Row[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await pool.query(named(text), values)).rows as Row[];
      } catch (error) {
        const again = isSerialization(error) || (doing === "read" && isDisconnect(error) && attempt === 1);
        if (!again || attempt === MAX_TRIES) throw translateError(error, doing);
      }
    }
  }

  return {
    schema,
    read: (text, values = []) => run(text, values, "read"),
    write: (text, values = []) => run(text, values, "written"),

    async session(work) {
      let client: pg.PoolClient | undefined;
      let broken: Error | undefined;
      try {
        client = await pool.connect();
        return await work(client);
      } catch (error) {
        broken = error as Error;
        throw translateError(error, "written");
      } finally {
        // Not known in what state it is: another takes its place.
        client?.release(broken);
      }
    },

    async connect() {
      const client = new pg.Client(settings);
      try {
        await client.connect();
      } catch (error) {
        await client.end().catch(() => {});
        throw translateError(error, "read");
      }
      return client;
    },

    close: () => pool.end(),
  };
}
