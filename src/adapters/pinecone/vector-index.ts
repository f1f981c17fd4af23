/**
 * A VectorIndex on Pinecone. It holds vectors only: the words stay with the documents, and what may be shown is decided
 * there too. Pinecone knows no transactions, so every hit is checked against the document's searchable version.
 */
import { aboutNothing } from "../../about.ts";
import { SluiceError } from "../../errors.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import type { IndexEntry, VectorIndex } from "../../ports/vector-index.ts";
import { createPineconeClient, type PineconeClient, type PineconeClientOptions } from "./client.ts";
import { createNearest } from "./nearest.ts";
import { prefixOf, recordId, toBatches, toFields, toRecord } from "./records.ts";

export interface PineconeIndexOptions extends PineconeClientOptions {
  /** Put before the tenant in the name of its namespace, so that installations can share an index. Default none. */
  namespace_prefix?: string;
  embedder: { embedder_id: string; dimensions: number };
  /** Says what may be shown. */
  documents: Pick<DocumentStore, "getDocument" | "locateChunks" | "embedders">;
  /** Index of the words, in the same database as the documents; stays the caller's to close. */
  words: VectorIndex;
  /**
   * Milliseconds that `stage` and `remove` wait at most until queries see what they wrote; 0 doesn't wait. Once it is
   * over, what was staged is kept but may be found later than published. Default 10,000.
   */
  visible_wait_ms?: number;
}

/** Upserts and deletes under way at once for one call. */
const PARALLEL = 4;
/** Pinecone takes 1,000 ids in one delete. */
const DELETE_IDS = 1_000;
const FIRST_LOOK_MS = 25;
const SLOWEST_LOOK_MS = 1_000;

/**
 * @throws TypeError when the options make no sense; nothing is sent before the first call. Calls throw SluiceError
 *   `index_unavailable` for failures that may pass, `index_rate_limited` when Pinecone asked to slow down, and
 *   `index_rejected` for requests that it refuses.
 */
export function createPineconeIndex(options: PineconeIndexOptions): VectorIndex {
  return createIndexOver(createPineconeClient(options), options);
}

function createIndexOver(client: PineconeClient, options: PineconeIndexOptions): VectorIndex {
  const { embedder, documents, words, system } = options;
  const { namespace_prefix = "", visible_wait_ms = 10_000 } = options;
  const { embedder_id, dimensions } = embedder;
  const namespaceOf = (tenant_id: string) => `${namespace_prefix}${tenant_id}`;
  // Any vector asks how far the index has come.
  const probe = Array.from({ length: dimensions }, (_, place) => (place === 0 ? 1 : 0));

  /** Waits until queries of the namespace see the newest of these writes, or the time is over. */
  async function waitVisible(namespace: string, writes: readonly (number | undefined)[]): Promise<void> {
    const newest = Math.max(-1, ...writes.map((lsn) => lsn ?? -1));
    if (newest < 0) return;
    const end = system.monotonic() + visible_wait_ms;
    for (let pause = FIRST_LOOK_MS; system.monotonic() < end; pause = Math.min(pause * 2, SLOWEST_LOOK_MS)) {
      const seen = await client.indexedUpTo(namespace, probe);
      if (seen === undefined || seen >= newest) return;
      await system.sleep(Math.min(pause, Math.max(1, end - system.monotonic())));
    }
  }

  async function deleteIds(namespace: string, ids: readonly string[]): Promise<(number | undefined)[]> {
    const batches: string[][] = [];
    for (let from = 0; from < ids.length; from += DELETE_IDS)
      batches.push(ids.slice(from, from + DELETE_IDS));
    return inParallel(batches, (batch) => client.delete(namespace, batch));
  }

  /** @param beside whether to leave alone what was staged, and to add to searchable versions only */
  async function put(tenant_id: string, entries: readonly IndexEntry[], beside = false): Promise<void> {
    const namespace = namespaceOf(tenant_id);
    const records: string[] = [];
    const empty: string[] = [];
    for (const [document_id, own] of Map.groupBy(entries, ({ chunk }) => chunk.document_id)) {
      const document = await documents.getDocument(tenant_id, document_id);
      // Deleted meanwhile: nothing of it will be searchable.
      if (document === undefined) continue;
      const version = document.searchable_version;
      // The document tells only of its searchable version.
      const about = beside ? document.about : (own[0]?.about ?? aboutNothing);
      const fields = toFields({ metadata: document.metadata, about });
      for (const entry of own) {
        const { chunk } = entry;
        if (beside && chunk.version !== version) continue;
        const id = recordId(document_id, chunk.version, chunk.ordinal, beside ? embedder_id : undefined);
        // Pinecone refuses vectors without direction. What was staged there before goes.
        if (entry.vector.some((value) => value !== 0)) records.push(toRecord(id, entry, embedder_id, fields));
        else empty.push(id);
      }
    }
    const written = await inParallel(toBatches(records), (batch) => client.upsert(namespace, batch));
    const deleted = await deleteIds(namespace, empty);
    await waitVisible(namespace, [...written, ...deleted]);
  }

  const nearest = createNearest({ client, embedder_id, documents, system, namespaceOf });

  function requireLength(entries: readonly IndexEntry[]): void {
    const wrong = entries.find(({ vector }) => vector.length !== dimensions);
    if (wrong === undefined) return;
    throw new TypeError(`${wrong.chunk.chunk_id} has ${wrong.vector.length} dimensions, not ${dimensions}`);
  }

  return {
    embedder_id,
    separate: true,

    async under(other) {
      const { dimension = other.dimensions } = await client.stats();
      if (dimension !== other.dimensions) {
        throw new SluiceError(
          "embedder_mismatch",
          `${other.embedder_id} makes ${other.dimensions} dimensions, and the Pinecone index holds ${dimension}. Make an index for it, name that in SLUICE_PINECONE_HOST, restart and run \`sluice reindex\`; until that is done, searches go by words alone.`,
        );
      }
      return createIndexOver(client, { ...options, embedder: other, words: await words.under(other) });
    },

    async stage(entries, lease) {
      requireLength(entries);
      // First, because it checks the lease.
      await words.stage(entries, lease);
      for (const [tenant_id, own] of Map.groupBy(entries, (entry) => entry.tenant_id)) {
        await put(tenant_id, own);
      }
    },

    async add(entries, lease) {
      requireLength(entries);
      await words.add(entries, lease);
      for (const [tenant_id, own] of Map.groupBy(entries, (entry) => entry.tenant_id)) {
        await put(tenant_id, own, true);
      }
    },

    async remove(tenant_id, document_id, version) {
      await words.remove(tenant_id, document_id, version);
      const namespace = namespaceOf(tenant_id);
      const ids: string[] = [];
      for await (const page of client.list(namespace, prefixOf(document_id, version))) ids.push(...page);
      // Listed first as a whole: pages of a list that shrinks meanwhile could skip some.
      await waitVisible(namespace, await deleteIds(namespace, ids));
    },

    nearest,

    matching: (scope, text, limit) => words.matching(scope, text, limit),

    close: async () => client.close(),
  };
}

/** A few at a time. After a failure none begins any more, and it is thrown when those under way have ended. */
async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  const rest = items.values();
  const lane = async () => {
    for (const item of rest) {
      if (failures.length > 0) return;
      try {
        results.push(await act(item));
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
  return results;
}
