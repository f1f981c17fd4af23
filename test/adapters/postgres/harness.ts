/** A storage harness on a PostgreSQL server: each test gets a schema of its own, emptied and used again. */
import pg from "pg";
import {
  contractEmbedder,
  type ManualClock,
  manualClock,
  type StorageHarness,
} from "../../../contracts/index.ts";
import {
  openPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from "../../../src/adapters/postgres/storage.ts";
import type { IndexHit, VectorIndex } from "../../../src/ports/vector-index.ts";

type Where = Pick<PostgresStorageOptions, "url" | "vectors" | "poll_ms" | "pool_size" | "broker">;

/** Also what a broker is told by. */
export type PostgresHarness = StorageHarness & Pick<PostgresStorage, "dispatch">;

/** @param prefix of the schemas' names; each harness on one server needs its own. Default test */
export function createHarness(where: () => Where, prefix = "test"): () => Promise<PostgresHarness> {
  const free: string[] = [];
  let made = 0;

  async function connect(
    schema: string,
    clock: ManualClock,
    embedder: { embedder_id: string; dimensions: number } = contractEmbedder,
    onClose: () => void = () => {},
  ): Promise<PostgresHarness> {
    const storage = await openPostgresStorage({
      ...where(),
      schema,
      system: clock.system,
      embedder,
      own_clock: true,
      pool_size: where().pool_size ?? 6,
    });
    return {
      ...storage,
      ...(where().vectors === false ? { index: comparingAll(storage) } : {}),
      system: clock.system,
      advance: clock.advance,
      reopen: async () => {
        await storage.close();
        return connect(schema, clock, embedder, onClose);
      },
      second: () => connect(schema, clock, embedder),
      withEmbedder: (other) => connect(schema, clock, other),
      close: async () => {
        await storage.close();
        onClose();
      },
    };
  }

  return async () => {
    const used = free.pop();
    const schema = used ?? `${prefix}_${++made}`;
    if (used) await empty(where().url, used);
    return connect(schema, manualClock(), contractEmbedder, () => free.push(schema));
  };
}

/** For a server without pgvector: what the document store keeps of vectors, compared here. */
function comparingAll({ documents, index }: PostgresStorage): VectorIndex {
  return {
    ...index,
    async nearest({ tenant_id }, vector, limit) {
      const hits: IndexHit[] = [];
      for (const { document_id, searchable_version: version } of await documents.listDocuments({
        tenant_id,
        limit: 1_000,
      })) {
        if (version === null) continue;
        for (const chunk of await documents.listChunks(tenant_id, document_id, version, 0, 1_000)) {
          const score = chunk.vector?.reduce((sum, value, at) => sum + value * (vector[at] ?? 0), 0) ?? 0;
          hits.push({ chunk_id: chunk.chunk_id, document_id, version, score });
        }
      }
      return hits.sort((a, b) => b.score - a.score).slice(0, limit);
    },
  };
}

/** Runs `work` on a connection of its own. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  // A test may end it from the server's side; whoever uses it is told by the query.
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** As it is after the first start. */
async function empty(url: string, schema: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rows } = await client.query(
      `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') AS tables FROM pg_tables
       WHERE schemaname = $1 AND tablename NOT IN ('schema_version', 'embedders')`,
      [schema],
    );
    await client.query(`TRUNCATE ${rows[0].tables}; INSERT INTO ${schema}.clock VALUES (0);
      INSERT INTO ${schema}.embedder_state DEFAULT VALUES;
      ALTER SEQUENCE ${schema}.event_sequence RESTART; ALTER SEQUENCE ${schema}.turn_sequence RESTART;`);
  });
}
