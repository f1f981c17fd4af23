/** What `sluice doctor` asks a PostgreSQL server, changing nothing in it. */
import type { ServiceCheck } from "../../ports/service-check.ts";
import { createConnection } from "./connection.ts";
import { translateError } from "./errors.ts";

export interface PostgresCheckOptions {
  url: string;
  schema: string;
  pool_size: number;
  /** Whether vectors are to be kept here. */
  vectors: boolean;
}

interface Facts {
  version: string;
  version_number: number;
  role: string;
  above_policies: boolean;
  read_only: boolean;
  schema_exists: boolean;
  may_use: boolean;
  may_make: boolean;
  offered: string | null;
  installed: string | null;
  max_connections: number;
  /** Milliseconds that the server's clock is ahead by Unix time, as far as one question can tell. */
  now: number;
}

const FACTS = `SELECT current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS version_number, current_user::text AS role,
  (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS above_policies,
  pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
  to_regnamespace('$S') IS NOT NULL AS schema_exists,
  coalesce(has_schema_privilege(to_regnamespace('$S'), 'CREATE'), false) AS may_use,
  has_database_privilege(current_database(), 'CREATE') AS may_make,
  (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS offered,
  (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
  current_setting('max_connections')::int AS max_connections,
  extract(epoch FROM clock_timestamp()) * 1000 AS now`;

const OLDEST = 150_000;
const CLOCK_TOLERANCE_MS = 2_000;
const name = "postgres";

export async function* checkPostgres(
  options: PostgresCheckOptions,
): AsyncGenerator<ServiceCheck, void, void> {
  const connection = createConnection({ ...options, pool_size: 1 });
  let facts: Facts;
  const asked = Date.now();
  try {
    [facts] = (await connection.read<Facts>(FACTS)) as [Facts];
  } catch (error) {
    const { message } = translateError(error, "read") as Error;
    yield { name, ok: false, message, fix: "Check SLUICE_POSTGRES_URL, the server, and its pg_hba.conf." };
    return;
  } finally {
    await connection.close();
  }
  yield* judge(facts, options, Date.now() - asked);
}

function* judge(facts: Facts, options: PostgresCheckOptions, took_ms: number): Generator<ServiceCheck> {
  const { schema, pool_size } = options;
  if (facts.version_number < OLDEST) {
    yield {
      name,
      ok: false,
      message: `PostgreSQL ${facts.version}; 15 or later is needed`,
      fix: "Upgrade the server.",
    };
    return;
  }
  yield { name, ok: true, message: `PostgreSQL ${facts.version}, as ${facts.role}` };
  if (facts.read_only) {
    yield {
      name,
      ok: false,
      message: "this server takes no writes: a replica, or set to read-only",
      fix: "Name the primary in SLUICE_POSTGRES_URL, or several hosts with target_session_attrs=read-write.",
    };
  }
  if (facts.schema_exists ? !facts.may_use : !facts.may_make) {
    yield {
      name,
      ok: false,
      message: `${facts.role} may not make tables in the schema ${schema}`,
      fix: facts.schema_exists
        ? `GRANT ALL ON SCHEMA ${schema} TO ${facts.role};`
        : `CREATE SCHEMA ${schema} AUTHORIZATION ${facts.role};`,
    };
  }
  if (facts.above_policies) {
    yield {
      name,
      ok: true,
      message: `row-level security does not hold for ${facts.role}: a superuser, or BYPASSRLS`,
      fix: "Use a role without these rights: then the database keeps tenants apart as well.",
    };
  }
  if (options.vectors) yield judgeVectors(facts);
  if (pool_size * 4 > facts.max_connections) {
    yield {
      name,
      ok: true,
      message: `max_connections is ${facts.max_connections}; each process opens up to ${pool_size + 1}`,
      fix: "Raise max_connections, or lower SLUICE_POSTGRES_POOL.",
    };
  }
  const ahead = Number(facts.now) - Date.now();
  if (Math.abs(ahead) > CLOCK_TOLERANCE_MS + took_ms) {
    yield {
      name,
      ok: true,
      message: `the server's clock and this machine's differ by ${(Math.abs(ahead) / 1_000).toFixed(1)} s`,
      fix: "Run NTP on both: leases go by the server's clock, events by this one's.",
    };
  }
}

function judgeVectors({ installed, offered }: Facts): ServiceCheck {
  if (installed !== null) return { name, ok: true, message: `pgvector ${installed}` };
  if (offered !== null) {
    return {
      name,
      ok: true,
      message: `pgvector ${offered} is there, and not made an extension of this database yet`,
      fix: "The first start does it where the role may; else, as a superuser: CREATE EXTENSION vector;",
    };
  }
  return {
    name,
    ok: false,
    message: "the server lacks pgvector",
    fix: "Install it there (Debian: postgresql-NN-pgvector), or keep vectors elsewhere: SLUICE_INDEX=pinecone.",
  };
}
