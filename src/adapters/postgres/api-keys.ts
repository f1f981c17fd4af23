/** ApiKeyStore on PostgreSQL. Keys tell whose a request is, so they are looked up before there is a tenant. */
import type { ApiKey, ApiKeyStore } from "../../ports/api-key-store.ts";
import type { Connection } from "./connection.ts";

export function createPostgresApiKeys({ read, write }: Connection): ApiKeyStore {
  const find = (hash: string | null) => read<ApiKey>("SELECT * FROM $S.list_keys_1($1)", [hash]);
  return {
    async add({ key_id, tenant_id, name, hash, created_at }) {
      await write("SELECT $S.add_key_1($1, $2, $3, $4, $5)", [key_id, tenant_id, name, hash, created_at]);
    },
    async findByHash(hash) {
      return (await find(hash))[0];
    },
    list: () => find(null),
    async revoke(key_id) {
      const [row] = await write<{ revoked: boolean }>("SELECT $S.revoke_key_1($1) AS revoked", [key_id]);
      return row?.revoked === true;
    },
    async any() {
      return (await read("SELECT FROM $S.list_keys_1(NULL) LIMIT 1")).length > 0;
    },
  };
}
