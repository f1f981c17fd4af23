/** What a tenant sets for its collections, and looks at. */
import {
  type CollectionInput,
  type CollectionView,
  chunkingTrouble,
  collectionInputSchema,
  type ServerChunking,
  toSettings,
  toView,
} from "../collection.ts";
import { collectionSchema } from "../document.ts";
import { SluiceError } from "../errors.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

export interface CollectionDependencies {
  system: System;
  documents: DocumentStore;
  /** How this server cuts the documents of collections that set nothing themselves. */
  chunking: ServerChunking;
}

export interface Collections {
  /** @throws SluiceError not_found when it has no settings and holds no document */
  get(tenant_id: string, collection: string): Promise<CollectionView>;
  /** By name, those after `after`. */
  list(tenant_id: string, after: string, limit: number): Promise<CollectionView[]>;
  /**
   * Sets all of a collection's settings anew, for the documents that are ingested from then on: what is null or left
   * out is as the server is set.
   * @throws SluiceError invalid_request
   */
  put(tenant_id: string, collection: string, input: CollectionInput): Promise<CollectionView>;
  /** Its documents stay. @throws SluiceError not_found when it has no settings */
  remove(tenant_id: string, collection: string): Promise<void>;
}

export function createCollections({ system, documents, chunking }: CollectionDependencies): Collections {
  const { collections } = documents;
  return {
    async get(tenant_id, collection) {
      const [stored, count] = await Promise.all([
        collections.read(tenant_id, collection),
        collections.countDocuments(tenant_id, collection),
      ]);
      if (!stored && count === 0) {
        throw new SluiceError(
          "not_found",
          `There is no collection ${collection}: it has no settings and holds no document.`,
        );
      }
      return toView(collection, count, stored, chunking);
    },

    async list(tenant_id, after, limit) {
      const found = await collections.list(tenant_id, after, limit);
      return found.map(({ collection, documents: count, stored }) =>
        toView(collection, count, stored, chunking),
      );
    },

    async put(tenant_id, collection, input) {
      const name = collectionSchema.safeParse(collection);
      if (!name.success) throw new SluiceError("invalid_request", `collection: ${messageOf(name.error)}.`);
      const parsed = collectionInputSchema.safeParse(input);
      if (!parsed.success) throw new SluiceError("invalid_request", `${messageOf(parsed.error)}.`);
      const settings = toSettings(parsed.data);
      const trouble = chunkingTrouble(chunking, settings.chunking);
      if (trouble !== undefined) throw new SluiceError("invalid_request", trouble);
      const stored = { collection, settings, updated_at: new Date(system.now()).toISOString() };
      await collections.put(tenant_id, stored);
      return toView(collection, await collections.countDocuments(tenant_id, collection), stored, chunking);
    },

    async remove(tenant_id, collection) {
      if (await collections.remove(tenant_id, collection)) return;
      throw new SluiceError("not_found", `The collection ${collection} has no settings of its own.`);
    },
  };
}

function messageOf({ issues }: { issues: { path: PropertyKey[]; message: string }[] }): string {
  const first = issues[0];
  const where = first?.path.join(".") ?? "";
  return where === "" ? (first?.message ?? "") : `${where}: ${first?.message}`;
}
