/** What a client needs to know before it does anything: for whom it acts, and what this server takes. */
import { z } from "zod";
import { searchModes } from "../../search/search.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { problems } from "../schemas.ts";

export const sessionSchema = z
  .object({
    tenant_id: z.string().describe("whom the request acts for"),
    operator: z.boolean().describe("whether it may act for every tenant, by the header Sluice-Tenant"),
    key_id: z.string().nullable().describe("the key that it came with; null on a server without keys"),
    keys_required: z.boolean().describe("false on a server without keys, which answers this machine alone"),
    version: z.string().describe("of Sluice"),
    max_upload_bytes: z.int().positive(),
    media_types: z.array(z.string()).describe("of the files that can be read"),
    collections_default: z.literal("default").describe("where an upload goes that names no collection"),
    embedder_id: z.string().describe("whose vectors searches go by"),
    search_modes: z.array(z.enum(searchModes)),
    ocr_languages: z.array(z.string()).describe("in which pictures of text are read; empty: they are not"),
  })
  .meta({ id: "Session" });
export type Session = z.infer<typeof sessionSchema>;

export function sessionRoutes(
  app: App,
  { config, documents, extractor, embedder }: AppDependencies,
  version: string,
): void {
  app.get(
    "/v1/session",
    {
      schema: {
        tags: ["operations"],
        summary: "For whom the request acts, and what this server takes",
        response: { 200: sessionSchema, ...problems("storage_unavailable") },
      },
    },
    async ({ tenant_id, caller }): Promise<Session> => {
      const { serving } = await documents.embedders.read();
      return {
        tenant_id,
        operator: caller?.operator ?? false,
        key_id: caller?.key?.key_id ?? null,
        keys_required: caller?.key !== undefined,
        version,
        max_upload_bytes: config.max_upload_bytes,
        media_types: [...extractor.media_types].sort(),
        collections_default: "default",
        embedder_id: serving ?? embedder.embedder_id,
        search_modes: [...searchModes],
        ocr_languages: [...config.extract.ocr_languages],
      };
    },
  );
}
