/** Settings of collections on PostgreSQL. */
import type { CollectionStore, StoredCollection } from "../../ports/collection-store.ts";
import type { Connection } from "./connection.ts";
import { toJson } from "./values.ts";

interface ListedRow {
  collection: string;
  documents: number;
  settings: StoredCollection["settings"] | null;
  updated_at: string;
}

export function createPostgresCollections({ read, write }: Connection): CollectionStore {
  return {
    async read(tenant_id, collection) {
      const call = "SELECT * FROM $S.get_collection_1($1, $2)";
      return (await read<StoredCollection>(call, [tenant_id, collection]))[0];
    },
    async put(tenant_id, { collection, settings, updated_at }) {
      await write("SELECT $S.put_collection_1($1, $2, $3, $4)", [
        tenant_id,
        collection,
        toJson(settings),
        updated_at,
      ]);
    },
    async remove(tenant_id, collection) {
      const call = "SELECT $S.remove_collection_1($1, $2) AS removed";
      const [row] = await write<{ removed: boolean }>(call, [tenant_id, collection]);
      return row?.removed === true;
    },
    async list(tenant_id, after, limit) {
      const call = "SELECT * FROM $S.list_collections_1($1, $2, $3)";
      const rows = await read<ListedRow>(call, [tenant_id, after, limit]);
      return rows.map(({ collection, documents, settings, updated_at }) => ({
        collection,
        documents,
        stored: settings === null ? undefined : { collection, settings, updated_at },
      }));
    },
    async countDocuments(tenant_id, collection) {
      const call = "SELECT * FROM $S.count_documents_1($1, $2) AS documents";
      const [row] = await read<{ documents: number }>(call, [tenant_id, collection]);
      return row?.documents ?? 0;
    },
  };
}
