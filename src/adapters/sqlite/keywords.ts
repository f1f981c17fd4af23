/** The keyword half of a search, as SQL over FTS5. Synchronous: it runs on reader threads. */
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import { queryWordsOf } from "../keywords.ts";
import { tenantWord } from "./rows.ts";
import type { Sql } from "./schema.ts";
import { conditions, toHit, VISIBLE } from "./search-queries.ts";

/**
 * What a column counts: text, headings, names (`namesOf`), tenant. A heading's words stand in the text too, so that a hit there
 * counts 2.5 times (docs/decisions/0007-ranking.md).
 */
const WEIGHTS = "1.0, 1.5, 1.0, 0.0";

/** Every row that matches is scored: about a microsecond each. */
const MAX_ROWS = 30_000;
/** The rarest words are looked for whatever they cost. */
const MIN_WORDS = 2;
/** The newest rows, by which the others are judged. */
const SAMPLE = 20_000;

export function matching(sql: Sql, scope: IndexScope, words: string, limit: number): IndexHit[] {
  const wanted = affordable(sql, queryWordsOf(words).map(quote));
  if (wanted.length === 0) return [];
  const any = `{text headings filename} : (${wanted.join(" OR ")})`;
  const query = hasOtherTenants(sql, scope.tenant_id)
    ? `(tenant : ${tenantWord(scope.tenant_id)}) AND (${any})`
    : any;
  const { where, values } = conditions(scope);
  if (scope.collection === undefined && scope.filter === undefined) {
    // Entries not (or no longer) visible are few: of somewhat more than is asked for, enough are usually left.
    const depth = limit * 2 + 32;
    const best = sql(
      `WITH best AS MATERIALIZED (
         SELECT rowid AS chunk_row, rank FROM chunks_fts
         WHERE chunks_fts MATCH ? AND rank MATCH 'bm25(${WEIGHTS})' ORDER BY rank LIMIT ?
       )
       SELECT best.rank, chunks.document_id, chunks.version, chunks.ordinal,
         documents.tenant_id = ? AS visible
       FROM best LEFT JOIN chunks USING (chunk_row) LEFT ${VISIBLE}
       ORDER BY best.rank, chunks.document_id, chunks.ordinal`,
    ).all(query, depth, scope.tenant_id);
    const visible = best.filter((row) => row.visible === 1);
    if (visible.length >= limit || best.length < depth) return visible.slice(0, limit).map(toKeywordHit);
  }
  return sql(
    `SELECT bm25(chunks_fts, ${WEIGHTS}) AS rank, chunks.document_id, chunks.version, chunks.ordinal
     FROM chunks_fts JOIN chunks ON chunks.chunk_row = chunks_fts.rowid ${VISIBLE}
     WHERE chunks_fts MATCH ? AND ${where}
     ORDER BY rank, chunks.document_id, chunks.ordinal LIMIT ?`,
  )
    .all(query, ...values, limit)
    .map(toKeywordHit);
}

function toKeywordHit(row: Record<string, unknown>): IndexHit {
  return toHit(row, -(row.rank as number));
}

/**
 * The words without the most common ones, where all together would match more rows than a search has time for: those
 * tell the least, and cost the most.
 */
function affordable(sql: Sql, words: string[]): string[] {
  if (words.length <= MIN_WORDS) return words;
  const { newest } = sql("SELECT max(id) AS newest FROM chunks_fts_docsize").get() as {
    newest: number | null;
  };
  if (newest === null || newest <= MAX_ROWS) return words;
  const oldest = newest - SAMPLE;
  const count = sql("SELECT count(*) AS rows FROM chunks_fts WHERE chunks_fts MATCH ? AND rowid > ?");
  const costs = words.map((word) => ({
    word,
    rows: ((count.get(word, oldest) as { rows: number }).rows * newest) / SAMPLE,
  }));
  costs.sort((a, b) => a.rows - b.rows);
  let sum = 0;
  return costs
    .filter(({ rows }, place) => {
      sum += rows;
      return place < MIN_WORDS || sum <= MAX_ROWS;
    })
    .map(({ word }) => word);
}

/** Whether others have documents here: only then is it worth looking for the tenant's own word in every entry. */
function hasOtherTenants(sql: Sql, tenant_id: string): boolean {
  const ends = sql(
    `SELECT (SELECT min(tenant_id) FROM documents WHERE removed = 0) AS first,
       (SELECT max(tenant_id) FROM documents WHERE removed = 0) AS last`,
  ).get() as { first: string | null; last: string | null };
  return ends.first !== tenant_id || ends.last !== tenant_id;
}

/** No word means anything to FTS5's query language inside quotes. */
function quote(word: string): string {
  return `"${word}"`;
}
