/** The search half: asks for more than is wanted, until enough of it may be shown. */
import { SluiceError } from "../../errors.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import type { System } from "../../ports/system.ts";
import type { IndexHit, IndexScope } from "../../ports/vector-index.ts";
import type { Match, PineconeClient } from "./client.ts";
import { pushDown } from "./filter.ts";
import { toNumbers } from "./records.ts";
import { type Candidate, isVisible, readDocuments, showBest, toCandidates } from "./visible.ts";

/** The least that is asked for: a few leftovers of old versions then cost no second query. */
const LEAST_TOP_K = 100;
/** Pinecone's limit. */
const MOST_TOP_K = 10_000;
/** How deep a search with a filter looks for documents whose metadata changed since their vectors were staged. */
const CHANGED_TOP_K = 1_000;
/** A document changed so short before a query may have been published while it ran; clocks differ by less. */
const RECENT_MS = 10_000;
/** Looks again so often when documents are published all the while. */
const MAX_REPEATS = 10;

export interface NearestParts {
  client: Pick<PineconeClient, "query">;
  embedder_id: string;
  documents: Pick<DocumentStore, "locateChunks" | "embedders">;
  system: System;
  namespaceOf: (tenant_id: string) => string;
}

export function createNearest({ client, embedder_id, documents, system, namespaceOf }: NearestParts) {
  /** Vectors of an embedder that doesn't serve may be there for a part of the documents only. */
  async function refuseOthers(): Promise<void> {
    const { serving } = await documents.embedders.read();
    if (serving === null || serving === embedder_id) return;
    throw new SluiceError(
      "embedder_mismatch",
      `Searches go by vectors of ${serving} here, not by those of ${embedder_id}.`,
    );
  }

  return async function nearest(scope: IndexScope, asked: Float32Array, limit: number): Promise<IndexHit[]> {
    if (limit < 1 || !asked.some((value) => value !== 0)) return [];
    const { tenant_id, collection, filter } = scope;
    const namespace = namespaceOf(tenant_id);
    const vector = toNumbers(asked);
    const base: object[] = collection === undefined ? [] : [{ collection: { $eq: collection } }];
    const own = [{ embedder_id: { $eq: embedder_id } }, ...base];
    const pushed = filter === undefined ? undefined : pushDown(filter);

    const ask = async (top_k: number, conditions: object[]): Promise<{ matches: Match[]; all: boolean }> => {
      const matches = await client.query(namespace, { vector, top_k, filter: { $and: conditions } });
      return { matches, all: matches.length < top_k };
    };

    /**
     * One query or two: a record holds the document's metadata as they were when it was staged, so those that fit now
     * and did not then are looked for without that part of the filter, among the nearest.
     */
    const look = async (top_k: number): Promise<{ candidates: Candidate[]; all: boolean }> => {
      if (pushed === undefined) {
        const { matches, all } = await ask(top_k, own);
        return { candidates: toCandidates(matches), all: all || top_k >= MOST_TOP_K };
      }
      const changed_top_k = Math.min(top_k, CHANGED_TOP_K);
      const [fitting, near] = await Promise.all([ask(top_k, [...own, ...pushed]), ask(changed_top_k, own)]);
      return {
        candidates: toCandidates([...fitting.matches, ...near.matches]),
        all: (fitting.all || top_k >= MOST_TOP_K) && (near.all || changed_top_k >= CHANGED_TOP_K),
      };
    };

    let top_k = Math.min(MOST_TOP_K, Math.max(LEAST_TOP_K, limit * 2));
    let before: ReadonlyMap<string, number | null> = new Map();
    let lostBefore: ReadonlySet<string> = new Set();
    for (let repeat = 0; ; ) {
      const began = system.now();
      const { candidates, all } = await look(top_k);
      const found = await readDocuments(documents, tenant_id, candidates);
      // Published while the query ran: it may have seen a part of the new version, or none. The next query sees all.
      const unsettled = candidates.some(({ document_id, version }) => {
        const document = found.get(document_id);
        if (document === undefined || before.get(document_id) === document.searchable_version) return false;
        const replaced = document.searchable_version !== null && version < document.searchable_version;
        return replaced || Date.parse(document.updated_at) >= began - RECENT_MS;
      });
      before = new Map([...found].map(([id, document]) => [id, document.searchable_version]));
      if (unsettled && repeat < MAX_REPEATS) {
        repeat += 1;
        continue;
      }
      const visible = candidates.filter((one) => isVisible(one, found.get(one.document_id), scope));
      const { hits, lost } = await showBest(documents, scope, visible, limit);
      // Published or deleted between the two looks. What is lost twice has no chunk, and never will.
      const news = lost.some((chunk_id) => !lostBefore.has(chunk_id));
      lostBefore = new Set(lost);
      if (news && repeat < MAX_REPEATS) {
        repeat += 1;
        continue;
      }
      if (hits.length < limit && !all) {
        top_k = Math.min(MOST_TOP_K, top_k * 4);
        continue;
      }
      await refuseOthers();
      return hits;
    }
  };
}
