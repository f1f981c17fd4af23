/** Search. */
import { searchAnswerSchema, searchRequestSchema } from "../../search/search.ts";
import { signalOf } from "../client-gone.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { problems } from "../schemas.ts";

export function searchRoutes(app: App, { search }: AppDependencies): void {
  app.post(
    "/v1/search",
    {
      schema: {
        tags: ["search"],
        summary: "Search",
        description:
          "Hits cite their place: document, page or sheet and rows, character offsets into the document's text, headings above. With `expand`, each brings the section that it stands in.",
        body: searchRequestSchema,
        response: {
          200: searchAnswerSchema,
          ...problems("payload_too_large", "embedder_mismatch", "embedder_unavailable", "embedder_rejected"),
        },
      },
    },
    async (request, reply) => search.search(request.tenant_id, request.body, signalOf(reply)),
  );
}
