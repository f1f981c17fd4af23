/** Query → hits: embeds the query, asks the index, joins the halves and reads what was found. */
import { z } from "zod";
import { chunkSchema } from "../chunk.ts";
import { collectionSchema, documentSchema } from "../document.ts";
import { SluiceError } from "../errors.ts";
import { searchFilterSchema } from "../filter.ts";
import type { DocumentStore, LocatedChunk } from "../ports/document-store.ts";
import type { Log } from "../ports/log.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { IndexScope, VectorIndex } from "../ports/vector-index.ts";
import { type EmbedderParts, embedderForQueries, type InForce } from "../reindex/in-force.ts";
import { alone, byScore, fuse, type Half, type MatchedHit, matchSchema } from "./fuse.ts";
import { createReordering } from "./rerank.ts";
import { expandHits, sectionSchema } from "./sections.ts";

export const searchModes = ["hybrid", "vector", "keyword"] as const;
export const searchModeSchema = z
  .enum(searchModes)
  .describe("vector: by meaning; keyword: by words; hybrid: both, their scores joined");
export type SearchMode = (typeof searchModes)[number];

export const searchRequestSchema = z.strictObject({
  query: z.string().trim().min(1).max(2_000),
  collection: collectionSchema.optional().describe("search only here; default: everywhere"),
  filter: searchFilterSchema
    .optional()
    .describe(
      "conditions on the documents' metadata, and on their title, author, authored_at, modified_at, language and page_count",
    ),
  top_k: z.int().min(1).max(100).default(10).describe("the most hits to answer"),
  mode: searchModeSchema.default("hybrid"),
  expand: z
    .enum(["section"])
    .optional()
    .describe(
      "answer with each hit the text of the section around it; hits of one section become the best of them",
    ),
  rerank: z
    .boolean()
    .default(true)
    .describe("whether the server's reranker, where it has one, puts the best hits in order"),
});
/** `top_k`, `mode` and `rerank` may be left out. */
export type SearchRequest = z.input<typeof searchRequestSchema>;
type Asked = z.output<typeof searchRequestSchema>;

export const searchHitSchema = z.object({
  document_id: documentSchema.shape.document_id,
  chunk_id: chunkSchema.shape.chunk_id,
  version: chunkSchema.shape.version,
  text: chunkSchema.shape.text,
  score: z.number().describe("higher is better; compares only within one answer"),
  match: matchSchema,
  header: chunkSchema.shape.header,
  page: chunkSchema.shape.page,
  sheet: chunkSchema.shape.sheet,
  row_start: chunkSchema.shape.row_start,
  row_end: chunkSchema.shape.row_end,
  char_start: chunkSchema.shape.char_start,
  char_end: chunkSchema.shape.char_end,
  heading_path: chunkSchema.shape.heading_path,
  section: sectionSchema.optional().describe("where the request asked for it"),
  metadata: documentSchema.shape.metadata,
  about: documentSchema.shape.about,
  filename: documentSchema.shape.filename,
  collection: documentSchema.shape.collection,
  media_type: documentSchema.shape.media_type,
  parent_document_id: documentSchema.shape.parent_document_id,
});
export type SearchHit = z.infer<typeof searchHitSchema>;

export const searchAnswerSchema = z.object({
  hits: z.array(searchHitSchema).describe("best first"),
  mode: searchModeSchema,
  embedder_id: z.string().nullable().describe("whose vectors were compared; null in mode keyword"),
  reranked: z
    .boolean()
    .describe("whether a reranker gave the order and the scores; false too where it failed or took too long"),
});
export type SearchAnswer = z.infer<typeof searchAnswerSchema>;

export interface Search {
  /**
   * The answer never holds chunks of two versions of one document (G13), and the same search over the same documents
   * gives the same hits in the same order. A query without a letter or digit matches nothing by keyword.
   *
   * @param request checked here, so callers may pass on what they were given
   * @throws SluiceError `invalid_request`; in the modes hybrid and vector also `embedder_mismatch` when the index was
   *   made by an embedder that the settings don't give, and what `Embedder.embed` throws; the signal's reason when it
   *   fires
   */
  search(tenant_id: string, request: SearchRequest, signal?: AbortSignal): Promise<SearchAnswer>;
}

/** The share of the vectors in a hybrid score, chosen by `npm run eval` (docs/decisions/0007-ranking.md). */
const VECTOR_WEIGHT = 0.4;
/** Each half finds at least so many: what one ranks low the other may lift. */
const MIN_DEPTH = 100;

/** Tokens of a section that is answered around a hit, unless the composition says otherwise. */
const SECTION_TOKENS = 1_024;
/** So many hits for each one wanted are looked at where those of one section become one. */
const MERGED = 4;

/** Searches again this often when documents were published while it ran. */
const MAX_REPEATS = 3;

export function createSearch(
  parts: EmbedderParts & {
    documents: Pick<DocumentStore, "locateChunks" | "listChunks">;
    reranker?: Reranker;
    /** How many of the best hits the reranker is given, and how long a search waits for it. */
    reranking?: { candidates: number; timeout_ms: number };
    /** The most tokens of a section that is answered around a hit. Default 1,024. */
    section_tokens?: number;
    log?: Pick<Log, "warn">;
  },
): Search {
  const { section_tokens = SECTION_TOKENS } = parts;
  const { documents, reranker, reranking = { candidates: 32, timeout_ms: 2_000 } } = parts;
  const reorder = reranker && createReordering(reranker, reranking.timeout_ms, parts.log);
  let known: InForce | undefined;

  /** The embedder that serves, as far as this process knows; the index refuses the question where that is over. */
  async function inForce(): Promise<InForce> {
    known ??= await embedderForQueries(parts);
    return known;
  }

  /** One look at the index: the candidates, best first, and whether they are of one version per document. */
  async function rank(
    index: VectorIndex,
    scope: IndexScope,
    mode: SearchMode,
    query: string,
    vector: Float32Array | undefined,
    depth: number,
  ): Promise<{ ranked: MatchedHit[]; mixed: boolean }> {
    const byWords = mode !== "vector" && /[\p{L}\p{N}]/u.test(query);
    // An all-zero vector is near to nothing: its cosine with anything is undefined.
    const byVector = vector?.some((value) => value !== 0) ? vector : undefined;
    const [near, matched] = await Promise.all([
      byVector ? index.nearest(scope, byVector, depth) : [],
      byWords ? index.matching(scope, query, depth) : [],
    ]);
    // In one order where an index has equals in any, so that the same search gives the same ranks.
    const [byMeaning, byTerms] = [near.toSorted(byScore), matched.toSorted(byScore)];
    const halves: Half[] = [
      { name: "vector", hits: byMeaning, weight: VECTOR_WEIGHT },
      { name: "keyword", hits: byTerms, weight: 1 - VECTOR_WEIGHT },
    ];
    const ranked =
      mode === "hybrid" ? fuse(halves, depth) : alone(mode, mode === "vector" ? byMeaning : byTerms);
    return { ranked, mixed: hasMixedVersions(ranked) };
  }

  async function search(
    tenant_id: string,
    request: SearchRequest,
    signal?: AbortSignal,
  ): Promise<SearchAnswer> {
    const parsed = searchRequestSchema.safeParse(request);
    if (!parsed.success) throw new SluiceError("invalid_request", z.prettifyError(parsed.error));
    const { query, collection, filter, top_k, mode, rerank, expand } = parsed.data;
    const scope: IndexScope = {
      tenant_id,
      ...(collection === undefined ? {} : { collection }),
      ...(filter === undefined ? {} : { filter }),
    };
    for (let round = 1; ; round++) {
      signal?.throwIfAborted();
      try {
        return await look(scope, { query, top_k, mode, rerank, expand }, signal);
      } catch (error) {
        // Another embedder has taken over since this process asked, or while it searched: once more, by that one.
        const over = error instanceof SluiceError && error.code === "embedder_mismatch";
        if (!over || !known || round > MAX_REPEATS) throw error;
        known = undefined;
      }
    }
  }

  async function look(
    scope: IndexScope,
    { query, top_k, mode, rerank, expand }: Pick<Asked, "query" | "top_k" | "mode" | "rerank" | "expand">,
    signal: AbortSignal | undefined,
  ): Promise<SearchAnswer> {
    const { tenant_id } = scope;
    const under = mode === "keyword" ? undefined : await inForce();
    const index = under?.index ?? parts.index;
    const vector = (await under?.embedder.embed([query], "query", signal))?.[0];
    // Deeper than asked for: what one half ranks low the other may lift, and stale candidates may drop out.
    const depth = Math.max(MIN_DEPTH, top_k * 4);
    // More than are answered: what the reranker lifts has to be among what it is given.
    const reranked = reorder && rerank ? Math.max(top_k, reranking.candidates) : 0;
    const wanted = Math.max(reranked, expand === undefined ? top_k : MERGED * top_k);
    for (let repeat = 0; ; repeat++) {
      const last = repeat === MAX_REPEATS;
      const { ranked, mixed } = await rank(index, scope, mode, query, vector, Math.max(depth, wanted));
      signal?.throwIfAborted();
      // The halves saw the index before and after a publish: the document's old and new chunks share its rank.
      if (mixed && !last) continue;
      const candidates = last ? ranked : ranked.slice(0, wanted);
      const located = await documents.locateChunks(
        tenant_id,
        candidates.map((hit) => hit.chunk_id),
      );
      signal?.throwIfAborted();
      const hits = toHits(candidates, located);
      // Fewer: chunks were replaced or deleted after the index found them.
      if (hits.length < candidates.length && !last) continue;
      const reordered =
        reorder && rerank ? await reorder(tenant_id, query, hits.slice(0, reranked), signal) : undefined;
      const best = reordered ?? hits;
      const places = new Map(located.map((place) => [place.chunk.chunk_id, place]));
      const limits = { top_k, max_tokens: section_tokens };
      const found = ({ chunk_id }: SearchHit) => {
        const { chunk, document } = places.get(chunk_id) as LocatedChunk;
        return { chunk, chunks: document.chunks_created };
      };
      return {
        hits: expand ? await expandHits(documents, tenant_id, best, found, limits) : best.slice(0, top_k),
        mode,
        embedder_id: under?.embedder.embedder_id ?? null,
        reranked: reordered !== undefined,
      };
    }
  }

  return { search };
}

function hasMixedVersions(hits: MatchedHit[]): boolean {
  const versions = new Map<string, number>();
  return hits.some((hit) => {
    const seen = versions.get(hit.document_id);
    versions.set(hit.document_id, hit.version);
    return seen !== undefined && seen !== hit.version;
  });
}

/** The candidates that are of the searchable version in the one snapshot that `located` was read from. */
function toHits(candidates: MatchedHit[], located: LocatedChunk[]): SearchHit[] {
  const byId = new Map(located.map((item) => [item.chunk.chunk_id, item]));
  return candidates.flatMap(({ chunk_id, version, score, match }) => {
    const found = byId.get(chunk_id);
    if (found === undefined) return [];
    const { chunk, document } = found;
    if (chunk.version !== version || document.searchable_version !== version) return [];
    const { document_id, text, header, page, sheet, row_start, row_end } = chunk;
    const { char_start, char_end, heading_path } = chunk;
    const { metadata, about, filename, collection, media_type, parent_document_id } = document;
    return [
      {
        document_id,
        chunk_id,
        version,
        text,
        score,
        match,
        header,
        page,
        sheet,
        row_start,
        row_end,
        char_start,
        char_end,
        heading_path,
        metadata,
        about,
        filename,
        collection,
        media_type,
        parent_document_id,
      },
    ];
  });
}
