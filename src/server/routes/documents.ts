/** Documents: upload, list, look at, delete, ingest again. */
import multipart from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { directionOf } from "../../document-list.ts";
import { SluiceError } from "../../errors.ts";
import type { DocumentSelection } from "../../ports/document-store.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import {
  type AskedSelection,
  documentListSchema,
  documentSelectionSchema,
  documentSummarySchema,
  MOST_MEDIA_TYPES,
  placeInListOf,
  toListCursor,
  toSelection,
} from "../document-lists.ts";
import {
  acceptedSchema,
  documentParamsSchema,
  nextCursorSchema,
  problems,
  publicDocumentSchema,
  type UploadFields,
  uploadAnswerSchema,
  uploadHeadersSchema,
  uploadQuerySchema,
} from "../schemas.ts";
import { answerUpload, toOptions, withUrls } from "../upload-answer.ts";
import { idempotencyKeyOf, readMultipart, readRaw } from "../upload-body.ts";

const tags = ["documents"];

export function documentRoutes(app: App, dependencies: AppDependencies): void {
  const { documents, commands } = dependencies;
  app.register(async (uploads: App) => uploadRoute(uploads, dependencies));

  async function mustExist(tenant_id: string, document_id: string) {
    const document = await documents.getDocument(tenant_id, document_id);
    if (!document) throw new SluiceError("not_found", `There is no document ${document_id}.`);
    return document;
  }

  async function selected(tenant_id: string, selection: AskedSelection): Promise<DocumentSelection> {
    const { parent_document_id } = selection;
    if (parent_document_id !== undefined) await mustExist(tenant_id, parent_document_id);
    return toSelection(tenant_id, selection);
  }

  app.get(
    "/v1/documents",
    {
      schema: {
        tags,
        summary: "List documents, newest first unless asked otherwise",
        description:
          "Pages neither lose nor repeat a document while others come and go. One that changes the value sorted by " +
          "between two pages may move over the place where the next one begins.",
        querystring: documentListSchema,
        response: {
          200: z.object({ documents: z.array(publicDocumentSchema), next_cursor: nextCursorSchema }),
          ...problems("not_found"),
        },
      },
    },
    async (request) => {
      const { sort, order, limit, cursor, ...selection } = request.query;
      const list = { sort, order: directionOf(sort, order) === 1 ? "asc" : "desc" } as const;
      const found = await documents.listDocuments({
        ...(await selected(request.tenant_id, selection)),
        ...list,
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: placeInListOf(cursor, list) }),
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        documents: page,
        next_cursor: found.length > limit && last ? toListCursor(last, list) : null,
      };
    },
  );

  app.get(
    "/v1/documents/summary",
    {
      schema: {
        tags,
        summary: "How many documents there are, by status and by media type",
        querystring: documentSelectionSchema,
        response: { 200: documentSummarySchema, ...problems("not_found") },
      },
    },
    async (request) => {
      const counts = await documents.summarizeDocuments(await selected(request.tenant_id, request.query));
      return { ...counts, by_media_type: counts.by_media_type.slice(0, MOST_MEDIA_TYPES) };
    },
  );

  app.get(
    "/v1/documents/:document_id",
    {
      schema: {
        tags,
        summary: "One document with its status, stage and progress",
        params: documentParamsSchema,
        response: { 200: publicDocumentSchema, ...problems("not_found") },
      },
    },
    async (request) => {
      return mustExist(request.tenant_id, request.params.document_id);
    },
  );

  app.delete(
    "/v1/documents/:document_id",
    {
      schema: {
        tags,
        summary: "Delete a document",
        description:
          "It is gone for readers and searches at once, and so are the documents that came inside it; jobs erase their " +
          "bytes. Their events stay.",
        params: documentParamsSchema,
        response: {
          202: z.object({ document_id: z.string(), job_id: z.string(), correlation_id: z.string() }),
          ...problems("not_found", "conflict", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      const answer = await commands.remove(request.tenant_id, request.params.document_id, request.id);
      request.subject = answer;
      reply.code(202);
      return answer;
    },
  );

  app.post(
    "/v1/documents/:document_id/reingest",
    {
      schema: {
        tags,
        summary: "Ingest the stored bytes again",
        description:
          "The version that searches see stays until the new one takes its place. While an ingestion of the document " +
          "is under way, that one is answered, with `duplicate`.",
        params: documentParamsSchema,
        response: { 202: acceptedSchema, ...problems("not_found", "conflict", "storage_unavailable") },
      },
    },
    async (request, reply) => {
      const accepted = await commands.reingest(request.tenant_id, request.params.document_id, request.id);
      request.subject = accepted;
      const answer = withUrls(accepted);
      reply.code(202).header("location", answer.status_url);
      return answer;
    },
  );
}

function uploadRoute(app: App, dependencies: AppDependencies): void {
  const { beginUpload, config } = dependencies;
  // Only here: no body is parsed, whatever its type; multipart marks the request and stays unread as well.
  app.removeAllContentTypeParsers();
  app.register(multipart);
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));

  app.post(
    "/v1/documents",
    {
      config: { streams_body: true },
      schema: {
        tags,
        summary: "Upload one or several documents",
        description:
          "As multipart/form-data: one document per file part; the fields may come before or after the files and win " +
          "over query parameters of the same name. As any other content type: the body is one file. Answered as soon " +
          "as the bytes are durable and the ingestion job is queued: 202, or 200 when every file was there before " +
          "and its ingestion has ended. A replayed answer carries `Idempotency-Replayed: true`.",
        querystring: uploadQuerySchema,
        headers: uploadHeadersSchema,
        response: {
          200: uploadAnswerSchema,
          202: uploadAnswerSchema,
          ...problems(
            "not_found",
            "payload_too_large",
            "unsupported_media_type",
            "idempotency_key_in_use",
            "idempotency_key_reused",
            "conflict",
            "queue_full",
            "overloaded",
            "storage_full",
            "storage_unavailable",
          ),
        },
      },
      onRequest: async (request) => refuseTooLarge(request, config.max_upload_bytes),
    },
    async (request, reply) => {
      const { query } = request;
      const key = idempotencyKeyOf(request.headers["idempotency-key"]);
      const upload = await beginUpload(request.tenant_id, request.id, {
        idempotency_key: key,
        size_bytes: Number(request.headers["content-length"] ?? 0),
      });
      try {
        // Asked for only now, when nothing stands against the request but the body itself.
        if (request.headers.expect !== undefined) reply.raw.writeContinue();
        const { files, fields } = request.isMultipart()
          ? await readMultipart(request, upload)
          : { files: await readRaw(request, query, upload), fields: {} as UploadFields };
        if (files === 0) throw new SluiceError("invalid_request", "There is no file in the request.");
        const options = toOptions({ ...query, ...fields });
        if (options.document_id !== undefined && files > 1) {
          throw new SluiceError("invalid_request", "document_id: takes one file, the new version");
        }
        const { accepted, replayed } = await upload.accept(options);
        const first = answerUpload(accepted, replayed, request, reply);
        return files === 1 ? first : { documents: accepted.map(withUrls) };
      } finally {
        await upload.end().catch((err) => {
          request.log.warn({ err }, "bytes that were not accepted could not be removed; the sweeper will");
        });
      }
    },
  );
}

/** Before a byte of it is read. Multipart bodies hold several files and are counted one by one. */
function refuseTooLarge(request: FastifyRequest, limit: number): void {
  const { headers } = request;
  if (/^multipart\/form-data/i.test(headers["content-type"] ?? "")) return;
  if (Number(headers["content-length"] ?? 0) > limit) {
    throw new SluiceError(
      "payload_too_large",
      `The file has ${headers["content-length"]} bytes; this server accepts ${limit}.`,
    );
  }
}
