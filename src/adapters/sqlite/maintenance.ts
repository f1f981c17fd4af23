/** StorageMaintenance on SQLite, which only reads; what it drops goes through the writer. */
import { open, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { backup, type DatabaseSync } from "node:sqlite";
import { DELETE_DOCUMENT } from "../../job.ts";
import type {
  BlobNames,
  HeldDocument,
  StorageMaintenance,
  VersionCounts,
} from "../../ports/storage-maintenance.ts";
import { translateError } from "./errors.ts";
import { type Row, toDocument, toVector } from "./rows.ts";
import { openDatabase, type Sql, statements } from "./schema.ts";
import { isZero, toCode, toHalves } from "./vector-code.ts";
import { allVectorTables, toBlock, type VectorTables, vectorTables } from "./vector-tables.ts";
import { embeddersInForce } from "./write-embedders.ts";
import type { Writer } from "./writer.ts";

/** Rows dropped in one transaction. */
const BATCH = 500;
/** The most sentences of SQLite's own about one damaged file. */
const MAX_PROBLEMS = 100;
const SQLITE_CORRUPT = 11;
/** More pages than a database can have. */
const ALL_PAGES = 2 ** 31 - 1;

const UNENDED = "state IN ('queued', 'retrying', 'running')";

/** True of a row of chunks or checkpoints that no searchable, unfinished or not yet erased version accounts for. */
const ownerless = (table: string) => `NOT EXISTS (
  SELECT 1 FROM documents AS d WHERE d.document_id = ${table}.document_id AND (d.removed = 1
    OR ${table}.version = d.searchable_version
    OR ${table}.version = d.version AND d.status IN ('pending', 'processing', 'failed')))`;

interface StrayKind {
  what: string;
  /** Of all such rows, what `drop` knows them by, as `key`. */
  find: string;
  /** Takes a JSON array of those keys, and looks once more; or the tables of vectors that they are of. */
  drop: string | VectorTables;
}

/** @param db a connection that only reads; for what takes long, another one is opened */
export function createSqliteMaintenance(path: string, db: DatabaseSync, writer: Writer): StorageMaintenance {
  const sql = statements(db);

  /** On a connection of its own, for one errand. */
  async function apart<T>(use: (own: DatabaseSync) => T | Promise<T>): Promise<T> {
    try {
      const own = openDatabase(path, { readOnly: true });
      try {
        return await use(own);
      } finally {
        own.close();
      }
    } catch (error) {
      throw translateError(error);
    }
  }

  async function read<T>(use: () => T): Promise<T> {
    try {
      return use();
    } catch (error) {
      throw translateError(error);
    }
  }

  function strayKinds(): StrayKind[] {
    const kind = (what: string, table: string, key: string, stray: string): StrayKind => ({
      what,
      find: `SELECT ${key} AS key FROM ${table} WHERE ${stray}`,
      drop: `DELETE FROM ${table} WHERE ${key} IN (SELECT value FROM json_each(?)) AND ${stray}`,
    });
    const unindexed = (row: string) =>
      `NOT EXISTS (SELECT 1 FROM chunks WHERE chunk_row = ${row} AND indexed = 1)`;
    const of = "versions that nobody sees";
    return [
      // What these leave behind in the others goes with the others.
      kind(`chunks of ${of}`, "chunks", "chunk_row", ownerless("chunks")),
      kind(`checkpoints of ${of}`, "checkpoints", "document_id", ownerless("checkpoints")),
      kind(
        "versions of no document",
        "versions",
        "document_id",
        "NOT EXISTS (SELECT 1 FROM documents AS d WHERE d.document_id = versions.document_id)",
      ),
      kind(
        "vectors of no chunk",
        "embeddings",
        "chunk_row",
        "NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.chunk_row = embeddings.chunk_row)",
      ),
      {
        what: "keyword entries of no indexed chunk",
        // The plain table that knows the ids of the virtual one.
        find: `SELECT id AS key FROM chunks_fts_docsize AS words WHERE ${unindexed("words.id")}`,
        drop: `DELETE FROM chunks_fts WHERE rowid IN (SELECT value FROM json_each(?1) AS item WHERE ${unindexed("item.value")})`,
      },
      ...allVectorTables(sql).map((tables) => ({
        what: "index entries of no indexed chunk",
        find: `SELECT chunk_row AS key FROM ${tables.vectors} AS own WHERE ${unindexed("own.chunk_row")}`,
        drop: tables,
      })),
    ];
  }

  const held = (document_id: string): HeldDocument | undefined => {
    const row = sql("SELECT * FROM documents WHERE document_id = ?").get(document_id) as Row | undefined;
    if (row) {
      const record = toDocument(row);
      return { tenant_id: record.tenant_id, document_id, record, removed: row.removed === 1 };
    }
    const event = sql("SELECT tenant_id FROM events WHERE document_id = ? LIMIT 1").get(document_id);
    return event && { tenant_id: event.tenant_id as string, document_id, record: null, removed: true };
  };

  return {
    /*
     * The online backup, in one step: one read transaction, which in WAL mode nobody waits for. In several steps it
     * would begin anew with every commit in between. Not VACUUM INTO: that builds every table anew, on this thread,
     * and promises neither an fsync nor to keep row ids, by which vectors and keywords find their chunks.
     */
    async copyTo(folder) {
      const target = join(folder, basename(path));
      for (const end of ["", "-wal", "-shm", "-journal"]) await rm(`${target}${end}`, { force: true });
      await apart((own) => backup(own, target, { rate: ALL_PAGES }));
      try {
        const copy = openDatabase(target);
        // One file, whole without a log beside it; the next start takes up the log again.
        copy.exec("PRAGMA journal_mode = DELETE");
        copy.close();
        for (const place of [target, folder]) await sync(place);
        return namesIn(openDatabase(target, { readOnly: true }));
      } catch (error) {
        throw translateError(error);
      }
    },

    async blobNames() {
      try {
        return namesIn(openDatabase(path, { readOnly: true }));
      } catch (error) {
        throw translateError(error);
      }
    },

    check: () =>
      apart((own) => {
        const told: string[] = [];
        try {
          for (const row of own.prepare(`PRAGMA integrity_check(${MAX_PROBLEMS})`).iterate()) {
            if (row.integrity_check !== "ok") told.push(String(row.integrity_check));
          }
          for (const { tenant_id, collection } of own
            .prepare("SELECT tenant_id, collection FROM collections WHERE NOT json_valid(settings)")
            .iterate()) {
            told.push(`The settings of the collection ${collection} of tenant ${tenant_id} can't be read`);
          }
        } catch (error) {
          // So damaged that the check itself could not go on.
          if (((error as { errcode?: number }).errcode ?? 0) % 256 !== SQLITE_CORRUPT) throw error;
          told.push((error as Error).message);
        }
        return told;
      }),

    findStrayRows: () =>
      apart((own) =>
        strayKinds().flatMap(({ what, find }) => {
          const rows = own.prepare(`SELECT count(*) AS n FROM (${find})`).get()?.n as number;
          return rows === 0 ? [] : [`${rows} ${what}`];
        }),
      ),

    async dropStrayRows() {
      let dropped = 0;
      const drop = async (how: StrayKind["drop"], keys: unknown[]) => {
        if (keys.length === 0) return;
        dropped += await writer.write<number>(
          typeof how === "string"
            ? { op: "run", sql: how, values: [JSON.stringify(keys)] }
            : { op: "drop_stray_vectors", tables: how, chunk_rows: keys as number[] },
        );
      };
      for (const kind of await read(strayKinds)) {
        // Looked for beside everybody else: the search reads the whole table, and the write lock must not wait for it.
        await apart(async (own) => {
          let keys: unknown[] = [];
          for (const { key } of own.prepare(kind.find).iterate()) {
            if (keys.push(key) < BATCH) continue;
            await drop(kind.drop, keys);
            keys = [];
          }
          await drop(kind.drop, keys);
        });
      }
      return dropped;
    },

    listDocumentIds: (after, limit) =>
      read(() => {
        const ids = sql(
          `SELECT document_id FROM documents WHERE document_id > ?1
           UNION SELECT document_id FROM events WHERE document_id > ?1 ORDER BY 1 LIMIT ?2`,
        ).all(after, limit);
        return ids.map(({ document_id }) => document_id as string);
      }),

    getDocument: (document_id) => read(() => held(document_id)),

    listUnendedJobIds: (after, limit) =>
      read(() => {
        const rows = sql(`SELECT job_id FROM jobs WHERE ${UNENDED} AND job_id > ? ORDER BY job_id LIMIT ?`);
        return rows.all(after, limit).map(({ job_id }) => job_id as string);
      }),

    isBeingErased: (document_id) =>
      read(() => {
        const job = sql(
          `SELECT 1 FROM jobs WHERE ${UNENDED} AND job_type = ? AND payload ->> '$.document_id' = ? LIMIT 1`,
        );
        return job.get(DELETE_DOCUMENT, document_id) !== undefined;
      }),

    countVersion: (document_id, version, embedder_id) =>
      read(() => countVersion(sql, document_id, version, embedder_id)),
  };
}

/** The rows of one statement, and whatever is read before its last one, are one snapshot. */
function countVersion(sql: Sql, document_id: string, version: number, configured: string): VersionCounts {
  const wanted = embeddersInForce(sql).serving ?? configured;
  const wantedTables = vectorTables(sql, wanted);
  const counts: VersionCounts = {
    chunks: 0,
    end: 0,
    unembedded: 0,
    of_other_embedders: 0,
    without_keywords: 0,
    without_neighbours: 0,
  };
  const rows = sql(
    `SELECT chunk_row, ordinal, indexed, embedder_id, vector, words.id AS words FROM chunks
     LEFT JOIN embeddings USING (chunk_row) LEFT JOIN chunks_fts_docsize AS words ON words.id = chunk_row
     WHERE document_id = ? AND version = ? ORDER BY ordinal`,
  ).iterate(document_id, version) as Iterable<Row>;
  for (const { chunk_row, ordinal, indexed, embedder_id, vector, words } of rows) {
    counts.chunks += 1;
    counts.end = (ordinal as number) + 1;
    if (indexed !== 1 || words === null) counts.without_keywords += 1;
    if (vector === null) {
      counts.unembedded += 1;
      continue;
    }
    if (embedder_id !== wanted) {
      // A reindex under way keeps the vectors of the next embedder with the chunks.
      const served =
        wantedTables &&
        sql(`SELECT 1 FROM ${wantedTables.vectors} WHERE chunk_row = ?`).get(chunk_row as number);
      if (served) continue;
      counts.of_other_embedders += 1;
    }
    const own = toVector(vector as Uint8Array);
    if (!hasNeighbours(sql, embedder_id as string, chunk_row as number, own)) counts.without_neighbours += 1;
  }
  return counts;
}

/** Whether the index holds this vector and its code; a vector that is all zero has no place there. */
function hasNeighbours(sql: Sql, embedder_id: string, chunk_row: number, vector: Float32Array): boolean {
  const tables = vectorTables(sql, embedder_id);
  const entry =
    tables &&
    sql(
      `SELECT own.vector, rows, codes FROM ${tables.vectors} AS own LEFT JOIN ${tables.codes} USING (block)
       WHERE chunk_row = ?`,
    ).get(chunk_row);
  if (isZero(vector)) return entry === undefined;
  if (!entry || entry.rows === null) return false;
  const { rows, codes } = toBlock(entry);
  const code = toCode(vector);
  const place = rows.indexOf(chunk_row);
  const stored = codes.subarray(place * code.length, (place + 1) * code.length);
  return (
    place >= 0 &&
    Buffer.compare(entry.vector as Uint8Array, toHalves(vector)) === 0 &&
    Buffer.compare(stored, code) === 0
  );
}

/** Gathers the names in a table of this connection: asking the checkpoints for each key would read all of them. */
function namesIn(db: DatabaseSync): BlobNames {
  try {
    db.exec(`
      PRAGMA temp_store = FILE;
      CREATE TEMP TABLE names (key TEXT PRIMARY KEY, removed INTEGER NOT NULL) WITHOUT ROWID;
      INSERT INTO names SELECT key, min(coalesce(removed, 1)) FROM (
        SELECT blob_key AS key, removed FROM versions LEFT JOIN documents USING (document_id)
        UNION ALL SELECT item.value, removed FROM checkpoints LEFT JOIN documents USING (document_id),
          json_each(iif(json_valid(checkpoints.data), checkpoints.data, '{}')) AS item
          WHERE item.key LIKE '%\\_key' ESCAPE '\\'
      ) GROUP BY key;
    `);
  } catch (error) {
    db.close();
    throw error;
  }
  const sql = statements(db);
  return {
    async living(after, limit) {
      const rows = sql("SELECT key FROM names WHERE removed = 0 AND key > ? ORDER BY key LIMIT ?").all(
        after,
        limit,
      );
      return rows.map((row) => row.key as string);
    },
    async named(keys) {
      const rows = sql("SELECT key, removed FROM names WHERE key IN (SELECT value FROM json_each(?))").all(
        JSON.stringify(keys),
      );
      return new Map(rows.map((row) => [row.key as string, row.removed === 0 ? "living" : "removed"]));
    },
    async close() {
      db.close();
    },
  };
}

/** Makes a file, or the names in a folder, survive a power cut. */
async function sync(path: string): Promise<void> {
  // Windows opens no folder as a file; there, NTFS journals names by itself.
  const handle = await open(path, process.platform === "win32" ? "r+" : "r").catch((error: unknown) => {
    if (process.platform === "win32") return undefined;
    throw error;
  });
  await handle?.sync();
  await handle?.close();
}
