/** DocumentStore on SQLite: reads on a connection of this thread, writes through the writer. */
import type { DatabaseSync } from "node:sqlite";
import type { DocumentVersion } from "../../document.ts";
import { stages } from "../../events.ts";
import type { DocumentStore, EventQuery, IdempotentAnswer, StoredChunk } from "../../ports/document-store.ts";
import type { System } from "../../ports/system.ts";
import { blobsNamed, condemnBlobs } from "./blobs.ts";
import { createSqliteCollections } from "./collections.ts";
import type { Doorbell } from "./doorbell.ts";
import { createSqliteEmbedders } from "./embedders.ts";
import { isListedByIndex, listDocuments } from "./list-documents.ts";
import { conditions, type Row, toChunk, toDocument, toEvent, toVector } from "./rows.ts";
import { statements } from "./schema.ts";
import type { ReaderThreads } from "./search-threads.ts";
import type { Writer } from "./writer.ts";

/** Of a row that is a chunk and its document. */
const chunkColumns = new Set([
  "chunk_version",
  "ordinal",
  "text",
  "page",
  "sheet",
  "row_start",
  "row_end",
  "char_start",
  "char_end",
  "heading_path",
  "section_start",
  "header",
  "token_count",
]);

export function createSqliteDocuments(
  db: DatabaseSync,
  writer: Writer,
  doorbell: Doorbell,
  threads: ReaderThreads,
  system: System,
  close: () => Promise<void>,
): DocumentStore {
  const sql = statements(db);
  const one = (text: string, ...values: (string | number)[]) => sql(text).get(...values) as Row | undefined;
  const all = (text: string, ...values: (string | number)[]) => sql(text).all(...values) as Row[];

  return {
    embedders: createSqliteEmbedders(db, writer),
    collections: createSqliteCollections(db, writer),
    commit: (commits) => writer.write<number>({ op: "commit", commits, now: system.now() }),

    async getDocument(tenant_id, document_id) {
      const row = one(
        "SELECT * FROM documents WHERE document_id = ? AND tenant_id = ? AND removed = 0",
        document_id,
        tenant_id,
      );
      return row && toDocument(row);
    },

    async findByContent(tenant_id, collection, sha256) {
      const row = one(
        "SELECT * FROM documents WHERE tenant_id = ? AND collection = ? AND sha256 = ? AND removed = 0 LIMIT 1",
        tenant_id,
        collection,
        sha256,
      );
      return row && toDocument(row);
    },

    async listDocuments(query) {
      return isListedByIndex(query) ? listDocuments(sql, query) : threads.ask({ kind: "documents", query });
    },
    summarizeDocuments: (selection) => threads.ask({ kind: "counts", selection }),

    async listVersions(tenant_id, document_id) {
      return all(
        "SELECT * FROM versions WHERE document_id = ? AND tenant_id = ? ORDER BY version",
        document_id,
        tenant_id,
      ).map((row) => ({ ...row }) as unknown as DocumentVersion);
    },

    async listCheckpoints(tenant_id, document_id, version) {
      const rows = all(
        `SELECT stage, data FROM checkpoints WHERE document_id = ?1 AND version = ?2
         AND EXISTS (SELECT 1 FROM versions WHERE document_id = ?1 AND tenant_id = ?3)`,
        document_id,
        version,
        tenant_id,
      );
      return stages.flatMap((stage) => {
        const row = rows.find((candidate) => candidate.stage === stage);
        return row ? [{ stage, data: JSON.parse(row.data as string) }] : [];
      });
    },

    async listChunks(tenant_id, document_id, version, from, limit) {
      return all(
        `SELECT chunks.*, embeddings.vector, embeddings.embedder_id FROM chunks LEFT JOIN embeddings USING (chunk_row)
         WHERE document_id = ?1 AND version = ?2 AND ordinal >= ?3
           AND EXISTS (SELECT 1 FROM documents WHERE document_id = ?1 AND tenant_id = ?4)
         ORDER BY ordinal LIMIT ?5`,
        document_id,
        version,
        from,
        tenant_id,
        limit,
      ).map((row): StoredChunk => {
        const vector = row.vector === null ? null : toVector(row.vector as Uint8Array);
        return { ...toChunk(row), vector, embedder_id: row.embedder_id as string | null };
      });
    },

    async firstUnembedded(tenant_id, document_id, version, embedder_id) {
      const row = one(
        `SELECT min(ordinal) AS ordinal FROM chunks LEFT JOIN embeddings
           ON embeddings.chunk_row = chunks.chunk_row AND embeddings.embedder_id = ?3
         WHERE document_id = ?1 AND version = ?2 AND embeddings.chunk_row IS NULL
           AND EXISTS (SELECT 1 FROM documents WHERE document_id = ?1 AND tenant_id = ?4)`,
        document_id,
        version,
        embedder_id,
        tenant_id,
      );
      return (row?.ordinal ?? null) as number | null;
    },

    async locateChunks(tenant_id, chunk_ids) {
      // One statement is one snapshot. In this order: by itself SQLite would read all chunks of the tenant.
      const places = chunk_ids.flatMap((chunk_id) => {
        const place = /^chk_([0-9a-f]{32})_(\d+)_(\d+)$/.exec(chunk_id);
        return place ? [[`doc_${place[1]}`, Number(place[2]), Number(place[3])]] : [];
      });
      const rows = all(
        `SELECT documents.*, chunks.version AS chunk_version, ordinal, text, page, sheet, row_start, row_end,
           char_start, char_end, heading_path, section_start, header, token_count
         FROM json_each(?) AS place
         CROSS JOIN chunks ON chunks.document_id = place.value ->> 0 AND chunks.version = place.value ->> 1
           AND chunks.ordinal = place.value ->> 2
         CROSS JOIN documents ON documents.document_id = chunks.document_id
         WHERE documents.tenant_id = ? AND documents.removed = 0`,
        JSON.stringify(places),
        tenant_id,
      );
      return rows.map((row) => ({
        chunk: toChunk({ ...row, version: row.chunk_version } as Row),
        document: toDocument(
          Object.fromEntries(Object.entries(row).filter(([name]) => !chunkColumns.has(name))) as Row,
        ),
      }));
    },

    async findAnswer(tenant_id, key) {
      const row = one("SELECT * FROM answers WHERE tenant_id = ? AND key = ?", tenant_id, key);
      if (!row) return undefined;
      const { fingerprint, status, body, created_at } = row;
      return { key, fingerprint, status, body: JSON.parse(body as string), created_at } as IdempotentAnswer;
    },

    async readEvents(query) {
      const { where, values } = eventConditions(query);
      return all(`SELECT * FROM events WHERE ${where} ORDER BY sequence LIMIT ?`, ...values, query.limit).map(
        toEvent,
      );
    },

    async lastSequence() {
      return (one("SELECT max(sequence) AS last FROM events")?.last ?? 0) as number;
    },

    watchEvents: (listener) => doorbell.listen("events", listener),

    async getCursor(name) {
      return (one("SELECT sequence FROM cursors WHERE name = ?", name)?.sequence ?? 0) as number;
    },

    async saveCursor(name, sequence) {
      await writer.write({
        op: "run",
        sql: `INSERT INTO cursors (name, sequence) VALUES (?, ?)
              ON CONFLICT (name) DO UPDATE SET sequence = max(sequence, excluded.sequence)`,
        values: [name, sequence],
      });
    },

    async hold(name, until) {
      await writer.write({
        op: "run",
        sql: `INSERT INTO holds (name, until) VALUES (?, ?)
              ON CONFLICT (name) DO UPDATE SET until = max(until, excluded.until)`,
        values: [name, until],
      });
    },

    async heldUntil(name) {
      return (one("SELECT until FROM holds WHERE name = ?", name)?.until ?? 0) as number;
    },

    async lead(task, holder, ms) {
      if (ms <= 0) {
        await writer.write({
          op: "run",
          sql: "DELETE FROM leads WHERE task = ? AND holder = ?",
          values: [task, holder],
        });
        return false;
      }
      const now = system.now();
      const changes = await writer.write<number>({
        op: "run",
        sql: `INSERT INTO leads (task, holder, until) VALUES (?, ?, ?)
              ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until = excluded.until
              WHERE leads.holder = excluded.holder OR leads.until <= ?`,
        values: [task, holder, now + ms, now],
        now,
      });
      return changes === 1;
    },

    async referencedBlobs(keys) {
      return blobsNamed(sql, keys);
    },
    condemnBlobs: (keys) => condemnBlobs(sql, writer, keys),

    close,
  };
}

/** The most selective condition uses its index; the others, behind a +, must not tempt the planner away from it. */
function eventConditions({ after, tenant_id, document_id, correlation_id, collection }: EventQuery) {
  const byDocument = document_id !== undefined;
  const byCorrelation = !byDocument && correlation_id !== undefined;
  return conditions({
    "sequence > ?": after,
    "document_id = ?": document_id,
    [byCorrelation ? "correlation_id = ?" : "+correlation_id = ?"]: correlation_id,
    [byDocument || byCorrelation ? "+tenant_id = ?" : "tenant_id = ?"]: tenant_id,
    "+collection = ?": collection,
  });
}
