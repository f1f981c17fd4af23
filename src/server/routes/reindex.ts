/** The reindex: of the whole installation, so of no tenant. */
import { reindexStatusSchema } from "../../reindex/reindex.ts";
import type { Authenticator } from "../auth.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { problems } from "../schemas.ts";

const tags = ["operations"];
const description =
  "Only on a server without API keys: a key speaks for one tenant, and the index is everybody's. Elsewhere: `sluice reindex`.";

export function reindexRoutes(app: App, { reindex }: AppDependencies, authenticator: Authenticator): void {
  app.addHook("onRequest", () => authenticator.requireOperator());

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
