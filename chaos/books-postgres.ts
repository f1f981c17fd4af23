/** What lies in a PostgreSQL database, read by a superuser, past row-level security and past the adapter. */
import pg from "pg";
import type { SluiceEvent } from "../src/events.ts";
import type { Ledger, StoredChunks, StoredDocument } from "./balance.ts";

/** @param url of a superuser */
export async function openPostgresBooks(url: string, schema = "sluice"): Promise<Ledger> {
  const int8 = 20;
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    types: {
      getTypeParser: ((oid: number, format: unknown) =>
        oid === int8
          ? Number
          : pg.types.getTypeParser(oid, format as "text")) as typeof pg.types.getTypeParser,
    },
  });
  // The server may be restarted between two questions.
  pool.on("error", () => undefined);
  const all = async <T>(sql: string): Promise<T[]> =>
    (await pool.query(sql.replaceAll("$S", schema))).rows as T[];

  /** Words and vectors of versions, counted beside the chunks that should have them. */
  async function judgeIndex(): Promise<string[]> {
    const wrong: string[] = [];
    const strays = await all<{ document_id: string; version: number }>(
      "SELECT DISTINCT document_id, version FROM $S.entries LEFT JOIN $S.chunks USING (document_id, version, ordinal) WHERE chunks.text IS NULL",
    );
    for (const { document_id, version } of strays) {
      wrong.push(`${document_id}: the index has words of version ${version}, which has no such chunks`);
    }
    for (const { embedder_row } of await all<{ embedder_row: number }>(
      "SELECT embedder_row FROM $S.embedders",
    )) {
      const counts = await all<{ document_id: string; version: number; vectors: number; chunks: number }>(
        `SELECT document_id, version, count(v.ordinal)::int AS vectors,
           count(e.ordinal) FILTER (WHERE e.vector <> decode(repeat('00', octet_length(e.vector)), 'hex'))::int AS chunks
         FROM $S.vectors_${embedder_row} AS v FULL JOIN
           ($S.embeddings JOIN $S.entries USING (document_id, version, ordinal)) AS e
           USING (document_id, version, ordinal)
         GROUP BY 1, 2 HAVING count(v.ordinal) <>
           count(e.ordinal) FILTER (WHERE e.vector <> decode(repeat('00', octet_length(e.vector)), 'hex'))`,
      );
      for (const { document_id, version, vectors, chunks } of counts) {
        wrong.push(`${document_id}: version ${version} has ${vectors} vectors for ${chunks} chunks`);
      }
    }
    return wrong;
  }

  return {
    unended: async () =>
      (
        await all<{ n: number }>(
          "SELECT count(*)::int AS n FROM $S.jobs WHERE state IN ('queued', 'retrying', 'running')",
        )
      )[0]?.n as number,
    read: async () => ({
      documents: await all<StoredDocument>("SELECT * FROM $S.documents"),
      jobs: await all("SELECT job_id, state FROM $S.jobs"),
      log: await all<SluiceEvent>("SELECT * FROM $S.events ORDER BY sequence"),
      chunks: await all<StoredChunks>(
        `SELECT document_id, version, count(*)::int AS chunks, max(ordinal) AS last, count(entries.words)::int AS indexed,
           count(embeddings.vector)::int AS embedded
         FROM $S.chunks LEFT JOIN $S.entries USING (document_id, version, ordinal)
           LEFT JOIN $S.embeddings USING (document_id, version, ordinal) GROUP BY 1, 2`,
      ),
      wrong: await judgeIndex(),
    }),
    close: () => pool.end(),
  };
}
