/**
 * A VectorIndex in memory: every search looks at every visible entry, so that its answers are exact. An entry is
 * visible when its version is the searchable one of a living document, which is what a commit flips.
 */
import { passageOf } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import { matchesFilter } from "../../filter.ts";
import type { IndexEntry, IndexHit, IndexScope, VectorIndex } from "../../ports/vector-index.ts";
import { namesOf, queryWordsOf, wordsOf } from "../keywords.ts";
import { embeddersOf } from "./embedders.ts";
import { stem } from "./english.ts";
import { requireLease } from "./job-changes.ts";
import { type IndexRow, livingDocument, type MemoryState, transact, versionRows } from "./state.ts";

export function createMemoryIndex(state: MemoryState, embedder_id: string): VectorIndex {
  const visible = (scope: IndexScope): IndexRow[] => {
    const rows: IndexRow[] = [];
    for (const { record, removed } of state.documents.values()) {
      if (removed || record.tenant_id !== scope.tenant_id || record.searchable_version === null) continue;
      if (scope.collection !== undefined && record.collection !== scope.collection) continue;
      if (scope.filter && !matchesFilter(record, scope.filter)) continue;
      rows.push(
        ...(state.rows.get(record.document_id)?.get(record.searchable_version)?.entries.values() ?? []),
      );
    }
    return rows;
  };

  return {
    embedder_id,
    under: async (embedder) => createMemoryIndex(state, embedder.embedder_id),

    stage: async (entries, lease) =>
      transact(state, (tx) => {
        if (lease) requireLease(state, lease);
        for (const entry of entries) {
          const { chunk_id, document_id, version } = entry.chunk;
          const rows = versionRows(state, tx, document_id, version);
          const vector = entry.vector.slice();
          tx.set(rows.entries, chunk_id, {
            entry: { ...entry, chunk: structuredClone(entry.chunk), vector },
            vectors: new Map([[embedder_id, vector]]),
          });
        }
      }),

    add: async (entries, lease) =>
      transact(state, (tx) => {
        if (lease) requireLease(state, lease);
        for (const { chunk, tenant_id, vector } of entries) {
          const { chunk_id, document_id, version } = chunk;
          if (livingDocument(state, tenant_id, document_id)?.searchable_version !== version) continue;
          const found = state.rows.get(document_id)?.get(version)?.entries;
          const row = found?.get(chunk_id);
          if (!found || !row) continue;
          const vectors = new Map([...row.vectors, [embedder_id, vector.slice()] as const]);
          tx.set(found, chunk_id, { ...row, vectors });
        }
      }),

    remove: async (tenant_id, document_id, version) =>
      transact(state, (tx) => {
        const rows = state.rows.get(document_id)?.get(version);
        for (const [chunk_id, { entry }] of [...(rows?.entries ?? [])]) {
          if (rows && entry.tenant_id === tenant_id) tx.delete(rows.entries, chunk_id);
        }
      }),

    nearest: async (scope, vector, limit) => {
      const { serving } = embeddersOf(state);
      if (serving !== null && serving !== embedder_id) {
        throw new SluiceError(
          "embedder_mismatch",
          `Searches go by vectors of ${serving} here, not by those of ${embedder_id}.`,
        );
      }
      const scored = visible(scope).flatMap(({ entry, vectors }) => {
        const own = vectors.get(embedder_id);
        return own ? [{ entry, score: cosine(own, vector) }] : [];
      });
      return best(scored, limit);
    },

    matching: async (scope, words, limit) =>
      best(
        bm25(
          visible(scope).map(({ entry }) => entry),
          queryWordsOf(words).map(toTerm),
        ),
        limit,
      ),

    close: async () => {},
  };
}

interface Scored {
  entry: IndexEntry;
  score: number;
}

function best(scored: Scored[], limit: number): IndexHit[] {
  return scored
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map(({ entry, score }) => ({
      chunk_id: entry.chunk.chunk_id,
      document_id: entry.chunk.document_id,
      version: entry.chunk.version,
      score,
    }));
}

/** Of a vector without length: 0. */
function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let place = 0; place < a.length; place += 1) {
    const [x, y] = [a[place] ?? 0, b[place] ?? 0];
    dot += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  const lengths = Math.sqrt(lengthA * lengthB);
  return lengths === 0 ? 0 : dot / lengths;
}

/** A word as it is compared: in small letters, without accents, an English one without its ending. */
function toTerm(word: string): string {
  return stem(
    word
      .normalize("NFKD")
      .replace(/\p{M}+/gu, "")
      .toLowerCase(),
  );
}

/**
 * Okapi BM25 with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
 * Entries without any of the words are left out.
 */
function bm25(entries: IndexEntry[], words: string[]): Scored[] {
  const wanted = new Set(words);
  const documents = entries.map((entry) => {
    const { chunk } = entry;
    const all = [passageOf(chunk), ...chunk.heading_path, namesOf(entry)].flatMap(wordsOf).map(toTerm);
    const counts = new Map<string, number>();
    for (const word of all) if (wanted.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
    return { entry, length: all.length, counts };
  });
  const averageLength = documents.reduce((sum, one) => sum + one.length, 0) / Math.max(1, documents.length);
  const holders = new Map<string, number>();
  for (const { counts } of documents) {
    for (const word of counts.keys()) holders.set(word, (holders.get(word) ?? 0) + 1);
  }
  return documents
    .filter(({ counts }) => counts.size > 0)
    .map(({ entry, length, counts }) => {
      let score = 0;
      for (const [word, count] of counts) {
        const held = holders.get(word) ?? 0;
        const rarity = Math.log(1 + (documents.length - held + 0.5) / (held + 0.5));
        score += (rarity * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / averageLength));
      }
      return { entry, score };
    });
}
