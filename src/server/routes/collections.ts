/** Collections: list, look at, set how their documents are cut, reset. */
import { z } from "zod";
import { collectionInputSchema } from "../../collection.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import {
  collectionParamsSchema,
  cursorSchema,
  limitSchema,
  nextCursorSchema,
  placeOf,
  problems,
  publicCollectionSchema,
  toCursor,
} from "../schemas.ts";

const tags = ["collections"];

export function collectionRoutes(app: App, { collections }: AppDependencies): void {
  app.get(
    "/v1/collections",
    {
      schema: {
        tags,
        summary: "List collections by name",
        description: "Every one that has settings of its own or holds a document.",
        querystring: z.strictObject({ limit: limitSchema, cursor: cursorSchema }),
        response: {
          200: z.object({ collections: z.array(publicCollectionSchema), next_cursor: nextCursorSchema }),
          ...problems(),
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? "" : placeOf(cursor);
      const found = await collections.list(request.tenant_id, after, limit + 1);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        collections: page,
        next_cursor: found.length > limit && last ? toCursor(last.collection) : null,
      };
    },
  );

  app.get(
    "/v1/collections/:collection",
    {
      schema: {
        tags,
        summary: "One collection with its settings",
        params: collectionParamsSchema,
        response: { 200: publicCollectionSchema, ...problems("not_found") },
      },
    },
    (request) => collections.get(request.tenant_id, request.params.collection),
  );

  app.put(
    "/v1/collections/:collection",
    {
      schema: {
        tags,
        summary: "Set how a collection's documents are cut into chunks",
        description:
          "All of its settings anew: what is null or left out is as the server is set, and an empty object resets " +
          "everything. It holds for documents that are ingested from then on; `POST /v1/documents/{document_id}/reingest` " +
          "applies it to one that is there already. An ingestion under way that has made its chunks keeps them.",
        params: collectionParamsSchema,
        body: collectionInputSchema,
        response: { 200: publicCollectionSchema, ...problems("storage_unavailable") },
      },
    },
    (request) => collections.put(request.tenant_id, request.params.collection, request.body),
  );

  app.delete(
    "/v1/collections/:collection",
    {
      schema: {
        tags,
        summary: "Remove a collection's settings",
        description: "Its documents stay; from then on they are cut as the server is set.",
        params: collectionParamsSchema,
        response: {
          204: z.null().describe("Its settings are gone."),
          ...problems("not_found", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      await collections.remove(request.tenant_id, request.params.collection);
      reply.code(204);
    },
  );
}
