/** Settings of collections, in memory. */
import type { CollectionStore } from "../../ports/collection-store.ts";
import { joinKey, type MemoryState } from "./state.ts";

export function createMemoryCollections(state: MemoryState): CollectionStore {
  const living = (tenant_id: string) =>
    [...state.documents.values()].filter(({ record, removed }) => !removed && record.tenant_id === tenant_id);
  const read = (tenant_id: string, collection: string) =>
    structuredClone(state.collections.get(joinKey(tenant_id, collection)));

  return {
    read: async (tenant_id, collection) => read(tenant_id, collection),

    put: async (tenant_id, stored) => {
      state.collections.set(joinKey(tenant_id, stored.collection), structuredClone(stored));
    },

    remove: async (tenant_id, collection) => state.collections.delete(joinKey(tenant_id, collection)),

    list: async (tenant_id, after, limit) => {
      const held = Map.groupBy(living(tenant_id), ({ record }) => record.collection);
      const set = [...state.collections]
        .filter(([key]) => key.startsWith(joinKey(tenant_id, "")))
        .map(([, { collection }]) => collection);
      return [...new Set([...held.keys(), ...set])]
        .filter((collection) => collection > after)
        .sort()
        .slice(0, limit)
        .map((collection) => ({
          collection,
          documents: held.get(collection)?.length ?? 0,
          stored: read(tenant_id, collection),
        }));
    },

    countDocuments: async (tenant_id, collection) =>
      living(tenant_id).filter(({ record }) => record.collection === collection).length,
  };
}
