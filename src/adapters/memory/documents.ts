/** A DocumentStore in memory. */
import type { DocumentRecord } from "../../document.ts";
import {
  comparePlaces,
  countsOf,
  type DocumentPlace,
  directionOf,
  placeInList,
  textFinder,
} from "../../document-list.ts";
import { type SluiceEvent, stages } from "../../events.ts";
import { matchesFilter } from "../../filter.ts";
import type { DocumentSelection, DocumentStore } from "../../ports/document-store.ts";
import type { System } from "../../ports/system.ts";
import { blobsNamed, condemnBlobs } from "./blobs.ts";
import { createMemoryCollections } from "./collections.ts";
import { applyCommit } from "./commit.ts";
import { createMemoryEmbedders } from "./embedders.ts";
import { noticeClock } from "./job-changes.ts";
import { joinKey, livingDocument, type MemoryState, transact, type VersionRows, watch } from "./state.ts";

export function createMemoryDocuments(state: MemoryState, system: System): DocumentStore {
  /** Rows of a version, whether the document lives or was removed, of this tenant only. */
  const rowsOf = (tenant_id: string, document_id: string, version: number): VersionRows | undefined => {
    const owner = state.documents.get(document_id)?.record.tenant_id;
    if (owner !== undefined && owner !== tenant_id) return undefined;
    return state.rows.get(document_id)?.get(version);
  };
  const ownChunks = (tenant_id: string, document_id: string, version: number) =>
    [...(rowsOf(tenant_id, document_id, version)?.chunks.values() ?? [])]
      .filter((row) => row.tenant_id === tenant_id)
      .sort((a, b) => a.chunk.ordinal - b.chunk.ordinal);

  function selected(selection: DocumentSelection): DocumentRecord[] {
    const { tenant_id, collection, statuses, media_type, text, parent_document_id, filter } = selection;
    const hasText = text === undefined ? () => true : textFinder(text);
    const found: DocumentRecord[] = [];
    for (const { record, removed } of state.documents.values()) {
      if (removed || record.tenant_id !== tenant_id) continue;
      if (collection !== undefined && record.collection !== collection) continue;
      if (statuses !== undefined && !statuses.includes(record.status)) continue;
      if (media_type !== undefined && record.media_type !== media_type) continue;
      if (parent_document_id !== undefined && record.parent_document_id !== parent_document_id) continue;
      if (filter !== undefined && !matchesFilter(record, filter)) continue;
      if (hasText(record)) found.push(record);
    }
    return found;
  }

  return {
    embedders: createMemoryEmbedders(state),
    collections: createMemoryCollections(state),

    commit: async (commits) =>
      transact(state, (tx) => {
        const before = state.events.length;
        for (const commit of commits) applyCommit(state, tx, system.now(), commit);
        return state.events.length > before ? state.events.length : 0;
      }),

    getDocument: async (tenant_id, document_id) =>
      structuredClone(livingDocument(state, tenant_id, document_id)),

    findByContent: async (tenant_id, collection, sha256) => {
      const document_id = state.contents.get(joinKey(tenant_id, collection, sha256));
      return document_id === undefined
        ? undefined
        : structuredClone(livingDocument(state, tenant_id, document_id));
    },

    listDocuments: async ({ sort, order, before, limit, ...selection }) => {
      const direction = directionOf(sort, order);
      const compare = (a: DocumentPlace, b: DocumentPlace) => direction * comparePlaces(a, b);
      return selected(selection)
        .map((record) => ({ record, place: placeInList(record, sort) }))
        .filter(({ place }) => before === undefined || compare(before, place) < 0)
        .sort((a, b) => compare(a.place, b.place))
        .slice(0, limit)
        .map(({ record }) => structuredClone(record));
    },

    summarizeDocuments: async (selection) =>
      countsOf(selected(selection).map(({ status, media_type }) => ({ status, media_type, documents: 1 }))),

    listVersions: async (tenant_id, document_id) =>
      [...(state.versions.get(document_id)?.values() ?? [])]
        .filter((version) => version.tenant_id === tenant_id)
        .sort((a, b) => a.version - b.version)
        .map((version) => ({ ...version })),

    listCheckpoints: async (tenant_id, document_id, version) =>
      [...(rowsOf(tenant_id, document_id, version)?.checkpoints.values() ?? [])]
        .sort((a, b) => stages.indexOf(a.stage) - stages.indexOf(b.stage))
        .map((checkpoint) => structuredClone(checkpoint)),

    listChunks: async (tenant_id, document_id, version, from, limit) =>
      ownChunks(tenant_id, document_id, version)
        .filter((row) => row.chunk.ordinal >= from)
        .slice(0, limit)
        .map((row) => ({
          ...structuredClone(row.chunk),
          vector: row.vector?.slice() ?? null,
          embedder_id: row.embedder_id,
        })),

    firstUnembedded: async (tenant_id, document_id, version, embedder_id) => {
      const rows = ownChunks(tenant_id, document_id, version);
      return rows.find((row) => row.embedder_id !== embedder_id)?.chunk.ordinal ?? null;
    },

    locateChunks: async (tenant_id, chunk_ids) =>
      chunk_ids.flatMap((chunk_id) => {
        const place = state.chunkPlaces.get(chunk_id);
        const document = place && livingDocument(state, tenant_id, place.document_id);
        const row = place && state.rows.get(place.document_id)?.get(place.version)?.chunks.get(place.ordinal);
        return document && row ? [structuredClone({ chunk: row.chunk, document })] : [];
      }),

    findAnswer: async (tenant_id, key) => structuredClone(state.answers.get(joinKey(tenant_id, key))),

    readEvents: async ({ after, limit, tenant_id, document_id, correlation_id, collection }) => {
      const found: SluiceEvent[] = [];
      // The event with sequence n is the nth of the log.
      for (let place = Math.max(0, after); place < state.events.length && found.length < limit; place += 1) {
        const event = state.events[place] as SluiceEvent;
        if (tenant_id !== undefined && event.tenant_id !== tenant_id) continue;
        if (document_id !== undefined && event.document_id !== document_id) continue;
        if (correlation_id !== undefined && event.correlation_id !== correlation_id) continue;
        if (collection !== undefined && event.collection !== collection) continue;
        found.push(structuredClone(event));
      }
      return found;
    },

    lastSequence: async () => state.events.length,

    watchEvents: (listener) => watch(state.eventListeners, listener),

    getCursor: async (name) => state.cursors.get(name) ?? 0,

    hold: async (name, until) => {
      state.holds.set(name, Math.max(until, state.holds.get(name) ?? 0));
    },

    heldUntil: async (name) => state.holds.get(name) ?? 0,
    lead: async (task, holder, ms) => {
      const now = system.now();
      noticeClock(state, now);
      const current = state.leads.get(task);
      const free = !current || current.holder === holder || current.until <= now;
      if (free && ms > 0) state.leads.set(task, { holder, until: now + ms });
      else if (current?.holder === holder) state.leads.delete(task);
      return free && ms > 0;
    },

    saveCursor: async (name, sequence) => {
      state.cursors.set(name, sequence);
    },

    referencedBlobs: async (keys) => blobsNamed(state, keys),
    condemnBlobs: async (keys) => transact(state, (tx) => condemnBlobs(state, tx, keys)),

    close: async () => {},
  };
}
