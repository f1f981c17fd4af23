/** Settings of collections on SQLite: reads on a connection of this thread, writes through the writer. */
import type { DatabaseSync } from "node:sqlite";
import type { CollectionStore, StoredCollection } from "../../ports/collection-store.ts";
import type { Row } from "./rows.ts";
import { statements } from "./schema.ts";
import type { Writer } from "./writer.ts";

const OF_TENANT = "FROM documents WHERE tenant_id = ?1 AND removed = 0 AND collection";

/** From one name to the next by the index of contents: what lies in a collection is counted there too, and not read. */
const LIST = `
  WITH RECURSIVE held (collection, place) AS (
    SELECT (SELECT collection ${OF_TENANT} > ?2 ORDER BY collection LIMIT 1), 1
    UNION ALL
    SELECT (SELECT collection ${OF_TENANT} > held.collection ORDER BY collection LIMIT 1), place + 1
    FROM held WHERE held.collection IS NOT NULL AND place < ?3
  ), named (collection) AS (
    SELECT collection FROM held WHERE collection IS NOT NULL
    UNION SELECT collection FROM collections WHERE tenant_id = ?1 AND collection > ?2
    ORDER BY collection LIMIT ?3
  )
  SELECT named.collection, settings, updated_at,
    (SELECT count(*) ${OF_TENANT} = named.collection) AS documents
  FROM named LEFT JOIN collections AS own ON own.tenant_id = ?1 AND own.collection = named.collection
  ORDER BY named.collection`;

export function createSqliteCollections(db: DatabaseSync, writer: Writer): CollectionStore {
  const sql = statements(db);
  return {
    async read(tenant_id, collection) {
      const row = sql("SELECT * FROM collections WHERE tenant_id = ? AND collection = ?").get(
        tenant_id,
        collection,
      );
      return row && toStored(row as Row);
    },

    async put(tenant_id, { collection, settings, updated_at }) {
      await writer.write({
        op: "run",
        sql: `INSERT INTO collections (tenant_id, collection, settings, updated_at) VALUES (?, ?, ?, ?)
              ON CONFLICT (tenant_id, collection) DO UPDATE
              SET settings = excluded.settings, updated_at = excluded.updated_at`,
        values: [tenant_id, collection, JSON.stringify(settings), updated_at],
      });
    },

    async remove(tenant_id, collection) {
      const changes = await writer.write<number>({
        op: "run",
        sql: "DELETE FROM collections WHERE tenant_id = ? AND collection = ?",
        values: [tenant_id, collection],
      });
      return changes > 0;
    },

    async list(tenant_id, after, limit) {
      return (sql(LIST).all(tenant_id, after, limit) as Row[]).map((row) => ({
        collection: row.collection as string,
        documents: row.documents as number,
        stored: row.settings === null ? undefined : toStored(row),
      }));
    },

    async countDocuments(tenant_id, collection) {
      return sql(`SELECT count(*) AS documents ${OF_TENANT} = ?2`).get(tenant_id, collection)
        ?.documents as number;
    },
  };
}

function toStored({ collection, settings, updated_at }: Row): StoredCollection {
  return { collection, settings: JSON.parse(settings as string), updated_at } as StoredCollection;
}
