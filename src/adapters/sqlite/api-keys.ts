/** ApiKeyStore on SQLite. */
import type { DatabaseSync } from "node:sqlite";
import type { ApiKey, ApiKeyStore } from "../../ports/api-key-store.ts";
import { statements } from "./schema.ts";
import type { Writer } from "./writer.ts";

export function createSqliteApiKeys(db: DatabaseSync, writer: Writer): ApiKeyStore {
  const sql = statements(db);
  return {
    async add({ key_id, tenant_id, name, hash, created_at }) {
      await writer.write({
        op: "run",
        sql: "INSERT INTO api_keys (key_id, tenant_id, name, hash, created_at) VALUES (?, ?, ?, ?, ?)",
        values: [key_id, tenant_id, name, hash, created_at],
      });
    },
    async findByHash(hash) {
      const row = sql("SELECT * FROM api_keys WHERE hash = ?").get(hash);
      return row && ({ ...row } as unknown as ApiKey);
    },
    async list() {
      return sql("SELECT * FROM api_keys ORDER BY key_id")
        .all()
        .map((row) => ({ ...row }) as unknown as ApiKey);
    },
    async revoke(key_id) {
      const changes = await writer.write<number>({
        op: "run",
        sql: "DELETE FROM api_keys WHERE key_id = ?",
        values: [key_id],
      });
      return changes > 0;
    },
    async any() {
      return sql("SELECT 1 FROM api_keys LIMIT 1").get() !== undefined;
    },
  };
}
