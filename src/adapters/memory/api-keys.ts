/** An ApiKeyStore in memory. */
import type { ApiKeyStore } from "../../ports/api-key-store.ts";
import type { MemoryState } from "./state.ts";

export function createMemoryKeys(state: MemoryState): ApiKeyStore {
  return {
    add: async (key) => {
      state.keys.set(key.key_id, { ...key });
    },
    findByHash: async (hash) => {
      for (const key of state.keys.values()) if (key.hash === hash) return { ...key };
      return undefined;
    },
    list: async () => [...state.keys.values()].map((key) => ({ ...key })),
    revoke: async (key_id) => state.keys.delete(key_id),
    any: async () => state.keys.size > 0,
  };
}
