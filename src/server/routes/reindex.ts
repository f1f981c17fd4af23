/** The reindex: of the whole installation, so of no tenant. */
import { reindexStatusSchema } from "../../reindex/reindex.ts";
import { requireOperator } from "../auth.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { problems } from "../schemas.ts";

const tags = ["operations"];
const description =
  "For operators, since the index is everybody's: with an operator's key, or on a server without keys. Elsewhere: `sluice reindex`.";

export function reindexRoutes(app: App, { reindex }: AppDependencies): void {
  app.addHook("onRequest", async (request) =>
    requireOperator(request, "Or run `sluice reindex` where the storage is."),
  );

  app.get(
    "/v1/reindex",
    {
      schema: {
        tags,
        summary: "Which embedder the index is of, and how far a reindex is",
        description,
        response: { 200: reindexStatusSchema, ...problems("storage_unavailable") },
      },
    },
    () => reindex.status(),
  );

  app.post(
    "/v1/reindex",
    {
      schema: {
        tags,
        summary: "Embed every document anew with the configured embedder",
        description: `Searches go by the old vectors until all is done. Joins a reindex under way. ${description}`,
        response: {
          202: reindexStatusSchema,
          ...problems(
            "reindex_under_way",
            "embedder_mismatch",
            "embedder_unavailable",
            "embedder_rejected",
            "storage_unavailable",
          ),
        },
      },
    },
    async (_request, reply) => {
      reply.code(202);
      return reindex.begin();
    },
  );

  app.delete(
    "/v1/reindex",
    {
      schema: {
        tags,
        summary: "Give a reindex up",
        description: `What serves goes on serving. Without effect when there is none. ${description}`,
        response: { 200: reindexStatusSchema, ...problems("storage_unavailable") },
      },
    },
    () => reindex.cancel(),
  );
}
