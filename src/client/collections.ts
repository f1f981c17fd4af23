/** Collections and their settings. */
import type { CollectionInput, CollectionView } from "../collection.ts";
import type { PageQuery } from "./documents.ts";
import type { CallOptions, Http } from "./http.ts";

const pathOf = (collection: string) => `/v1/collections/${encodeURIComponent(collection)}`;

export function collectionMethods(http: Http) {
  return {
    /** By name: every one that has settings of its own or holds a document. */
    listCollections: ({ limit, cursor }: PageQuery = {}, { signal }: CallOptions = {}) =>
      http.json<{ collections: CollectionView[]; next_cursor: string | null }>("GET", "/v1/collections", {
        query: { limit, cursor },
        signal,
      }),
    getCollection: (collection: string, { signal }: CallOptions = {}) =>
      http.json<CollectionView>("GET", pathOf(collection), { signal }),
    /** Sets all of its settings anew, for the documents ingested from then on; `{}` resets everything. */
    putCollection: (collection: string, settings: CollectionInput, { signal }: CallOptions = {}) =>
      http.json<CollectionView>("PUT", pathOf(collection), { json: settings, signal }),
    /** Removes its settings; its documents stay. */
    async deleteCollection(collection: string, { signal }: CallOptions = {}): Promise<void> {
      await http.request("DELETE", pathOf(collection), { signal });
    },
  };
}
