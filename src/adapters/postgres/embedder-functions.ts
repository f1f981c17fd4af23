/** The embedders' register inside the database. Who publishes shares the lock on its one row; who flips has it alone. */
import { bodyFunction, queryFunction, refuse, requireLease } from "./functions.ts";

const SEARCHABLE = "NOT d.removed AND d.searchable_version IS NOT NULL";
const LACKING = `FROM $S.documents AS d WHERE ${SEARCHABLE} AND NOT EXISTS (SELECT FROM $S.indexed_versions AS own
  WHERE own.document_id = d.document_id AND own.version = d.searchable_version AND own.embedder_id = p_embedder)`;
const LOCK = "SELECT serving, target INTO v_serving, v_target FROM $S.embedder_state FOR UPDATE;";
const IDLE = "target = NULL, began_at = NULL, listed_to = NULL";

export const embedderFunctions: string[] = [
  queryFunction(
    "embedders_1",
    "",
    "TABLE (serving text, target text, began_at text, listed_to text, retired text[])",
    "everybody",
    `SELECT serving, target, began_at, listed_to::text,
       ARRAY(SELECT embedder_id::text FROM $S.retired_embedders ORDER BY 1) FROM $S.embedder_state`,
  ),
  // Of a commit: what it was decided on holds until it is done.
  bodyFunction(
    "require_embedders",
    "p_known json",
    "void",
    "",
    `-- The first to publish decides which one serves, and writes it: two that share the lock could not.
    IF p_known ->> 'serving' IS NULL THEN PERFORM FROM $S.embedder_state FOR UPDATE; END IF;
    PERFORM FROM $S.embedder_state WHERE serving IS NOT DISTINCT FROM p_known ->> 'serving'
      AND target IS NOT DISTINCT FROM p_known ->> 'target' FOR SHARE;
    IF NOT FOUND THEN ${refuse("embedders")}; END IF;`,
  ),
  bodyFunction(
    "put_indexed",
    "p_tenant text, p_indexed json",
    "void",
    "",
    `INSERT INTO $S.indexed_versions (document_id, version, embedder_id, tenant_id)
    SELECT document_id, searchable_version, p_indexed ->> 'embedder_id', tenant_id FROM $S.documents
    WHERE document_id = p_indexed ->> 'document_id' AND tenant_id = p_tenant AND NOT removed
      AND searchable_version = (p_indexed ->> 'version')::int
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN; END IF;
    PERFORM FROM $S.embedder_state WHERE serving IS NULL;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE $S.embedder_state SET serving = p_indexed ->> 'embedder_id' WHERE serving IS NULL;`,
  ),
  bodyFunction(
    "begin_embedder_1",
    "p_embedder text, p_began text",
    "void",
    "v_serving text; v_target text;",
    `${LOCK}
    IF v_target <> p_embedder THEN ${refuse("embedders")}; END IF;
    DELETE FROM $S.retired_embedders WHERE embedder_id = p_embedder;
    UPDATE $S.embedder_state SET target = p_embedder, listed_to = NULL,
      began_at = CASE WHEN v_target IS NULL THEN p_began ELSE began_at END;`,
  ),
  queryFunction(
    "lacking_1",
    "p_embedder text, p_from text, p_limit int",
    "TABLE (tenant_id text, document_id text)",
    "everybody",
    `SELECT d.tenant_id::text, d.document_id::text ${LACKING} AND d.document_id >= p_from
     ORDER BY d.document_id LIMIT p_limit`,
  ),
  queryFunction(
    "count_lacking_1",
    "p_embedder text",
    "TABLE (documents int, lacking int)",
    "everybody",
    `SELECT (SELECT count(*)::int FROM $S.documents AS d WHERE ${SEARCHABLE}), (SELECT count(*)::int ${LACKING})`,
  ),
  // Whoever published before the lock was had is counted; whoever does after it is refused.
  bodyFunction(
    "end_reindex_1",
    "p_embedder text, p_finish boolean",
    "boolean",
    "v_serving text; v_target text;",
    `PERFORM set_config('sluice.tenant', '*', true);
    ${LOCK}
    IF v_target IS DISTINCT FROM p_embedder THEN RETURN false; END IF;
    IF p_finish THEN
      PERFORM ${LACKING} LIMIT 1;
      IF FOUND THEN RETURN false; END IF;
    END IF;
    INSERT INTO $S.retired_embedders SELECT CASE WHEN p_finish THEN v_serving ELSE p_embedder END
    WHERE v_serving <> p_embedder ON CONFLICT DO NOTHING;
    UPDATE $S.embedder_state SET serving = CASE WHEN p_finish THEN p_embedder ELSE serving END, ${IDLE};
    RETURN true;`,
  ),
  // What says that versions are complete goes first. The table stays: who comes late with a vector finds it.
  bodyFunction(
    "remove_retired_1",
    "p_limit int",
    "boolean",
    "v_serving text; v_target text; v_embedder text; v_row int; v_count int;",
    `PERFORM set_config('sluice.tenant', '*', true);
    ${LOCK}
    SELECT embedder_id INTO v_embedder FROM $S.retired_embedders LIMIT 1;
    IF NOT FOUND THEN RETURN false; END IF;
    DELETE FROM $S.indexed_versions WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM $S.indexed_versions WHERE embedder_id = v_embedder LIMIT p_limit));
    IF FOUND THEN RETURN true; END IF;
    SELECT embedder_row INTO v_row FROM $S.embedders WHERE embedder_id = v_embedder;
    IF FOUND THEN
      EXECUTE format('DELETE FROM $S.vectors_%s WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM $S.vectors_%s LIMIT $1))', v_row, v_row) USING p_limit;
      GET DIAGNOSTICS v_count = ROW_COUNT;
      IF v_count > 0 THEN RETURN true; END IF;
    END IF;
    DELETE FROM $S.retired_embedders WHERE embedder_id = v_embedder;
    RETURN true;`,
  ),
  bodyFunction(
    "add_vectors_1",
    "p_tenant text, p_lease json, p_chunks json, p_vectors text[], p_embedder text",
    "void",
    "v_row int; v_chunks json; v_vectors text[];",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    ${requireLease}
    -- Nobody publishes or removes these documents before this is done.
    PERFORM FROM $S.documents WHERE tenant_id = p_tenant AND document_id IN (
      SELECT value ->> 'document_id' FROM json_array_elements(p_chunks)) ORDER BY document_id FOR SHARE;
    SELECT json_agg(c.value ORDER BY at), array_agg(p_vectors[at] ORDER BY at) INTO v_chunks, v_vectors
    FROM json_array_elements(p_chunks) WITH ORDINALITY AS c (value, at)
    JOIN $S.documents AS d ON d.document_id = c.value ->> 'document_id' AND d.tenant_id = p_tenant
      AND d.searchable_version = (c.value ->> 'version')::int AND NOT d.removed
    JOIN $S.entries AS e ON e.document_id = d.document_id AND e.version = d.searchable_version
      AND e.ordinal = (c.value ->> 'ordinal')::int;
    IF v_chunks IS NULL OR p_vectors IS NULL THEN RETURN; END IF;
    SELECT embedder_row INTO STRICT v_row FROM $S.embedders WHERE embedder_id = p_embedder;
    EXECUTE format('SELECT $S.stage_vectors_%s($1, $2, $3)', v_row) USING p_tenant, v_chunks, v_vectors;`,
  ),
];
