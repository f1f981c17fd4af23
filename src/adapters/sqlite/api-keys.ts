/** ApiKeyStore on SQLite. */
import type { DatabaseSync } from "node:sqlite";
import type { ApiKey, ApiKeyStore } from "../../ports/api-key-store.ts";
import { conditions, type Row } from "./rows.ts";
import { statements } from "./schema.ts";
import type { Writer } from "./writer.ts";

const toKey = (row: Row) => ({ ...row, operator: row.operator === 1 }) as unknown as ApiKey;

export function createSqliteApiKeys(db: DatabaseSync, writer: Writer): ApiKeyStore {
  const sql = statements(db);
  const run = (text: string, values: (string | number | null)[]) =>
    writer.write<number>({ op: "run", sql: text, values });

  return {
    async add({ key_id, tenant_id, name, hash, operator, created_at, expires_at }) {
      await run(
        `INSERT INTO api_keys (key_id, tenant_id, name, hash, operator, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        [key_id, tenant_id, name, hash, operator ? 1 : 0, created_at, expires_at],
      );
    },
    async findByHash(hash) {
      const row = sql("SELECT * FROM api_keys WHERE hash = ?").get(hash) as Row | undefined;
      return row && toKey(row);
    },
    async list(tenant_id) {
      const { where, values } = conditions({ "tenant_id = ?": tenant_id });
      const rows = sql(`SELECT * FROM api_keys WHERE ${where} ORDER BY key_id`).all(...values) as Row[];
      return rows.map(toKey);
    },
    async revoke(key_id, tenant_id) {
      const sameTenant = tenant_id === undefined ? "" : "AND tenant_id = ?";
      const values = tenant_id === undefined ? [key_id] : [key_id, tenant_id];
      return (await run(`DELETE FROM api_keys WHERE key_id = ? ${sameTenant}`, values)) > 0;
    },
    async removeExpired(tenant_id, before) {
      await run("DELETE FROM api_keys WHERE tenant_id = ? AND expires_at < ?", [tenant_id, before]);
    },
    async any() {
      return sql("SELECT 1 FROM api_keys LIMIT 1").get() !== undefined;
    },
  };
}
