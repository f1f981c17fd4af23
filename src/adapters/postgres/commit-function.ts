/**
 * `commit` inside the database: all that a `Commit` says, in one round trip and one transaction, and with it the rule
 * that lets readers follow the log by sequence.
 *
 * Sequence order is not commit order: a number drawn early may be committed late, after a reader has gone by. So
 * whoever draws numbers first takes a shared advisory lock whose key is the last number drawn by then: all its own
 * will be greater. A reader (`event_bound`) reads the last number drawn, then the smallest key locked; every event up to
 * the lesser of the two is either committed or will never be. Writers wait for nobody, and what else goes on in the
 * database (a long report, a backup) holds back no reader.
 */
import { lockBlobs, refuseCondemned } from "./blob-functions.ts";
import { bodyFunction, queryFunction, refuse } from "./functions.ts";

/** `$L` is the number of this schema among advisory locks, 15 bits above the 48 of the sequence. */
export const commitFunctions: string[] = [
  bodyFunction(
    "event_bound",
    "",
    "TABLE (bound bigint, drawn bigint)",
    "v_locked bigint;",
    `SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO drawn FROM $S.event_sequence;
    -- A statement of its own, after the other: a lock taken since belongs to numbers beyond \`drawn\`.
    SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) INTO v_locked FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND (classid::bigint >> 16) = $L
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    bound := least(drawn, coalesce(v_locked, drawn));
    RETURN NEXT;`,
  ),
  queryFunction(
    "event_bound_1",
    "",
    "TABLE (bound bigint, last bigint)",
    "everybody",
    // Numbers may be drawn in vain, so the last one is not always that of an event.
    `SELECT bound, coalesce((SELECT max(sequence) FROM $S.events WHERE sequence <= bound), 0) FROM $S.event_bound()`,
  ),

  // What lies under a version besides its original.
  bodyFunction(
    "discard_versions",
    "p_tenant text, p_document text, p_versions int[]",
    "void",
    "v_row int;",
    `FOR v_row IN SELECT embedder_row FROM $S.embedders LOOP
      EXECUTE format('DELETE FROM $S.vectors_%s WHERE document_id = $1 AND version = ANY ($2) AND tenant_id = $3', v_row)
        USING p_document, p_versions, p_tenant;
    END LOOP;
    DELETE FROM $S.entries WHERE document_id = p_document AND version = ANY (p_versions) AND tenant_id = p_tenant;
    DELETE FROM $S.embeddings WHERE document_id = p_document AND version = ANY (p_versions) AND tenant_id = p_tenant;
    DELETE FROM $S.chunks WHERE document_id = p_document AND version = ANY (p_versions) AND tenant_id = p_tenant;
    DELETE FROM $S.checkpoints WHERE document_id = p_document AND version = ANY (p_versions) AND tenant_id = p_tenant;
    DELETE FROM $S.indexed_versions
    WHERE document_id = p_document AND version = ANY (p_versions) AND tenant_id = p_tenant;`,
  ),

  bodyFunction(
    "put_chunks",
    "p_tenant text, p_chunks json",
    "void",
    "",
    `INSERT INTO $S.chunks (document_id, version, ordinal, tenant_id, text, page, sheet, row_start, row_end, char_start,
      char_end, heading_path, section_start, header, token_count)
    SELECT document_id, version, ordinal, p_tenant, text, page, sheet, row_start, row_end, char_start, char_end,
      heading_path, section_start, header, token_count
    FROM json_to_recordset(p_chunks) AS c (document_id text, version int, ordinal int, text text, page int, sheet text,
      row_start int, row_end int, char_start int, char_end int, heading_path json, section_start int, header text,
      token_count int)
    ON CONFLICT (document_id, version, ordinal) DO UPDATE SET text = excluded.text, page = excluded.page,
      sheet = excluded.sheet, row_start = excluded.row_start, row_end = excluded.row_end,
      char_start = excluded.char_start, char_end = excluded.char_end, heading_path = excluded.heading_path,
      section_start = excluded.section_start, header = excluded.header, token_count = excluded.token_count;`,
  ),
  bodyFunction(
    "discard_chunks",
    "p_tenant text, p_discard json",
    "void",
    "",
    `DELETE FROM $S.embeddings WHERE document_id = p_discard ->> 'document_id'
      AND version = (p_discard ->> 'version')::int AND ordinal >= (p_discard ->> 'from')::int AND tenant_id = p_tenant;
    DELETE FROM $S.chunks WHERE document_id = p_discard ->> 'document_id'
      AND version = (p_discard ->> 'version')::int AND ordinal >= (p_discard ->> 'from')::int AND tenant_id = p_tenant;`,
  ),

  // Locks come first, in one order for all, jobs before documents: two commits that meet wait, and do not deadlock.
  // Row-level security says so too, but not to a superuser: each statement names the tenant itself.
  bodyFunction(
    "commit_1",
    "p_commits json, p_chunks json[], p_embeddings json[], p_now bigint, p_dispatch boolean",
    "bigint",
    `v_now bigint := $S.now_ms(p_now); c record; e record; v_at int := 0; v_part json; v_record json; v_revision int;
    v_tenant text; v_document text; v_locked boolean := false; v_sequence bigint := 0; v_jobs boolean;
    v_keys text[];`,
    `IF EXISTS (SELECT FROM json_to_recordset(p_commits) AS c (version json, checkpoint json)
      WHERE c.version IS NOT NULL OR c.checkpoint IS NOT NULL) THEN
      ${lockBlobs}
    END IF;
    FOR c IN SELECT * FROM json_to_recordset(p_commits) AS c (tenant_id text, lease json, settle json, cancel_job text,
      redrive_job text, document json, remove_document json, version json, discard json, checkpoint json,
      embeddings json, erase_document text, answer json, enqueue json, events json, embedders json,
      indexed json, discard_chunks json) LOOP
      v_at := v_at + 1;
      v_tenant := c.tenant_id;
      PERFORM set_config('sluice.tenant', v_tenant, true);

      v_part := c.lease;
      IF v_part IS NOT NULL THEN
        PERFORM FROM $S.jobs WHERE job_id = v_part ->> 'job_id' AND lease_token = v_part ->> 'lease_token'
          AND tenant_id = v_tenant AND state = 'running' FOR NO KEY UPDATE;
        IF NOT FOUND THEN ${refuse("lease_lost")}; END IF;
      END IF;
      IF c.embedders IS NOT NULL THEN PERFORM $S.require_embedders(c.embedders); END IF;
      IF c.cancel_job IS NOT NULL OR c.redrive_job IS NOT NULL THEN
        PERFORM FROM $S.jobs WHERE job_id IN (c.cancel_job, c.redrive_job)
        ORDER BY job_id FOR NO KEY UPDATE;
      END IF;
      v_jobs := c.settle IS NOT NULL OR c.enqueue IS NOT NULL
        OR c.cancel_job IS NOT NULL OR c.redrive_job IS NOT NULL;
      IF v_jobs THEN PERFORM $S.notice_clock_as(v_tenant, v_now); END IF;

      v_part := c.document;
      IF v_part IS NOT NULL THEN
        v_record := v_part -> 'record';
        v_document := v_record ->> 'document_id';
        v_revision := (v_part ->> 'expect_revision')::int;
        IF v_revision IS NULL THEN
          INSERT INTO $S.documents
          SELECT r.document_id, r.tenant_id, r.collection, r.filename, r.media_type, r.size_bytes, r.sha256, r.status,
            r.stage, r.progress, nullif(r.error::text, 'null')::json, r.version, r.searchable_version, r.chunks_created,
            r.metadata, r.created_at, r.updated_at, r.correlation_id, r.job_id, r.revision, false, r.parent_document_id,
            r.about
          FROM json_populate_record(NULL::$S.documents, v_record) AS r;
        ELSE
          UPDATE $S.documents AS d SET collection = r.collection, filename = r.filename, media_type = r.media_type,
            size_bytes = r.size_bytes, sha256 = r.sha256, status = r.status, stage = r.stage, progress = r.progress,
            error = nullif(r.error::text, 'null')::json, version = r.version,
            searchable_version = r.searchable_version, chunks_created = r.chunks_created, metadata = r.metadata,
            updated_at = r.updated_at, correlation_id = r.correlation_id, job_id = r.job_id, revision = r.revision,
            parent_document_id = r.parent_document_id,
            -- Nodes of a release that doesn't know of it leave it out.
            about = coalesce(r.about, d.about)
          FROM json_populate_record(NULL::$S.documents, v_record) AS r
          WHERE d.document_id = v_document AND d.tenant_id = v_tenant AND r.tenant_id = v_tenant
            AND d.revision = v_revision AND NOT d.removed;
          IF NOT FOUND THEN ${refuse("revision")}; END IF;
        END IF;
      END IF;
      v_part := c.remove_document;
      IF v_part IS NOT NULL THEN
        UPDATE $S.documents SET removed = true, revision = revision + 1
        WHERE document_id = v_part ->> 'document_id' AND tenant_id = v_tenant
          AND revision = (v_part ->> 'expect_revision')::int AND NOT removed;
        IF NOT FOUND THEN ${refuse("revision")}; END IF;
      END IF;
      v_part := c.version;
      IF v_part IS NOT NULL THEN
        ${refuseCondemned("ARRAY[v_part ->> 'blob_key']")}
        INSERT INTO $S.versions SELECT * FROM json_populate_record(NULL::$S.versions, v_part);
      END IF;

      IF c.cancel_job IS NOT NULL THEN PERFORM $S.cancel_job(c.cancel_job, v_now); END IF;
      IF c.redrive_job IS NOT NULL THEN
        PERFORM $S.redrive_job(c.redrive_job, v_now, p_dispatch);
      END IF;

      v_part := c.discard;
      IF v_part IS NOT NULL THEN
        PERFORM $S.discard_versions(v_tenant, v_part ->> 'document_id',
          ARRAY(SELECT value::int FROM json_array_elements_text(v_part -> 'versions')));
      END IF;
      v_part := c.checkpoint;
      IF v_part IS NOT NULL THEN
        v_keys := ARRAY(SELECT value FROM json_each_text(v_part -> 'data')
          WHERE key LIKE '%\\_key' AND value IS NOT NULL);
        ${refuseCondemned("v_keys")}
        INSERT INTO $S.checkpoints VALUES (v_document, (v_record ->> 'version')::int, v_part ->> 'stage',
          v_tenant, v_part -> 'data', v_keys)
        ON CONFLICT (document_id, version, stage) DO UPDATE SET data = excluded.data, blob_keys = excluded.blob_keys;
      END IF;
      IF p_chunks[v_at] IS NOT NULL THEN
        PERFORM $S.put_chunks(v_tenant, p_chunks[v_at]);
      END IF;
      IF c.discard_chunks IS NOT NULL THEN PERFORM $S.discard_chunks(v_tenant, c.discard_chunks); END IF;
      v_part := c.embeddings;
      IF v_part IS NOT NULL THEN
        -- Of chunks that are there.
        INSERT INTO $S.embeddings (document_id, version, ordinal, tenant_id, embedder_id, vector)
        SELECT document_id, version, ordinal, tenant_id, v_part ->> 'embedder_id', decode(vector, 'base64')
        FROM json_to_recordset(p_embeddings[v_at]) AS e (ordinal int, vector text)
        JOIN $S.chunks USING (ordinal)
        WHERE document_id = v_part ->> 'document_id' AND version = (v_part ->> 'version')::int AND tenant_id = v_tenant
        ON CONFLICT (document_id, version, ordinal) DO UPDATE
          SET embedder_id = excluded.embedder_id, vector = excluded.vector;
      END IF;
      IF c.indexed IS NOT NULL THEN PERFORM $S.put_indexed(v_tenant, c.indexed); END IF;
      IF c.erase_document IS NOT NULL THEN
        PERFORM FROM $S.documents
        WHERE document_id = c.erase_document AND tenant_id = v_tenant AND removed;
        IF FOUND THEN
          PERFORM $S.discard_versions(v_tenant, c.erase_document, ARRAY(
            SELECT version FROM $S.versions WHERE document_id = c.erase_document
            UNION SELECT version FROM $S.chunks WHERE document_id = c.erase_document
            UNION SELECT version FROM $S.checkpoints WHERE document_id = c.erase_document));
          DELETE FROM $S.versions WHERE document_id = c.erase_document;
          DELETE FROM $S.documents WHERE document_id = c.erase_document;
        END IF;
      END IF;
      v_part := c.answer;
      IF v_part IS NOT NULL THEN
        INSERT INTO $S.answers VALUES (v_tenant, v_part ->> 'key', v_part ->> 'fingerprint',
          (v_part ->> 'status')::int, v_part -> 'body', v_part ->> 'created_at');
      END IF;
      v_part := c.settle;
      IF v_part IS NOT NULL THEN
        PERFORM $S.settle_jobs(v_part, v_now, p_dispatch);
      END IF;
      v_part := c.enqueue;
      IF v_part IS NOT NULL THEN PERFORM $S.insert_jobs(v_part, v_now, p_dispatch); END IF;

      FOR e IN SELECT * FROM json_to_recordset(c.events) AS e (event_id text, event_type text, correlation_id text,
        causation_id text, tenant_id text, idempotency_key text, "timestamp" text, document_id text, collection text, data json) LOOP
        IF NOT v_locked THEN
          PERFORM pg_advisory_xact_lock_shared(($L::bigint << 48) | (CASE WHEN is_called THEN last_value ELSE 0 END))
          FROM $S.event_sequence;
          v_locked := true;
        END IF;
        v_sequence := nextval('$S.event_sequence');
        INSERT INTO $S.events VALUES (v_sequence, e.event_id, e.event_type,
          e.correlation_id, e.causation_id, e.tenant_id,
          e.idempotency_key, e.timestamp, e.document_id, e.collection,
          e.data);
      END LOOP;
    END LOOP;
    RETURN v_sequence;`,
  ),
  // The clock is everybody's; afterwards the transaction is the tenant's again.
  bodyFunction(
    "notice_clock_as",
    "p_tenant text, v_now bigint",
    "void",
    "",
    `IF EXISTS (SELECT FROM $S.clock WHERE v_now > seen - 2000 AND v_now < seen + 1000) THEN RETURN; END IF;
    PERFORM set_config('sluice.tenant', '*', true);
    PERFORM $S.notice_clock(v_now);
    PERFORM set_config('sluice.tenant', p_tenant, true);`,
  ),
];
