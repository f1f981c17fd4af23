/** The embedders' register on PostgreSQL. */
import type {
  EmbedderRegister,
  LackingDocument,
  RegisteredEmbedders,
} from "../../ports/embedder-register.ts";
import type { Connection } from "./connection.ts";

export function createPostgresEmbedders({ read, write }: Connection): EmbedderRegister {
  const yes = async (call: string, values: unknown[]) => {
    const [row] = await write<{ yes: boolean }>(`SELECT $S.${call} AS yes`, values);
    return row?.yes === true;
  };

  return {
    async read() {
      const [row] = await read<RegisteredEmbedders>("SELECT * FROM $S.embedders_1()");
      return row as RegisteredEmbedders;
    },
    async begin(embedder_id, began_at) {
      await write("SELECT $S.begin_embedder_1($1, $2)", [embedder_id, began_at]);
    },
    async listed(embedder_id, document_id) {
      await write("UPDATE $S.embedder_state SET listed_to = $2 WHERE target = $1", [
        embedder_id,
        document_id,
      ]);
    },
    lacking: (embedder_id, from, limit) =>
      read<LackingDocument>("SELECT * FROM $S.lacking_1($1, $2, $3)", [embedder_id, from, limit]),
    async count(embedder_id) {
      const rows = await read<{ documents: number; lacking: number }>(
        "SELECT * FROM $S.count_lacking_1($1)",
        [embedder_id],
      );
      return rows[0] as { documents: number; lacking: number };
    },
    finish: (embedder_id) => yes("end_reindex_1($1, true)", [embedder_id]),
    cancel: (embedder_id) => yes("end_reindex_1($1, false)", [embedder_id]),
    removeRetired: (limit) => yes("remove_retired_1($1)", [limit]),
  };
}
