/** ApiKeyStore on PostgreSQL. Keys tell whose a request is, so they are looked up before there is a tenant. */
import type { ApiKey, ApiKeyStore } from "../../ports/api-key-store.ts";
import type { Connection } from "./connection.ts";

export function createPostgresApiKeys({ read, write }: Connection): ApiKeyStore {
  const find = (hash: string | null, tenant_id: string | null) =>
    read<ApiKey>("SELECT * FROM $S.list_keys_2($1, $2)", [hash, tenant_id]);
  return {
    async add({ key_id, tenant_id, name, hash, operator, created_at, expires_at }) {
      await write("SELECT $S.add_key_2($1, $2, $3, $4, $5, $6, $7)", [
        key_id,
        tenant_id,
        name,
        hash,
        operator,
        created_at,
        expires_at,
      ]);
    },
    async findByHash(hash) {
      return (await find(hash, null))[0];
    },
    list: (tenant_id) => find(null, tenant_id ?? null),
    async revoke(key_id, tenant_id) {
      const [row] = await write<{ revoked: boolean }>("SELECT $S.revoke_key_2($1, $2) AS revoked", [
        key_id,
        tenant_id ?? null,
      ]);
      return row?.revoked === true;
    },
    async removeExpired(tenant_id, before) {
      await write("SELECT $S.remove_expired_keys_1($1, $2)", [tenant_id, before]);
    },
    async any() {
      return (await read("SELECT FROM $S.list_keys_2(NULL, NULL) LIMIT 1")).length > 0;
    },
  };
}
