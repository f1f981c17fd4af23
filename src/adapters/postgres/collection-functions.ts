/** What collections are set to, inside the database. */
import { bodyFunction, queryFunction } from "./functions.ts";

const OF_TENANT = "FROM $S.documents AS d WHERE d.tenant_id = p_tenant AND NOT d.removed AND d.collection";
const ASK = "PERFORM set_config('sluice.tenant', p_tenant, true);";

export const collectionFunctions: string[] = [
  queryFunction(
    "get_collection_1",
    "p_tenant text, p_collection text",
    "TABLE (collection text, settings json, updated_at text)",
    "tenant",
    `SELECT own.collection::text, own.settings, own.updated_at FROM $S.collections AS own
     WHERE own.tenant_id = p_tenant AND own.collection = p_collection`,
  ),
  bodyFunction(
    "put_collection_1",
    "p_tenant text, p_collection text, p_settings json, p_updated text",
    "void",
    "",
    `${ASK}
    INSERT INTO $S.collections VALUES (p_tenant, p_collection, p_settings, p_updated)
    ON CONFLICT (tenant_id, collection) DO UPDATE
      SET settings = excluded.settings, updated_at = excluded.updated_at;`,
  ),
  bodyFunction(
    "remove_collection_1",
    "p_tenant text, p_collection text",
    "boolean",
    "",
    `${ASK}
    DELETE FROM $S.collections WHERE tenant_id = p_tenant AND collection = p_collection;
    RETURN FOUND;`,
  ),
  // From one name to the next by the index of contents: what lies in a collection is counted there too, and not read.
  queryFunction(
    "list_collections_1",
    "p_tenant text, p_after text, p_limit int",
    "TABLE (collection text, settings json, updated_at text, documents int)",
    "tenant",
    `WITH RECURSIVE held (collection, place) AS (
      SELECT (SELECT d.collection ${OF_TENANT} > p_after ORDER BY d.collection LIMIT 1), 1
      UNION ALL
      SELECT (SELECT d.collection ${OF_TENANT} > held.collection ORDER BY d.collection LIMIT 1), held.place + 1
      FROM held WHERE held.collection IS NOT NULL AND held.place < p_limit
    ), named (collection) AS (
      (SELECT held.collection FROM held WHERE held.collection IS NOT NULL
       UNION SELECT own.collection FROM $S.collections AS own
       WHERE own.tenant_id = p_tenant AND own.collection > p_after)
      ORDER BY 1 LIMIT p_limit
    )
    SELECT named.collection::text, own.settings, own.updated_at,
      (SELECT count(*)::int ${OF_TENANT} = named.collection)
    FROM named LEFT JOIN $S.collections AS own ON own.tenant_id = p_tenant AND own.collection = named.collection
    ORDER BY named.collection`,
  ),
  queryFunction(
    "count_documents_1",
    "p_tenant text, p_collection text",
    "SETOF int",
    "tenant",
    `SELECT count(*)::int ${OF_TENANT} = p_collection`,
  ),
];
