/** What is read of documents and the log. */
import { bodyFunction, EVERYBODY, queryFunction } from "./functions.ts";

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
  queryFunction(
    "list_documents_3",
    "p_tenant text, p_collection text, p_status text, p_parent text, p_filter jsonb, p_before text, p_limit int",
    "SETOF $S.documents",
    "tenant",
    `SELECT * FROM $S.documents WHERE tenant_id = p_tenant AND NOT removed
       AND (p_collection IS NULL OR collection = p_collection) AND (p_status IS NULL OR status = p_status)
       AND (p_parent IS NULL OR parent_document_id = p_parent) AND (p_before IS NULL OR document_id < p_before)
       AND (p_filter IS NULL OR $S.matches_filter(metadata, about, p_filter))
     ORDER BY document_id DESC LIMIT p_limit`,
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
    "add_key_2",
    "p_key text, p_tenant text, p_name text, p_hash text, p_operator boolean, p_created text, p_expires text",
    "void",
    "",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    INSERT INTO $S.api_keys (key_id, tenant_id, name, hash, operator, created_at, expires_at)
    VALUES (p_key, p_tenant, p_name, p_hash, p_operator, p_created, p_expires);`,
  ),
  queryFunction(
    "list_keys_2",
    "p_hash text, p_of text",
    "SETOF $S.api_keys",
    "everybody",
    `SELECT * FROM $S.api_keys WHERE (p_hash IS NULL OR hash = p_hash) AND (p_of IS NULL OR tenant_id = p_of)
     ORDER BY key_id`,
  ),
  bodyFunction(
    "revoke_key_2",
    "p_key text, p_of text",
    "boolean",
    "",
    `${EVERYBODY}
    DELETE FROM $S.api_keys WHERE key_id = p_key AND (p_of IS NULL OR tenant_id = p_of);
    RETURN FOUND;`,
  ),
  bodyFunction(
    "remove_expired_keys_1",
    "p_tenant text, p_before text",
    "void",
    "",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    DELETE FROM $S.api_keys WHERE tenant_id = p_tenant AND expires_at COLLATE "C" < p_before;`,
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
