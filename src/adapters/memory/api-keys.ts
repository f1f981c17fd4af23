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
    list: async (tenant_id) =>
      [...state.keys.values()]
        .filter((key) => tenant_id === undefined || key.tenant_id === tenant_id)
        .map((key) => ({ ...key })),
    revoke: async (key_id, tenant_id) => {
      if (tenant_id !== undefined && state.keys.get(key_id)?.tenant_id !== tenant_id) return false;
      return state.keys.delete(key_id);
    },
    removeExpired: async (tenant_id, before) => {
      for (const key of state.keys.values()) {
        if (key.tenant_id !== tenant_id || key.expires_at === null || key.expires_at >= before) continue;
        state.keys.delete(key.key_id);
      }
    },
    any: async () => state.keys.size > 0,
  };
}
