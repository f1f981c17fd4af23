/** The schema of the one SQLite file, as numbered, forward-only migrations. `schema.ts` applies them. */
import type { DatabaseSync } from "node:sqlite";
import type { Sql } from "./schema.ts";
import { takeOverVectors } from "./take-over-vectors.ts";

/** What SQL alone can't do. `tell` is for what takes long enough that somebody wonders. */
export type Migration = (db: DatabaseSync, sql: Sql, tell: (message: string) => void) => void;

/** Each entry takes the schema from its index to the next; `user_version` counts the applied ones. Never edit one. */
export const migrations: (string | Migration)[] = [
  `
  CREATE TABLE documents (
    document_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    collection TEXT NOT NULL,
    filename TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    status TEXT NOT NULL,
    stage TEXT,
    progress_done INTEGER NOT NULL,
    progress_total INTEGER,
    error TEXT,
    version INTEGER NOT NULL,
    searchable_version INTEGER,
    chunks_created INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX documents_list ON documents (tenant_id, document_id) WHERE removed = 0;
  CREATE INDEX documents_content ON documents (tenant_id, collection, sha256) WHERE removed = 0;

  CREATE TABLE versions (
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    blob_key TEXT NOT NULL,
    filename TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (document_id, version)
  ) WITHOUT ROWID;
  CREATE INDEX versions_blob ON versions (blob_key);

  CREATE TABLE checkpoints (
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    stage TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (document_id, version, stage)
  ) WITHOUT ROWID;

  CREATE TABLE chunks (
    chunk_row INTEGER PRIMARY KEY,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    page INTEGER,
    char_start INTEGER NOT NULL,
    char_end INTEGER NOT NULL,
    heading_path TEXT NOT NULL,
    token_count INTEGER NOT NULL,
    indexed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (document_id, version, ordinal)
  );
  CREATE TABLE embeddings (
    chunk_row INTEGER PRIMARY KEY,
    embedder_id TEXT NOT NULL,
    vector BLOB NOT NULL
  );
  CREATE VIRTUAL TABLE chunks_fts USING fts5 (
    text, headings, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
  );
  -- One vector table per embedder, named vectors_<embedder_row>.
  CREATE TABLE embedders (
    embedder_row INTEGER PRIMARY KEY,
    embedder_id TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL
  );

  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    tenant_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    document_id TEXT NOT NULL,
    collection TEXT NOT NULL,
    data TEXT NOT NULL
  );
  CREATE INDEX events_document ON events (document_id);
  CREATE INDEX events_correlation ON events (correlation_id);
  CREATE INDEX events_tenant ON events (tenant_id);

  CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    unique_key TEXT,
    correlation_id TEXT NOT NULL,
    leased_by TEXT,
    lease_token TEXT,
    lease_until INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER
  ) WITHOUT ROWID;
  -- Small whatever the number of finished jobs: claiming never slows down as the table grows.
  CREATE INDEX jobs_ready ON jobs (tenant_id, priority DESC, run_at, job_id) WHERE state IN ('queued', 'retrying');
  CREATE INDEX jobs_delayed ON jobs (run_at) WHERE state IN ('queued', 'retrying');
  CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
  CREATE INDEX jobs_held ON jobs (leased_by) WHERE state = 'running';
  CREATE UNIQUE INDEX jobs_unique ON jobs (tenant_id, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'retrying', 'running');
  CREATE INDEX jobs_state ON jobs (state, tenant_id, job_id);
  CREATE INDEX jobs_tenant ON jobs (tenant_id, job_id);
  CREATE TABLE turns (tenant_id TEXT PRIMARY KEY, turn INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE workers (
    worker_id TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    started_at TEXT NOT NULL,
    last_seen_at INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE answers (
    tenant_id TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, key)
  ) WITHOUT ROWID;
  CREATE TABLE cursors (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE api_keys (
    key_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE holds (name TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
  -- One row: the latest time that any process has seen (see write-clock.ts).
  CREATE TABLE clock (seen INTEGER NOT NULL);
  INSERT INTO clock VALUES (0);

  -- Jobs change their state more often than anything else is written, and every index that knows of it is written
  -- as well: a table with row ids keeps those small, and only those remain that a claim or a dead letter needs.
  ALTER TABLE jobs RENAME TO old_jobs;
  CREATE TABLE jobs (
    job_id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    unique_key TEXT,
    correlation_id TEXT NOT NULL,
    leased_by TEXT,
    lease_token TEXT,
    lease_until INTEGER,
    error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER
  );
  INSERT INTO jobs SELECT * FROM old_jobs ORDER BY created_at, job_id;
  DROP TABLE old_jobs;
  -- Small whatever the number of finished jobs: claiming never slows down as the table grows.
  CREATE INDEX jobs_ready ON jobs (tenant_id, priority DESC, run_at, job_id) WHERE state IN ('queued', 'retrying');
  CREATE INDEX jobs_delayed ON jobs (run_at) WHERE state IN ('queued', 'retrying');
  CREATE INDEX jobs_running ON jobs (lease_until) WHERE state = 'running';
  CREATE UNIQUE INDEX jobs_unique ON jobs (tenant_id, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'retrying', 'running');
  CREATE INDEX jobs_failed ON jobs (state, tenant_id, job_id) WHERE state IN ('dead', 'cancelled');
  CREATE INDEX jobs_tenant ON jobs (tenant_id, job_id);
  `,
  `
  CREATE TABLE leads (task TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  -- English words are stemmed; those of other languages are what they are on both sides, so that they match themselves.
  -- The tenant is a word of its own column, so that a search of a small one reads no others' entries.
  DROP TABLE chunks_fts;
  CREATE VIRTUAL TABLE chunks_fts USING fts5 (
    text, headings, filename, tenant,
    content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
  );
  INSERT INTO chunks_fts (rowid, text, headings, filename, tenant)
  SELECT chunk_row, separate_words(text),
    separate_words((SELECT group_concat(value, ' ') FROM json_each(heading_path))),
    separate_words(coalesce(versions.filename, documents.filename)), tenant_word(documents.tenant_id)
  FROM chunks LEFT JOIN documents USING (document_id)
    LEFT JOIN versions ON versions.document_id = chunks.document_id AND versions.version = chunks.version
  WHERE chunks.indexed = 1;
  `,
  takeOverVectors,
  `
  -- Versions that have a vector of an embedder for every chunk.
  CREATE TABLE indexed_versions (
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    embedder_id TEXT NOT NULL,
    PRIMARY KEY (document_id, version, embedder_id)
  ) WITHOUT ROWID;
  CREATE INDEX indexed_by ON indexed_versions (embedder_id);
  INSERT INTO indexed_versions
    SELECT documents.document_id, documents.searchable_version, checkpoints.data ->> 'embedder_id'
    FROM documents JOIN checkpoints ON checkpoints.document_id = documents.document_id
      AND checkpoints.version = documents.searchable_version AND checkpoints.stage = 'embedding'
    WHERE documents.removed = 0 AND checkpoints.data ->> 'embedder_id' IS NOT NULL;
  -- One row: whose vectors searches go by, and what a reindex is to put in their place.
  CREATE TABLE embedder_state (serving TEXT, target TEXT, began_at TEXT, listed_to TEXT);
  INSERT INTO embedder_state (serving)
    SELECT (SELECT embedder_id FROM indexed_versions GROUP BY embedder_id ORDER BY count(*) DESC LIMIT 1);
  CREATE TABLE retired_embedders (embedder_id TEXT PRIMARY KEY) WITHOUT ROWID;
  `,
  `
  -- The document that another one came inside: a mail, an archive.
  ALTER TABLE documents ADD COLUMN parent_document_id TEXT;
  CREATE INDEX documents_parent ON documents (parent_document_id, document_id)
    WHERE parent_document_id IS NOT NULL AND removed = 0;
  `,
  `
  -- Where a chunk stands in a sheet, the header of its table, and where its section begins.
  ALTER TABLE chunks ADD COLUMN sheet TEXT;
  ALTER TABLE chunks ADD COLUMN row_start INTEGER; ALTER TABLE chunks ADD COLUMN row_end INTEGER;
  ALTER TABLE chunks ADD COLUMN section_start INTEGER; ALTER TABLE chunks ADD COLUMN header TEXT;
  `,
  `
  -- Collections that have settings of their own.
  CREATE TABLE collections (
    tenant_id TEXT NOT NULL,
    collection TEXT NOT NULL,
    settings TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, collection)
  ) WITHOUT ROWID;
  `,
  `
  -- What the searchable version says of itself, as JSON; null where it was published before that was kept.
  ALTER TABLE documents ADD COLUMN about TEXT;
  `,
  // Blobs that were given up. For good: whoever stored one may still be asleep.
  "CREATE TABLE condemned_blobs (blob_key TEXT PRIMARY KEY) WITHOUT ROWID",
  `
  -- Lists by time go along these. What else they are sorted, narrowed and counted by lies in the first one beside the
  -- time: reading that through is a tenth of reading the documents, and an index for each would slow every upload.
  CREATE INDEX documents_created ON documents
    (tenant_id, created_at, document_id, collection, status, media_type, size_bytes, filename) WHERE removed = 0;
  CREATE INDEX documents_updated ON documents (tenant_id, updated_at, document_id) WHERE removed = 0;
  DROP INDEX documents_list;
  `,
];
