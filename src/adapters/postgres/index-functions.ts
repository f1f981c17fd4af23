/** The search index: pgvector for meaning, tsvector for words. `$X` stands for the schema that holds pgvector. */
import { bodyFunction, queryFunction, refuse, requireLease, sqlFunction } from "./functions.ts";
import { quoteLexeme, stemmed, stemOf } from "./stemming.ts";

export const wordFunctions: string[] = [
  // The meaning of `matchesFilter` (filter.ts), over a document's metadata and what it says of itself.
  bodyFunction(
    "matches_filter",
    "p_metadata json, p_about json, p_filter jsonb",
    "boolean",
    "v_field text; v_wanted jsonb; v_value jsonb; v_found boolean; v_own boolean; v_ranges jsonb;",
    `FOR v_field, v_wanted IN SELECT key, value FROM jsonb_each(p_filter) LOOP
      v_own := (p_metadata::jsonb) ? v_field;
      v_value := CASE WHEN v_own THEN (p_metadata::jsonb) -> v_field ELSE (p_about::jsonb) -> v_field END;
      IF v_value IS NULL OR v_value = 'null' THEN RETURN false; END IF;
      IF v_field = 'language' AND NOT v_own THEN
        v_ranges := CASE WHEN jsonb_typeof(v_wanted) <> 'object' THEN jsonb_build_array(v_wanted)
          ELSE v_wanted -> 'in' END;
        IF v_ranges IS NOT NULL THEN
          IF NOT EXISTS (SELECT FROM jsonb_array_elements(v_ranges) AS one WHERE jsonb_typeof(one) = 'string'
            AND starts_with(lower((v_value #>> '{}') COLLATE "C") || '-', lower((one #>> '{}') COLLATE "C") || '-'))
          THEN RETURN false; END IF;
          CONTINUE;
        END IF;
      END IF;
      IF jsonb_typeof(v_value) <> 'array' THEN v_value := jsonb_build_array(v_value); END IF;
      IF jsonb_typeof(v_wanted) <> 'object' THEN
        SELECT coalesce(bool_or(item = v_wanted), false) INTO v_found FROM jsonb_array_elements(v_value) AS item;
      ELSIF v_wanted ? 'in' THEN
        SELECT coalesce(bool_or(item = one), false) INTO v_found
        FROM jsonb_array_elements(v_value) AS item, jsonb_array_elements(v_wanted -> 'in') AS one;
      ELSE
        SELECT coalesce(bool_or($S.is_within(item, v_wanted)), false) INTO v_found
        FROM jsonb_array_elements(v_value) AS item;
      END IF;
      IF NOT v_found THEN RETURN false; END IF;
    END LOOP;
    RETURN true;`,
  ),
  bodyFunction(
    "is_within",
    "p_item jsonb, p_range jsonb",
    "boolean",
    "v_operator text; v_bound jsonb; v_order int;",
    `IF p_item = 'null' THEN RETURN false; END IF;
    FOR v_operator, v_bound IN SELECT key, value FROM jsonb_each(p_range) LOOP
      IF jsonb_typeof(v_bound) <> jsonb_typeof(p_item) THEN RETURN false; END IF;
      IF jsonb_typeof(p_item) = 'number' THEN
        v_order := sign((p_item #>> '{}')::numeric - (v_bound #>> '{}')::numeric)::int;
      ELSE
        v_order := CASE WHEN (p_item #>> '{}') COLLATE "C" < (v_bound #>> '{}') COLLATE "C" THEN -1
          WHEN (p_item #>> '{}') COLLATE "C" > (v_bound #>> '{}') COLLATE "C" THEN 1 ELSE 0 END;
      END IF;
      -- In brackets: the first THEN outside of any ends the IF.
      IF NOT (CASE v_operator WHEN 'gt' THEN v_order > 0 WHEN 'gte' THEN v_order >= 0
        WHEN 'lt' THEN v_order < 0 WHEN 'lte' THEN v_order <= 0 END) THEN RETURN false; END IF;
    END LOOP;
    RETURN true;`,
  ),

  sqlFunction("stem_word", "p_word text", "text", `SELECT ${stemOf("p_word")}`),
  sqlFunction("quote_lexeme", "p_lexeme text", "text", `SELECT ${quoteLexeme("p_lexeme")}`),
  sqlFunction("stem_words", "p_words tsvector", "tsvector", stemmed("p_words")),

  // Staged entries show nowhere before the document's searchable version is theirs. A vector of null has no direction.
  bodyFunction(
    "stage_1",
    "p_tenant text, p_lease json, p_chunks json, p_words text[], p_vectors text[], p_embedder text",
    "void",
    "v_row int;",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    ${requireLease}
    -- The pipeline has usually written them before.
    PERFORM $S.put_chunks(p_tenant, (
      SELECT json_agg(c.value) FROM json_array_elements(p_chunks) AS c (value)
      LEFT JOIN $S.chunks ON chunks.document_id = c.value ->> 'document_id'
        AND chunks.version = (c.value ->> 'version')::int AND chunks.ordinal = (c.value ->> 'ordinal')::int
      WHERE chunks.text IS DISTINCT FROM c.value ->> 'text'));
    INSERT INTO $S.entries (document_id, version, ordinal, tenant_id, words)
    SELECT value ->> 'document_id', (value ->> 'version')::int, (value ->> 'ordinal')::int, p_tenant,
      $S.stem_words(p_words[at]::tsvector)
    FROM json_array_elements(p_chunks) WITH ORDINALITY AS c (value, at)
    ON CONFLICT (document_id, version, ordinal) DO UPDATE SET words = excluded.words;
    IF p_vectors IS NULL THEN RETURN; END IF;
    SELECT embedder_row INTO STRICT v_row FROM $S.embedders WHERE embedder_id = p_embedder;
    EXECUTE format('SELECT $S.stage_vectors_%s($1, $2, $3)', v_row) USING p_tenant, p_chunks, p_vectors;`,
  ),
  bodyFunction(
    "remove_entries_1",
    "p_tenant text, p_document text, p_version int",
    "void",
    "v_row int;",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    FOR v_row IN SELECT embedder_row FROM $S.embedders LOOP
      EXECUTE format('DELETE FROM $S.vectors_%s WHERE document_id = $1 AND version = $2 AND tenant_id = $3', v_row)
        USING p_document, p_version, p_tenant;
    END LOOP;
    DELETE FROM $S.entries WHERE document_id = p_document AND version = p_version AND tenant_id = p_tenant;`,
  ),

  // The tenant's own lexeme narrows first; the words alone rank. A: the text, D: its headings and names (`namesOf`).
  bodyFunction(
    "matching_2",
    "p_tenant text, p_collection text, p_filter jsonb, p_words text[], p_limit int",
    "TABLE (document_id text, version int, ordinal int, score float8)",
    "v_words tsquery; v_match tsquery;",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    SELECT string_agg($S.quote_lexeme($S.stem_word(word)), ' | ')::tsquery INTO v_words FROM unnest(p_words) AS word;
    v_match := $S.quote_lexeme('=' || p_tenant)::tsquery && v_words;
    RETURN QUERY SELECT entries.document_id::text, entries.version, entries.ordinal,
      ts_rank('{0.5, 0.5, 0.5, 1}', words, v_words, 1)::float8 AS score
    FROM $S.entries JOIN $S.documents ON documents.document_id = entries.document_id
      AND documents.searchable_version = entries.version AND NOT removed
    WHERE words @@ v_match AND entries.tenant_id = p_tenant AND documents.tenant_id = p_tenant
      AND (p_collection IS NULL OR collection = p_collection)
      AND (p_filter IS NULL OR $S.matches_filter(metadata, about, p_filter))
    ORDER BY score DESC, entries.document_id, entries.ordinal LIMIT p_limit;`,
  ),
];

/** The table of one embedder, `$R` its number and `$D` its dimensions, and what reads and writes it. */
export const vectorTable = `
  CREATE TABLE $S.vectors_$R (
    document_id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    ordinal int NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    vector $X.vector($D) NOT NULL,
    PRIMARY KEY (document_id, version, ordinal)
  );
  CREATE INDEX ON $S.vectors_$R (tenant_id);
  ALTER TABLE $S.vectors_$R ENABLE ROW LEVEL SECURITY;
  ALTER TABLE $S.vectors_$R FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON $S.vectors_$R USING (tenant_id = (SELECT current_setting('sluice.tenant', true))
    OR (SELECT current_setting('sluice.tenant', true)) = '*');
`;

/** More vectors than this in one tenant, and the graph is asked before every vector is read. */
export const EXACT_UP_TO = 10_000;

const FOUND = `
  SELECT v.document_id::text, v.version, v.ordinal, (1 - v.distance)::float8 FROM (%s) AS v
  JOIN $S.documents AS d ON d.document_id = v.document_id AND d.searchable_version = v.version AND NOT d.removed
  WHERE d.tenant_id = p_tenant AND (p_collection IS NULL OR d.collection = p_collection)
    AND (p_filter IS NULL OR $S.matches_filter(d.metadata, d.about, p_filter))
  ORDER BY v.distance + 0, v.document_id, v.ordinal LIMIT p_limit`;

const found = (source: string): string => FOUND.replace("%s", source);

/**
 * The graph gives neighbours among which some are not visible, so it is asked for somewhat more than is wanted; where
 * that leaves too few, every vector of the tenant is compared. The answer is that of one statement, and so of one
 * snapshot: parts of two could show two versions of a document. The graph may give them a little out of order, or it
 * would leave out those that it meets late; `+ 0` keeps the planner from taking them for sorted.
 */
export function vectorFunctions(graph: boolean): string[] {
  const distance = "vector OPERATOR($X.<=>) p_vector::$X.vector";
  const all = `SELECT *, (${distance}) + 0 AS distance FROM $S.vectors_$R WHERE tenant_id = p_tenant`;
  const near = `SELECT *, ${distance} AS distance FROM $S.vectors_$R WHERE tenant_id = p_tenant
    ORDER BY ${distance} LIMIT p_limit * 2 + 32`;
  // Looked at last: what is retired is removed only after another serves.
  const stillServing = `PERFORM FROM $S.embedder_state WHERE serving IS NOT NULL
      AND serving <> (SELECT embedder_id FROM $S.embedders WHERE embedder_row = $R);
    IF FOUND THEN ${refuse("embedders")}; END IF;`;
  const viaGraph = `
    SELECT count(*) INTO v_count FROM (SELECT FROM $S.vectors_$R WHERE tenant_id = p_tenant LIMIT ${EXACT_UP_TO + 1}) AS few;
    IF v_count > ${EXACT_UP_TO} AND p_collection IS NULL AND p_filter IS NULL THEN
      PERFORM set_config('hnsw.ef_search', least(1000, greatest(100, p_limit * 2 + 32))::text, true);
      PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true);
      SELECT json_agg(hit) INTO v_near FROM (${found(near)}) AS hit (document_id, version, ordinal, score);
      IF json_array_length(v_near) = p_limit THEN
        RETURN QUERY SELECT * FROM json_to_recordset(v_near)
          AS hit (document_id text, version int, ordinal int, score float8);
        ${stillServing}
        RETURN;
      END IF;
    END IF;`;
  return [
    bodyFunction(
      "stage_vectors_$R",
      "p_tenant text, p_chunks json, p_vectors text[]",
      "void",
      "",
      `INSERT INTO $S.vectors_$R (document_id, version, ordinal, tenant_id, vector)
      SELECT value ->> 'document_id', (value ->> 'version')::int, (value ->> 'ordinal')::int, p_tenant,
        p_vectors[at]::$X.vector
      FROM json_array_elements(p_chunks) WITH ORDINALITY AS c (value, at) WHERE p_vectors[at] IS NOT NULL
      ON CONFLICT (document_id, version, ordinal) DO UPDATE SET vector = excluded.vector;
      DELETE FROM $S.vectors_$R USING json_array_elements(p_chunks) WITH ORDINALITY AS c (value, at)
      WHERE p_vectors[at] IS NULL AND document_id = value ->> 'document_id'
        AND version = (value ->> 'version')::int AND ordinal = (value ->> 'ordinal')::int;`,
    ),
    queryFunction(
      "nearest_exact_$R",
      "p_tenant text, p_collection text, p_filter jsonb, p_vector text, p_limit int",
      "TABLE (document_id text, version int, ordinal int, score float8)",
      "tenant",
      found(all),
    ),
    bodyFunction(
      "nearest_$R",
      "p_tenant text, p_collection text, p_filter jsonb, p_vector text, p_limit int",
      "TABLE (document_id text, version int, ordinal int, score float8)",
      "v_count int; v_near json;",
      `PERFORM set_config('sluice.tenant', p_tenant, true);
      ${graph ? viaGraph : ""}
      RETURN QUERY SELECT * FROM $S.nearest_exact_$R(p_tenant, p_collection, p_filter, p_vector, p_limit);
      ${stillServing}`,
    ),
  ];
}
