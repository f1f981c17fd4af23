/** What is read of documents and the log. */
import { bodyFunction, EVERYBODY, queryFunction } from "./functions.ts";

/** Which documents a list or a count is of: parameters, the condition with them, and what they are given. */
const SELECTION =
  "p_tenant text, p_collection text, p_statuses text[], p_media_type text, p_text text, p_parent text, p_filter jsonb";
const SELECTED = `tenant_id = $1 AND NOT removed AND ($2 IS NULL OR collection = $2)
      AND ($3 IS NULL OR status = ANY ($3)) AND ($4 IS NULL OR media_type = $4)
      AND ($5 IS NULL OR filename COLLATE "C" ~ $5 OR (about ->> ''title'') COLLATE "C" ~ $5)
      AND ($6 IS NULL OR parent_document_id = $6) AND ($7 IS NULL OR $S.matches_filter(metadata, about, $7))`;
const SELECTORS = "p_tenant, p_collection, p_statuses, p_media_type, p_text, p_parent, p_filter";

export const readFunctions: string[] = [
  queryFunction(
    "get_document_1",
    "p_tenant text, p_document text",
    "SETOF $S.documents",
    "tenant",
    "SELECT * FROM $S.documents WHERE document_id = p_document AND tenant_id = p_tenant AND NOT removed",
  ),
  queryFunction(
    "find_by_content_1",
    "p_tenant text, p_collection text, p_sha256 text",
    "SETOF $S.documents",
    "tenant",
    `SELECT * FROM $S.documents
     WHERE tenant_id = p_tenant AND collection = p_collection AND sha256 = p_sha256 AND NOT removed`,
  ),
  // Planned anew each time: the best plan hangs on what is asked for, and on how many documents the tenant has.
  bodyFunction(
    "list_documents_4",
    `${SELECTION}, p_sort text, p_ascending boolean, p_value text, p_document text, p_limit int`,
    "SETOF $S.documents",
    `v_by text := CASE p_sort WHEN 'created_at' THEN 'created_at COLLATE "C"' WHEN 'updated_at' THEN 'updated_at COLLATE "C"'
      WHEN 'filename' THEN 'lower(filename COLLATE "C")' WHEN 'size_bytes' THEN 'size_bytes' END;
    v_value text := CASE p_sort WHEN 'filename' THEN 'lower($8 COLLATE "C")' WHEN 'size_bytes' THEN '$8::bigint' ELSE '$8' END;
    v_place text := CASE WHEN p_document IS NOT NULL
      THEN format('AND (%s, document_id) %s (%s, $9)', v_by, CASE WHEN p_ascending THEN '>' ELSE '<' END, v_value) ELSE '' END;
    v_way text := CASE WHEN p_ascending THEN 'ASC' ELSE 'DESC' END;`,
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    RETURN QUERY EXECUTE format('SELECT * FROM $S.documents WHERE ${SELECTED} %s ORDER BY %s %s, document_id %s LIMIT $10',
      v_place, v_by, v_way, v_way)
    USING ${SELECTORS}, p_value, p_document, p_limit;`,
  ),
  bodyFunction(
    "summarize_documents_1",
    SELECTION,
    "TABLE (status text, media_type text, documents int)",
    "",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    RETURN QUERY EXECUTE 'SELECT status, media_type, count(*)::int FROM $S.documents WHERE ${SELECTED}
      GROUP BY status, media_type' USING ${SELECTORS};`,
  ),
  queryFunction(
    "list_versions_1",
    "p_tenant text, p_document text",
    "SETOF $S.versions",
    "tenant",
    "SELECT * FROM $S.versions WHERE document_id = p_document AND tenant_id = p_tenant ORDER BY version",
  ),
  queryFunction(
    "list_checkpoints_1",
    "p_tenant text, p_document text, p_version int",
    "TABLE (stage text, data json)",
    "tenant",
    `SELECT stage, data FROM $S.checkpoints
     WHERE document_id = p_document AND version = p_version AND tenant_id = p_tenant`,
  ),
  queryFunction(
    "list_chunks_2",
    "p_tenant text, p_document text, p_version int, p_from int, p_limit int",
    "TABLE (chunk $S.chunks, vector bytea, embedder_id text)",
    "tenant",
    `SELECT chunks, embeddings.vector, embeddings.embedder_id FROM $S.chunks LEFT JOIN $S.embeddings USING (document_id, version, ordinal)
     WHERE chunks.document_id = p_document AND chunks.version = p_version AND chunks.ordinal >= p_from
       AND chunks.tenant_id = p_tenant
     ORDER BY chunks.ordinal LIMIT p_limit`,
  ),
  queryFunction(
    "first_unembedded_1",
    "p_tenant text, p_document text, p_version int, p_embedder text",
    "SETOF int",
    "tenant",
    `SELECT min(chunks.ordinal) FROM $S.chunks LEFT JOIN $S.embeddings
       ON embeddings.document_id = chunks.document_id AND embeddings.version = chunks.version
         AND embeddings.ordinal = chunks.ordinal AND embeddings.embedder_id = p_embedder
     WHERE chunks.document_id = p_document AND chunks.version = p_version AND chunks.tenant_id = p_tenant
       AND embeddings.document_id IS NULL`,
  ),
  // One statement is one snapshot.
  queryFunction(
    "locate_chunks_1",
    "p_tenant text, p_documents text[], p_versions int[], p_ordinals int[]",
    "TABLE (chunk json, document json)",
    "tenant",
    `SELECT to_json(chunks), to_json(documents)
     FROM unnest(p_documents, p_versions, p_ordinals) AS place (document_id, version, ordinal)
     JOIN $S.chunks USING (document_id, version, ordinal)
     JOIN $S.documents USING (document_id)
     WHERE documents.tenant_id = p_tenant AND chunks.tenant_id = p_tenant AND NOT removed`,
  ),
  queryFunction(
    "find_answer_1",
    "p_tenant text, p_key text",
    "SETOF $S.answers",
    "tenant",
    "SELECT * FROM $S.answers WHERE tenant_id = p_tenant AND key = p_key",
  ),

  // Keys tell whose a request is: they are looked up before there is a tenant.
  bodyFunction(
    "add_key_1",
    "p_key text, p_tenant text, p_name text, p_hash text, p_created text",
    "void",
    "",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    INSERT INTO $S.api_keys (key_id, tenant_id, name, hash, created_at)
    VALUES (p_key, p_tenant, p_name, p_hash, p_created);`,
  ),
  queryFunction(
    "list_keys_1",
    "p_hash text",
    "SETOF $S.api_keys",
    "everybody",
    "SELECT * FROM $S.api_keys WHERE p_hash IS NULL OR hash = p_hash ORDER BY key_id",
  ),
  bodyFunction(
    "revoke_key_1",
    "p_key text",
    "boolean",
    "",
    `PERFORM set_config('sluice.tenant', '*', true);
    DELETE FROM $S.api_keys WHERE key_id = p_key;
    RETURN FOUND;`,
  ),

  // Up to the bound, also of one document: commits that write events alone don't wait for each other.
  bodyFunction(
    "read_events_1",
    "p_after bigint, p_limit int, p_tenant text, p_document text, p_correlation text, p_collection text",
    "SETOF $S.events",
    "v_bound bigint;",
    `PERFORM set_config('sluice.tenant', coalesce(p_tenant, '*'), true);
    SELECT bound INTO v_bound FROM $S.event_bound();
    IF p_document IS NOT NULL THEN
      RETURN QUERY SELECT * FROM $S.events WHERE document_id = p_document AND sequence > p_after
        AND sequence <= v_bound AND (p_tenant IS NULL OR tenant_id = p_tenant)
        AND (p_correlation IS NULL OR correlation_id = p_correlation)
        AND (p_collection IS NULL OR collection = p_collection) ORDER BY sequence LIMIT p_limit;
    ELSIF p_correlation IS NOT NULL THEN
      RETURN QUERY SELECT * FROM $S.events WHERE correlation_id = p_correlation AND sequence > p_after
        AND sequence <= v_bound AND (p_tenant IS NULL OR tenant_id = p_tenant)
        AND (p_collection IS NULL OR collection = p_collection) ORDER BY sequence LIMIT p_limit;
    ELSIF p_tenant IS NOT NULL THEN
      RETURN QUERY SELECT * FROM $S.events WHERE tenant_id = p_tenant AND sequence > p_after AND sequence <= v_bound
        AND (p_collection IS NULL OR collection = p_collection) ORDER BY sequence LIMIT p_limit;
    ELSE
      RETURN QUERY SELECT * FROM $S.events WHERE sequence > p_after AND sequence <= v_bound
        AND (p_collection IS NULL OR collection = p_collection) ORDER BY sequence LIMIT p_limit;
    END IF;`,
  ),
  // After a connection broke in the middle of a commit: whether its events are there.
  queryFunction(
    "find_event_1",
    "p_tenant text, p_document text, p_event text",
    "SETOF bigint",
    "tenant",
    "SELECT sequence FROM $S.events WHERE document_id = p_document AND tenant_id = p_tenant AND event_id = p_event",
  ),
  bodyFunction(
    "lead_1",
    "p_task text, p_holder text, p_ms bigint, p_now bigint",
    "boolean",
    "v_now bigint := $S.now_ms(p_now);",
    `IF p_ms <= 0 THEN
      DELETE FROM $S.leads WHERE task = p_task AND holder = p_holder;
      RETURN false;
    END IF;
    ${EVERYBODY}
    PERFORM $S.notice_clock(v_now);
    INSERT INTO $S.leads VALUES (p_task, p_holder, v_now + p_ms)
    ON CONFLICT (task) DO UPDATE SET holder = excluded.holder, until = excluded.until
      WHERE leads.holder = excluded.holder OR leads.until <= v_now;
    RETURN FOUND;`,
  ),
];
