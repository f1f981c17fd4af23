/** The embedders' register on SQLite: reads on a connection of this thread, writes through the writer. */
import type { DatabaseSync } from "node:sqlite";
import type {
  EmbedderRegister,
  LackingDocument,
  RegisteredEmbedders,
} from "../../ports/embedder-register.ts";
import { statements } from "./schema.ts";
import { type EmbedderChange, LACKING } from "./write-embedders.ts";
import type { Writer } from "./writer.ts";

export function createSqliteEmbedders(db: DatabaseSync, writer: Writer): EmbedderRegister {
  const sql = statements(db);
  const change = (what: EmbedderChange) => writer.write<boolean>({ op: "embedders", change: what });

  return {
    async read() {
      const row = sql(
        `SELECT *, (SELECT json_group_array(embedder_id) FROM retired_embedders) AS retired FROM embedder_state`,
      ).get();
      return { ...row, retired: JSON.parse(row?.retired as string) } as unknown as RegisteredEmbedders;
    },
    async begin(embedder_id, began_at) {
      await change({ begin: embedder_id, began_at });
    },
    async listed(embedder_id, document_id) {
      await change({ listed: embedder_id, document_id });
    },
    async lacking(embedder_id, from, limit) {
      const rows = sql(
        `SELECT tenant_id, document_id ${LACKING} AND document_id >= ?2 ORDER BY document_id LIMIT ?3`,
      ).all(embedder_id, from, limit);
      return rows.map((row) => ({ ...row }) as unknown as LackingDocument);
    },
    async count(embedder_id) {
      const { lacking } = sql(`SELECT count(*) AS lacking ${LACKING}`).get(embedder_id) as {
        lacking: number;
      };
      const { documents } = sql(
        "SELECT count(*) AS documents FROM documents WHERE removed = 0 AND searchable_version IS NOT NULL",
      ).get() as { documents: number };
      return { documents, lacking };
    },
    finish: (embedder_id) => change({ finish: embedder_id }),
    cancel: (embedder_id) => change({ cancel: embedder_id }),
    removeRetired: (limit) => change({ remove_retired: limit }),
  };
}
