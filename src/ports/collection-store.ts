import type { CollectionSettings } from "../collection.ts";

/** Settings that a collection has of its own. */
export interface StoredCollection {
  collection: string;
  settings: CollectionSettings;
  /** ISO 8601. */
  updated_at: string;
}

export interface ListedCollection {
  collection: string;
  /** Living documents that it holds. */
  documents: number;
  /** Undefined where it has no settings of its own. */
  stored: StoredCollection | undefined;
}

/**
 * What collections are set to, in the same database as the documents. A collection is a name on documents and needs no
 * settings to exist; settings need no documents. A tenant MUST NOT see or change those of another.
 */
export interface CollectionStore {
  read(tenant_id: string, collection: string): Promise<StoredCollection | undefined>;
  /**
   * In place of what was stored. MUST resolve only when it would survive a power cut; every process MUST read it from
   * then on.
   */
  put(tenant_id: string, stored: StoredCollection): Promise<void>;
  /** Its settings are gone; its documents stay. @returns false when it had none */
  remove(tenant_id: string, collection: string): Promise<boolean>;
  /**
   * Those that have settings or hold a living document, by ascending name (in the order of code units), `after` and
   * what comes before it left out. SHOULD NOT read more documents than those of the collections that it answers.
   */
  list(tenant_id: string, after: string, limit: number): Promise<ListedCollection[]>;
  /** Living documents of the collection. */
  countDocuments(tenant_id: string, collection: string): Promise<number>;
}
