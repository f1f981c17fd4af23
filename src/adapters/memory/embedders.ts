/** Which embedder's vectors are searched, and what lacks those of the next, in memory. */
import type { DocumentRecord } from "../../document.ts";
import { type Commit, ConflictError } from "../../ports/document-store.ts";
import type {
  EmbedderRegister,
  EmbeddersInForce,
  RegisteredEmbedders,
} from "../../ports/embedder-register.ts";
import { livingDocument, type MemoryState, type Transaction, transact } from "./state.ts";

const KEY = "in force";
const none: RegisteredEmbedders = {
  serving: null,
  target: null,
  began_at: null,
  listed_to: null,
  retired: [],
};

export function embeddersOf(state: MemoryState): RegisteredEmbedders {
  return state.embedders.get(KEY) ?? none;
}

export function requireEmbedders(state: MemoryState, { serving, target }: EmbeddersInForce): void {
  const known = embeddersOf(state);
  if (known.serving !== serving || known.target !== target) throw new ConflictError("embedders");
}

export function putIndexed(
  state: MemoryState,
  tx: Transaction,
  tenant_id: string,
  { document_id, version, embedder_id }: NonNullable<Commit["indexed"]>,
): void {
  if (livingDocument(state, tenant_id, document_id)?.searchable_version !== version) return;
  const rows = state.rows.get(document_id)?.get(version);
  if (rows) tx.set(rows.indexed, embedder_id, true);
  const known = embeddersOf(state);
  if (known.serving === null) tx.set(state.embedders, KEY, { ...known, serving: embedder_id });
}

export function createMemoryEmbedders(state: MemoryState): EmbedderRegister {
  const searchable = (): DocumentRecord[] =>
    [...state.documents.values()]
      .filter(({ record, removed }) => !removed && record.searchable_version !== null)
      .map(({ record }) => record)
      .sort((a, b) => (a.document_id < b.document_id ? -1 : 1));
  const lacking = (embedder_id: string) =>
    searchable().filter(({ document_id, searchable_version }) => {
      const rows = state.rows.get(document_id)?.get(searchable_version as number);
      return !rows?.indexed.has(embedder_id);
    });
  const put = (tx: Transaction, change: Partial<RegisteredEmbedders>) =>
    tx.set(state.embedders, KEY, { ...embeddersOf(state), ...change });
  const idle = { target: null, began_at: null, listed_to: null };
  const retire = (...embedder_ids: (string | null)[]) => [
    ...new Set([...embeddersOf(state).retired, ...embedder_ids.filter((id) => id !== null)]),
  ];

  return {
    read: async () => structuredClone(embeddersOf(state)),

    begin: async (embedder_id, began_at) =>
      transact(state, (tx) => {
        const { target, retired, ...known } = embeddersOf(state);
        if (target !== null && target !== embedder_id) throw new ConflictError("embedders");
        put(tx, {
          target: embedder_id,
          began_at: target === null ? began_at : known.began_at,
          listed_to: null,
          retired: retired.filter((id) => id !== embedder_id),
        });
      }),

    listed: async (embedder_id, document_id) =>
      transact(state, (tx) => {
        if (embeddersOf(state).target === embedder_id) put(tx, { listed_to: document_id });
      }),

    lacking: async (embedder_id, from, limit) =>
      lacking(embedder_id)
        .filter(({ document_id }) => document_id >= from)
        .slice(0, limit)
        .map(({ tenant_id, document_id }) => ({ tenant_id, document_id })),

    count: async (embedder_id) => ({
      documents: searchable().length,
      lacking: lacking(embedder_id).length,
    }),

    finish: async (embedder_id) =>
      transact(state, (tx) => {
        const { target, serving } = embeddersOf(state);
        if (target !== embedder_id || lacking(embedder_id).length > 0) return false;
        const retired = serving === embedder_id ? retire() : retire(serving);
        put(tx, { ...idle, serving: embedder_id, retired });
        return true;
      }),

    cancel: async (embedder_id) =>
      transact(state, (tx) => {
        const { target, serving } = embeddersOf(state);
        if (target !== embedder_id) return false;
        put(tx, { ...idle, retired: serving === embedder_id ? retire() : retire(embedder_id) });
        return true;
      }),

    removeRetired: async () =>
      transact(state, (tx) => {
        const { retired } = embeddersOf(state);
        for (const versions of state.rows.values()) {
          for (const rows of versions.values()) {
            for (const embedder_id of retired) tx.delete(rows.indexed, embedder_id);
            for (const [chunk_id, row] of rows.entries) {
              const vectors = new Map([...row.vectors].filter(([id]) => !retired.includes(id)));
              if (vectors.size < row.vectors.size) tx.set(rows.entries, chunk_id, { ...row, vectors });
            }
          }
        }
        put(tx, { retired: [] });
        return false;
      }),
  };
}
