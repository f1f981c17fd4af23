/** Uploads past this server: ask, put the bytes into the store, confirm. */
import { z } from "zod";
import { metadataSchema } from "../../document.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { acceptedSchema, problems, uploadFieldsSchema } from "../schemas.ts";
import { answerUpload, toOptions } from "../upload-answer.ts";
import { cleanFilename } from "../upload-body.ts";

const tags = ["documents"];

const offerSchema = z
  .object({
    upload_id: z.string(),
    method: z.literal("PUT"),
    url: z.string().describe("where to send the bytes"),
    headers: z.record(z.string(), z.string()).describe("to be sent exactly so"),
    expires_at: z.iso.datetime(),
    confirm_url: z.string().describe("to be called when the store has answered 200"),
  })
  .meta({ id: "DirectUpload" });

export function directUploadRoutes(app: App, { beginUpload, offerDirectUpload }: AppDependencies): void {
  app.post(
    "/v1/direct-uploads",
    {
      schema: {
        tags,
        summary: "Ask for an upload straight to the store",
        description:
          "For large files: the bytes go from the client to the bucket and not through this server. Nothing is " +
          "ingested until the upload is confirmed.",
        body: z.strictObject({
          size_bytes: z.int().nonnegative(),
          sha256: z
            .string()
            .regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits")
            .optional()
            .describe("of the bytes: the store refuses any others, and the confirmation is answered at once"),
        }),
        response: {
          201: offerSchema,
          ...problems(
            "payload_too_large",
            "direct_upload_unavailable",
            "queue_full",
            "overloaded",
            "storage_full",
            "storage_unavailable",
          ),
        },
      },
    },
    async (request, reply) => {
      const offer = await offerDirectUpload(request.tenant_id, request.body);
      reply.code(201);
      return { ...offer, confirm_url: `/v1/direct-uploads/${offer.upload_id}/confirm` };
    },
  );

  app.post(
    "/v1/direct-uploads/:upload_id/confirm",
    {
      schema: {
        tags,
        summary: "Confirm that the bytes are in the store",
        description:
          "Makes them a document, as an upload does. Confirming again gives the same answer again. Without `sha256` in " +
          "the request before, the bytes are read once to know them.",
        params: z.object({ upload_id: z.string() }),
        body: uploadFieldsSchema.extend({
          metadata: metadataSchema.optional(),
          filename: z.string().max(1_000).optional().describe("default: `document`"),
          content_type: z.string().max(200).optional().describe("believed where bytes and name do not tell"),
        }),
        response: {
          200: acceptedSchema,
          202: acceptedSchema,
          ...problems(
            "not_found",
            "upload_incomplete",
            "payload_too_large",
            "direct_upload_unavailable",
            "unsupported_media_type",
            "idempotency_key_in_use",
            "idempotency_key_reused",
            "duplicate_content",
            "conflict",
            "queue_full",
            "overloaded",
            "storage_full",
            "storage_unavailable",
          ),
        },
      },
    },
    async (request, reply) => {
      const { upload_id } = request.params;
      const { filename, content_type, ...fields } = request.body;
      // The upload is its own Idempotency-Key: bytes that were confirmed are one document's, whoever asks again.
      const upload = await beginUpload(request.tenant_id, request.id, {
        idempotency_key: `direct-upload:${upload_id}`,
      });
      try {
        await upload.addStored(upload_id, {
          filename: cleanFilename(filename),
          ...(content_type === undefined ? {} : { declared_media_type: content_type }),
        });
        const { accepted, replayed } = await upload.accept(toOptions(fields));
        return answerUpload(accepted, replayed, request, reply);
      } finally {
        await upload.end();
      }
    },
  );
}
