/**
 * Tables and indexes, as numbered, forward-only migrations. `$S` stands for the schema.
 *
 * Row-level security is the second wall between tenants: rows show only to a transaction that has said whose they may
 * be (`sluice.tenant`), and to none that has said nothing. What works for everybody (claiming, the relay, the sweeper)
 * says so with '*'. FORCE makes the rule hold for the tables' owner too; superusers stand above it.
 */

import { stemmed } from "./stemming.ts";

/** Each entry takes the schema from its index to the next. Never edit one that was released. */
export const migrations: string[] = [
  `
  CREATE TABLE $S.documents (
    document_id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    filename text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text COLLATE "C" NOT NULL,
    status text NOT NULL,
    stage text,
    progress json NOT NULL,
    error json,
    version int NOT NULL,
    searchable_version int,
    chunks_created int NOT NULL,
    metadata json NOT NULL,
    created_at text NOT NULL,
    updated_at text NOT NULL,
    correlation_id text COLLATE "C" NOT NULL,
    job_id text COLLATE "C" NOT NULL,
    revision int NOT NULL,
    removed boolean NOT NULL DEFAULT false
  ) WITH (fillfactor = 80);
  CREATE INDEX documents_list ON $S.documents (tenant_id, document_id) WHERE NOT removed;
  CREATE UNIQUE INDEX documents_content ON $S.documents (tenant_id, collection, sha256) WHERE NOT removed;

  CREATE TABLE $S.versions (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    blob_key text COLLATE "C" NOT NULL,
    filename text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text COLLATE "C" NOT NULL,
    created_at text NOT NULL,
    PRIMARY KEY (document_id, version)
  );
  CREATE INDEX versions_blob ON $S.versions (blob_key);

  CREATE TABLE $S.checkpoints (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    stage text NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    data json NOT NULL,
    blob_keys text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (document_id, version, stage)
  );
  CREATE INDEX checkpoints_blobs ON $S.checkpoints USING gin (blob_keys);

  CREATE TABLE $S.chunks (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    ordinal int NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    text text NOT NULL,
    page int,
    char_start int NOT NULL,
    char_end int NOT NULL,
    heading_path json NOT NULL,
    token_count int NOT NULL,
    PRIMARY KEY (document_id, version, ordinal)
  );
  CREATE TABLE $S.embeddings (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    ordinal int NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    embedder_id text NOT NULL,
    -- Little-endian 32-bit floats.
    vector bytea NOT NULL,
    PRIMARY KEY (document_id, version, ordinal)
  );
  ALTER TABLE $S.embeddings ALTER COLUMN vector SET STORAGE EXTERNAL;

  -- What keyword searches read. The tenant is one of the words, so that one index serves tenants of any size.
  CREATE TABLE $S.entries (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    ordinal int NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (document_id, version, ordinal)
  );
  CREATE INDEX entries_words ON $S.entries USING gin (words);
  -- One vector table per embedder, named vectors_<embedder_row>; made when it is first configured.
  CREATE TABLE $S.embedders (
    embedder_row int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    embedder_id text NOT NULL UNIQUE,
    dimensions int NOT NULL
  );

  CREATE SEQUENCE $S.event_sequence;
  CREATE TABLE $S.events (
    sequence bigint PRIMARY KEY,
    event_id text COLLATE "C" NOT NULL,
    event_type text NOT NULL,
    correlation_id text COLLATE "C" NOT NULL,
    causation_id text COLLATE "C",
    tenant_id text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    timestamp text NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    data json NOT NULL
  );
  CREATE INDEX events_document ON $S.events (document_id, sequence);
  CREATE INDEX events_correlation ON $S.events (correlation_id, sequence);
  CREATE INDEX events_tenant ON $S.events (tenant_id, sequence);

  CREATE TABLE $S.jobs (
    job_id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    job_type text NOT NULL,
    payload json NOT NULL,
    state text NOT NULL,
    priority int NOT NULL,
    attempts int NOT NULL,
    max_attempts int NOT NULL,
    run_at bigint NOT NULL,
    unique_key text COLLATE "C",
    correlation_id text COLLATE "C" NOT NULL,
    leased_by text COLLATE "C",
    lease_token text COLLATE "C",
    lease_until bigint,
    error json,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    finished_at bigint,
    -- When a broker is to be told of it (again); null where the jobs themselves are the queue.
    dispatch_at bigint
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
  -- Small whatever the number of finished jobs: claiming never slows down as the table grows.
  CREATE INDEX jobs_ready ON $S.jobs (tenant_id, priority DESC, run_at, job_id) WHERE state IN ('queued', 'retrying');
  CREATE INDEX jobs_delayed ON $S.jobs (run_at) WHERE state IN ('queued', 'retrying');
  CREATE INDEX jobs_dispatch ON $S.jobs (dispatch_at)
    WHERE state IN ('queued', 'retrying') AND dispatch_at IS NOT NULL;
  CREATE INDEX jobs_running ON $S.jobs (tenant_id) WHERE state = 'running';
  CREATE UNIQUE INDEX jobs_unique ON $S.jobs (tenant_id, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'retrying', 'running');
  CREATE INDEX jobs_failed ON $S.jobs (state, tenant_id, job_id) WHERE state IN ('dead', 'cancelled');
  CREATE INDEX jobs_tenant ON $S.jobs (tenant_id, job_id);
  CREATE SEQUENCE $S.turn_sequence;
  CREATE TABLE $S.turns (tenant_id text COLLATE "C" PRIMARY KEY, turn bigint NOT NULL) WITH (fillfactor = 50);
  CREATE TABLE $S.workers (
    worker_id text COLLATE "C" PRIMARY KEY,
    pid int NOT NULL,
    host text NOT NULL,
    started_at text NOT NULL,
    last_seen_at bigint NOT NULL
  ) WITH (fillfactor = 50);

  CREATE TABLE $S.answers (
    tenant_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    status int NOT NULL,
    body json NOT NULL,
    created_at text NOT NULL,
    PRIMARY KEY (tenant_id, key)
  );
  CREATE TABLE $S.cursors (name text COLLATE "C" PRIMARY KEY, sequence bigint NOT NULL) WITH (fillfactor = 50);
  CREATE TABLE $S.holds (name text COLLATE "C" PRIMARY KEY, until bigint NOT NULL);
  CREATE TABLE $S.leads (task text COLLATE "C" PRIMARY KEY, holder text NOT NULL, until bigint NOT NULL)
    WITH (fillfactor = 50);
  CREATE TABLE $S.api_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    hash text COLLATE "C" NOT NULL UNIQUE,
    created_at text NOT NULL
  );
  -- One row: the latest time that any process has seen (see notice_clock).
  CREATE TABLE $S.clock (seen bigint NOT NULL) WITH (fillfactor = 50);
  INSERT INTO $S.clock VALUES (0);

  DO $do$
  DECLARE name text;
  BEGIN
    FOREACH name IN ARRAY ARRAY['documents', 'versions', 'checkpoints', 'chunks', 'embeddings', 'entries', 'events',
      'jobs', 'turns', 'answers', 'api_keys'] LOOP
      EXECUTE format('ALTER TABLE $S.%I ENABLE ROW LEVEL SECURITY', name);
      EXECUTE format('ALTER TABLE $S.%I FORCE ROW LEVEL SECURITY', name);
      EXECUTE format(
        'CREATE POLICY tenant ON $S.%I USING (tenant_id = (SELECT current_setting(''sluice.tenant'', true))
           OR (SELECT current_setting(''sluice.tenant'', true)) = ''*'')', name);
    END LOOP;
  END $do$;
  `,
  // Searches look for stems from now on.
  `
  SELECT set_config('sluice.tenant', '*', true);
  UPDATE $S.entries SET words = (${stemmed("words")});
  SELECT set_config('sluice.tenant', '', true);
  `,
  `
  -- Versions that have a vector of an embedder for every chunk.
  CREATE TABLE $S.indexed_versions (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    embedder_id text COLLATE "C" NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (document_id, version, embedder_id)
  );
  CREATE INDEX indexed_by ON $S.indexed_versions (embedder_id);
  SELECT set_config('sluice.tenant', '*', true);
  INSERT INTO $S.indexed_versions
    SELECT d.document_id, d.searchable_version, c.data ->> 'embedder_id', d.tenant_id
    FROM $S.documents AS d JOIN $S.checkpoints AS c ON c.document_id = d.document_id
      AND c.version = d.searchable_version AND c.stage = 'embedding'
    WHERE NOT d.removed AND c.data ->> 'embedder_id' IS NOT NULL;
  -- One row: whose vectors searches go by, and what a reindex is to put in their place.
  CREATE TABLE $S.embedder_state (serving text, target text, began_at text, listed_to text COLLATE "C");
  INSERT INTO $S.embedder_state (serving)
    SELECT (SELECT embedder_id FROM $S.indexed_versions GROUP BY embedder_id ORDER BY count(*) DESC LIMIT 1);
  CREATE TABLE $S.retired_embedders (embedder_id text COLLATE "C" PRIMARY KEY);
  ALTER TABLE $S.indexed_versions ENABLE ROW LEVEL SECURITY;
  ALTER TABLE $S.indexed_versions FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON $S.indexed_versions USING (tenant_id = (SELECT current_setting('sluice.tenant', true))
    OR (SELECT current_setting('sluice.tenant', true)) = '*');
  `,
  `
  -- The document that another one came inside: a mail, an archive.
  ALTER TABLE $S.documents ADD COLUMN parent_document_id text COLLATE "C";
  CREATE INDEX documents_parent ON $S.documents (parent_document_id, document_id)
    WHERE parent_document_id IS NOT NULL AND NOT removed;
  `,
  `
  -- Where a chunk stands in a sheet, the header of its table, and where its section begins.
  ALTER TABLE $S.chunks ADD COLUMN sheet text, ADD COLUMN row_start int, ADD COLUMN row_end int,
    ADD COLUMN section_start int, ADD COLUMN header text;
  `,
  `
  -- Collections that have settings of their own.
  CREATE TABLE $S.collections (
    tenant_id text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    settings json NOT NULL,
    updated_at text NOT NULL,
    PRIMARY KEY (tenant_id, collection)
  );
  ALTER TABLE $S.collections ENABLE ROW LEVEL SECURITY;
  ALTER TABLE $S.collections FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON $S.collections USING (tenant_id = (SELECT current_setting('sluice.tenant', true))
    OR (SELECT current_setting('sluice.tenant', true)) = '*');
  `,
  `
  -- What the searchable version says of itself; null where it was published before that was kept.
  ALTER TABLE $S.documents ADD COLUMN about json;
  `,
  // Blobs that were given up. For good: whoever stored one may still be asleep.
  `
  CREATE TABLE $S.condemned_blobs (blob_key text COLLATE "C" PRIMARY KEY);
  `,
  // Lists by time go along these; by name or size they are sorted when they are asked for.
  `
  CREATE INDEX documents_created ON $S.documents (tenant_id, created_at COLLATE "C", document_id) WHERE NOT removed;
  CREATE INDEX documents_updated ON $S.documents (tenant_id, updated_at COLLATE "C", document_id) WHERE NOT removed;
  DROP INDEX $S.documents_list;
  `,
];
