/** Resumable uploads: tus 1.0.0, and a look at one as JSON. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { SluiceError } from "../../errors.ts";
import { isId } from "../../ids.ts";
import { lockName, type NewUpload } from "../../intake/resumable-upload.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { invalidFields, linger } from "../error-handler.ts";
import { acceptedSchema, problems, uploadFieldsSchema } from "../schemas.ts";
import { answerTus, TUS_VERSION, UPLOADS_PATH } from "../tus.ts";
import { toOptions, withUrls } from "../upload-answer.ts";
import { cleanFilename } from "../upload-body.ts";

const tags = ["documents"];
const params = z.object({ upload_id: z.string() });

/** What Upload-Metadata may hold, decoded. */
const tusFieldsSchema = uploadFieldsSchema.extend({
  filename: z.string().max(1_000).optional(),
  media_type: z.string().max(200).optional(),
  filetype: z.string().max(200).optional(),
});

export const uploadStateSchema = z
  .object({
    upload_id: z.string(),
    filename: z.string(),
    size_bytes: z.int().nonnegative(),
    offset: z.int().nonnegative().describe("bytes that are here"),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().describe("when it is removed, unless more comes"),
    accepted: acceptedSchema.nullable().describe("what became of it, once all its bytes are here"),
  })
  .meta({ id: "ResumableUpload" });

const version = z.string().optional().describe(`\`${TUS_VERSION}\``);
const creationHeaders = z.looseObject({
  "tus-resumable": version,
  "upload-length": z.string().optional().describe("bytes of the whole file"),
  "upload-metadata": z
    .string()
    .optional()
    .describe(
      "pairs of a key and its value in Base64, separated by commas: `filename`, `media_type` (or `filetype`), and the " +
        "fields of `POST /v1/documents`",
    ),
});
const writingHeaders = z.looseObject({
  "tus-resumable": version,
  "upload-offset": z.string().optional().describe("where these bytes go on: what `HEAD` answers"),
});

const nothing = (text: string) => z.null().describe(text);
const refusals = ["not_found", "upload_expired", "upload_in_use", "tus_version_unsupported"] as const;
const writing = [
  ...refusals,
  "upload_offset_mismatch",
  "upload_incomplete",
  "payload_too_large",
  "unsupported_media_type",
  "idempotency_key_in_use",
  "idempotency_key_reused",
  "duplicate_content",
  "conflict",
  "queue_full",
  "overloaded",
  "storage_full",
  "storage_unavailable",
] as const;

export function uploadRoutes(app: App, dependencies: AppDependencies, stopping: AbortSignal): void {
  app.register(async (tus: App) => tusRoutes(tus, dependencies, stopping));
  const { resumableUploads: uploads, uploadLocks } = dependencies;

  app.get(
    `${UPLOADS_PATH}/:upload_id`,
    {
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: "Where a resumable upload stands",
        description: "Disturbs no request that writes to it.",
        params,
        response: { 200: uploadStateSchema, ...problems(...writing) },
      },
    },
    async (request) => {
      const { tenant_id } = request;
      const { upload_id } = request.params;
      let state = await uploads.look(tenant_id, upload_id);
      if (!state.accepted && state.offset === state.record.size_bytes) {
        // A process died over it, unless one is at it right now.
        const release = await uploadLocks.tryTake(lockName(tenant_id, upload_id));
        try {
          if (release)
            state = await uploads.complete(await uploads.look(tenant_id, upload_id), tenant_id, request.id);
        } finally {
          await release?.();
        }
      }
      const { record, offset, expires_at, accepted } = state;
      return {
        upload_id,
        filename: record.file.filename,
        size_bytes: record.size_bytes,
        offset,
        created_at: record.created_at,
        expires_at,
        accepted: accepted && withUrls(accepted),
      };
    },
  );
}

function tusRoutes(app: App, dependencies: AppDependencies, stopping: AbortSignal): void {
  const { system, config, resumableUploads, uploadLocks } = dependencies;
  const { max_upload_bytes } = config;
  const parts = { system, uploads: resumableUploads, locks: uploadLocks, max_upload_bytes };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<null> {
    const { upload_id } = request.params as { upload_id?: string };
    const method = methodOf(request);
    reply.header("tus-resumable", TUS_VERSION);
    if (method !== "OPTIONS" && request.headers["tus-resumable"] !== TUS_VERSION) {
      reply.header("tus-version", TUS_VERSION);
      throw new SluiceError("tus_version_unsupported", `Tus-Resumable: must be ${TUS_VERSION}.`);
    }
    if (upload_id !== undefined && !isId("upl", upload_id)) {
      throw new SluiceError("not_found", `There is no upload ${upload_id}.`);
    }
    const { status, headers, state } = await answerTus(parts, {
      tenant_id: request.tenant_id,
      request_id: request.id,
      method,
      path: upload_id === undefined ? UPLOADS_PATH : `${UPLOADS_PATH}/${upload_id}`,
      raw: request.raw,
      understand,
      onRead: () => {
        if (request.headers.expect !== undefined) reply.raw.writeContinue();
      },
      stopping: () => stopping.aborted,
    });
    reply.code(status).headers(headers);
    if (state?.accepted) {
      const { accepted } = state;
      if (method !== "HEAD") request.subject = accepted;
      reply.headers({
        "sluice-document-id": accepted.document_id,
        "sluice-job-id": accepted.job_id,
        "sluice-correlation-id": accepted.correlation_id,
        "sluice-status": accepted.status,
        "sluice-version": String(accepted.version),
        "sluice-duplicate": String(accepted.duplicate),
      });
    } else if (state) {
      reply.header("upload-expires", new Date(state.expires_at).toUTCString());
    }
    // Asked to leave in the middle of its body.
    if (!request.raw.complete) linger(request);
    // Fastify wants the reply back; the routes' types know only that there is no body.
    return reply.send() as unknown as null;
  }

  const streaming = { streams_body: true, acknowledges: true };
  app.options(
    UPLOADS_PATH,
    {
      config: streaming,
      schema: {
        tags,
        summary: "What this server knows of tus",
        response: { 204: nothing("See its headers.") },
      },
    },
    answer,
  );
  app.post(
    UPLOADS_PATH,
    {
      config: streaming,
      schema: {
        tags,
        summary: "Create a resumable upload",
        description:
          "tus 1.0.0 with creation, creation-with-upload, expiration and termination. What is too large, has wrong fields " +
          "or can't be taken now is refused here. A body of `application/offset+octet-stream` holds the first bytes.",
        headers: creationHeaders,
        response: { 201: nothing("`Location` is the upload."), ...problems(...writing) },
      },
    },
    answer,
  );
  app.head(
    `${UPLOADS_PATH}/:upload_id`,
    {
      config: streaming,
      schema: {
        tags,
        summary: "Where to go on",
        description:
          "Ends a request that still writes to the upload: its client asks because that one broke.",
        params,
        headers: writingHeaders.pick({ "tus-resumable": true }),
        response: { 200: nothing("`Upload-Offset` bytes are here."), ...problems(...writing) },
      },
    },
    answer,
  );
  const patch = {
    tags,
    params,
    headers: writingHeaders,
    response: {
      204: nothing(
        "`Upload-Offset` bytes are here; of the last one, the document's ids are in the headers `Sluice-…`.",
      ),
      ...problems(...writing),
    },
  };
  app.patch(
    `${UPLOADS_PATH}/:upload_id`,
    {
      config: streaming,
      schema: {
        ...patch,
        summary: "Send bytes",
        description:
          "As `application/offset+octet-stream`. Whatever arrives is kept, also when the connection breaks. The request that " +
          "brings the last byte is answered when the document, its job and its event are durable.",
      },
    },
    answer,
  );
  app.delete(
    `${UPLOADS_PATH}/:upload_id`,
    {
      config: streaming,
      schema: {
        tags,
        summary: "Give an upload up",
        description: "A document that it has become stays.",
        params,
        headers: writingHeaders.pick({ "tus-resumable": true }),
        response: { 204: nothing("It is gone."), ...problems(...refusals, "storage_unavailable") },
      },
    },
    answer,
  );
  app.post(
    `${UPLOADS_PATH}/:upload_id`,
    {
      config: streaming,
      schema: {
        ...patch,
        summary: "Send bytes, or give an upload up, where only POST gets through",
        description: "`X-HTTP-Method-Override` says `PATCH` or `DELETE`.",
      },
    },
    answer,
  );
}

/** @throws SluiceError invalid_request */
function methodOf({ method, headers, params: given }: FastifyRequest): string {
  if (method !== "POST" || (given as { upload_id?: string }).upload_id === undefined) return method;
  const override = String(headers["x-http-method-override"] ?? "").toUpperCase();
  if (override === "PATCH" || override === "DELETE") return override;
  throw new SluiceError("invalid_request", "X-HTTP-Method-Override: must be PATCH or DELETE.");
}

/** @throws SluiceError invalid_request */
function understand(fields: Record<string, string | null>): Pick<NewUpload, "file" | "options"> {
  // A key alone is one that was left empty.
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  const parsed = tusFieldsSchema.safeParse(given);
  if (!parsed.success) throw invalidFields(parsed.error.issues, "headers");
  const { filename, media_type, filetype, ...options } = parsed.data;
  const declared = media_type ?? filetype;
  return {
    file: {
      filename: cleanFilename(filename),
      ...(declared === undefined ? {} : { declared_media_type: declared }),
    },
    options: toOptions(options),
  };
}
