/** ApiKeyStore on PostgreSQL. Keys tell whose a request is, so they are looked up before there is a tenant. */
import type { ApiKey, ApiKeyStore } from "../../ports/api-key-store.ts";
import type { Connection } from "./connection.ts";

export function createPostgresApiKeys({ read, write }: Connection): ApiKeyStore {
  return {
    async add({ key_id, tenant_id, name, hash, created_at }) {
      await write(
        "INSERT INTO $S.api_keys (key_id, tenant_id, name, hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        [key_id, tenant_id, name, hash, created_at],
      );
    },
    async findByHash(hash) {
      return (await read<ApiKey>("SELECT * FROM $S.api_keys WHERE hash = $1", [hash]))[0];
    },
    list: () => read<ApiKey>("SELECT * FROM $S.api_keys ORDER BY key_id"),
    async revoke(key_id) {
      return (await write("DELETE FROM $S.api_keys WHERE key_id = $1 RETURNING key_id", [key_id])).length > 0;
    },
    async any() {
      return (await read("SELECT FROM $S.api_keys LIMIT 1")).length > 0;
    },
  };
}
