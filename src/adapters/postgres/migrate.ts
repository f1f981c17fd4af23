/** Brings the schema up to date, under a lock: several processes may start at once. */
import type { ClientBase } from "pg";
import { SluiceError } from "../../errors.ts";
import { blobFunctions } from "./blob-functions.ts";
import { collectionFunctions } from "./collection-functions.ts";
import { commitFunctions } from "./commit-function.ts";
import type { Connection } from "./connection.ts";
import { embedderFunctions } from "./embedder-functions.ts";
import { vectorFunctions, vectorTable, wordFunctions } from "./index-functions.ts";
import { jobFunctions } from "./job-functions.ts";
import { readFunctions } from "./read-functions.ts";
import { migrations } from "./tables.ts";

/**
 * Functions are made again whenever this Sluice is newer than the one that made them. Their names end in a number, which
 * goes up when what they take or answer changes: so the nodes of a release that is on its way out go on working.
 */
const FUNCTIONS = 9;
/** pgvector's graphs can be read on where too little was found since 0.8; before, every vector is compared. */
const GRAPHS_SINCE_MINOR = 8;
const MAX_GRAPH_DIMENSIONS = 2_000;

export interface Embedder {
  embedder_id: string;
  dimensions: number;
}

/**
 * @param embedder whose vectors are to be kept here; undefined: they are kept elsewhere
 * @returns the number of that embedder's vector table
 * @throws SluiceError storage_unavailable: the server is too old, lacks pgvector, or has a newer schema
 */
export function migrate(connection: Connection, embedder: Embedder | undefined): Promise<number | undefined> {
  return connection.session(async (client) => {
    await refuseOldServer(client);
    const run = runner(client, { S: connection.schema });
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(hashtext($1))", [`sluice:${connection.schema}`]);
    const known = await schemaVersion(run);
    if (known.tables > migrations.length || known.functions > FUNCTIONS) {
      throw refusal(
        `The database has schema ${known.tables}.${known.functions}; this Sluice knows up to ${migrations.length}.${FUNCTIONS}. Start the newer Sluice that wrote it.`,
      );
    }
    for (const sql of migrations.slice(known.tables)) await run(sql);
    if (known.functions < FUNCTIONS) {
      const functions = [
        ...jobFunctions,
        ...blobFunctions,
        ...commitFunctions,
        ...wordFunctions,
        ...readFunctions,
        ...embedderFunctions,
        ...collectionFunctions,
      ];
      for (const sql of functions) await run(sql.replaceAll("$L", String(known.lock_space)));
      await remakeVectorFunctions(client, connection.schema);
    }
    await run(`UPDATE $S.schema_version SET tables = ${migrations.length}, functions = ${FUNCTIONS}`);
    const row = embedder && (await keepVectorsOf(client, connection.schema, embedder));
    await client.query("COMMIT");
    return row;
  });
}

type Run = (sql: string) => Promise<Record<string, unknown>[]>;

function runner(client: ClientBase, names: Record<string, string | number>): Run {
  return async (sql) => {
    const text = Object.entries(names).reduce(
      (done, [name, value]) => done.replaceAll(`$${name}`, String(value)),
      sql,
    );
    return (await client.query(text)).rows;
  };
}

interface SchemaVersion {
  tables: number;
  functions: number;
  /** Tells the advisory locks of this schema from those of others in the same database. */
  lock_space: number;
}

async function schemaVersion(run: Run): Promise<SchemaVersion> {
  // Not IF NOT EXISTS: that asks for the right to make schemas even where this one is there.
  const [there] = await run("SELECT FROM pg_namespace WHERE nspname = '$S'");
  if (!there) await run("CREATE SCHEMA $S");
  await run(
    "CREATE TABLE IF NOT EXISTS $S.schema_version (tables int NOT NULL, functions int NOT NULL, lock_space int NOT NULL)",
  );
  const [known] = await run("SELECT * FROM $S.schema_version");
  const [made] = known
    ? [known]
    : await run("INSERT INTO $S.schema_version SELECT 0, 0, (hashtext('$S') & 32766) + 1 RETURNING *");
  return made as unknown as SchemaVersion;
}

/** The same for another embedder, later. */
export function openVectors(connection: Connection, embedder: Embedder): Promise<number> {
  return connection.session(async (client) => {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(hashtext($1))", [`sluice:${connection.schema}`]);
    const row = await keepVectorsOf(client, connection.schema, embedder);
    await client.query("COMMIT");
    return row;
  });
}

async function keepVectorsOf(client: ClientBase, schema: string, embedder: Embedder): Promise<number> {
  const { embedder_id, dimensions } = embedder;
  const known = await client.query(`SELECT embedder_row FROM ${schema}.embedders WHERE embedder_id = $1`, [
    embedder_id,
  ]);
  if (known.rows[0]) return known.rows[0].embedder_row as number;
  const extension = await findPgvector(client);
  const made = await client.query(
    `INSERT INTO ${schema}.embedders (embedder_id, dimensions) VALUES ($1, $2) RETURNING embedder_row`,
    [embedder_id, dimensions],
  );
  const row = made.rows[0].embedder_row as number;
  const run = runner(client, { S: schema, X: extension.schema, R: row, D: dimensions });
  await run(vectorTable);
  const graph = extension.has_graphs && dimensions <= MAX_GRAPH_DIMENSIONS;
  if (graph) await run("CREATE INDEX ON $S.vectors_$R USING hnsw (vector $X.vector_cosine_ops)");
  for (const sql of vectorFunctions(graph)) await run(sql);
  return row;
}

/** Of every embedder that has vectors here, whichever is configured now. */
async function remakeVectorFunctions(client: ClientBase, schema: string): Promise<void> {
  const { rows } = await client.query(
    `SELECT embedder_row, EXISTS (SELECT FROM pg_indexes WHERE schemaname = $1
       AND tablename = 'vectors_' || embedder_row AND indexdef LIKE '%USING hnsw%') AS graph
     FROM ${schema}.embedders`,
    [schema],
  );
  if (rows.length === 0) return;
  const { schema: X } = await findPgvector(client);
  for (const { embedder_row, graph } of rows) {
    const run = runner(client, { S: schema, X, R: embedder_row });
    for (const sql of vectorFunctions(graph)) await run(sql);
  }
}

async function refuseOldServer(client: ClientBase): Promise<void> {
  const { rows } = await client.query("SHOW server_version_num");
  const version = Number(rows[0].server_version_num);
  if (version >= 150_000) return;
  throw refusal(`The server is PostgreSQL ${Math.floor(version / 10_000)}; Sluice needs 15 or later.`);
}

async function findPgvector(client: ClientBase): Promise<{ schema: string; has_graphs: boolean }> {
  const offered = await client.query("SELECT FROM pg_available_extensions WHERE name = 'vector'");
  if (offered.rowCount === 0) {
    throw refusal(
      "The PostgreSQL server lacks pgvector. Install it there (Debian: postgresql-NN-pgvector), or keep vectors elsewhere (SLUICE_INDEX=pinecone).",
    );
  }
  const find = `SELECT nspname, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
    WHERE extname = 'vector'`;
  // One for the whole database, whose other schemas may be starting as well.
  await client.query("SELECT pg_advisory_xact_lock(hashtext('sluice:pgvector'))");
  let { rows } = await client.query(find);
  if (rows.length === 0) {
    await client.query("CREATE EXTENSION vector").catch((error: { code?: string }) => {
      if (error.code !== "42501") throw error;
      throw refusal(
        "The role of SLUICE_POSTGRES_URL may not add pgvector to the database. As a superuser, once: CREATE EXTENSION vector;",
      );
    });
    ({ rows } = await client.query(find));
  }
  const { nspname, extversion } = rows[0] as { nspname: string; extversion: string };
  const [major = 0, minor = 0] = extversion.split(".").map(Number);
  return { schema: nspname, has_graphs: major > 0 || minor >= GRAPHS_SINCE_MINOR };
}

function refusal(message: string): SluiceError {
  return new SluiceError("storage_unavailable", message, { retryable: false });
}
