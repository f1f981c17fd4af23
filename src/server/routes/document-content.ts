/** What went into a document and what came out: its journey, versions, text, chunks and original bytes. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { z } from "zod";
import type { DocumentRecord } from "../../document.ts";
import { textBytes, wholeText } from "../../document-text.ts";
import { SluiceError } from "../../errors.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import { contentDisposition, isFresh, type Range, rangeOf } from "../byte-range.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import {
  afterSchema,
  body,
  cursorSchema,
  documentParamsSchema,
  limitSchema,
  nextCursorSchema,
  placeOf,
  problems,
  publicChunkSchema,
  publicEventSchema,
  publicVersionSchema,
  toCursor,
  versionQuerySchema,
} from "../schemas.ts";

const tags = ["documents"];

// HEAD is spelled out where a body is streamed: Fastify's own would read it all to throw it away.
export function documentContentRoutes(app: App, { documents, blobs }: AppDependencies): void {
  app.get(
    "/v1/documents/:document_id/events",
    {
      schema: {
        tags,
        summary: "The journey of one document",
        description: "Also of a deleted one: the log keeps the facts.",
        params: documentParamsSchema,
        querystring: z.strictObject({
          after: afterSchema.default(0),
          limit: z.coerce.number().int().min(1).max(1_000).default(500),
        }),
        response: {
          200: z.object({
            events: z.array(publicEventSchema),
            next_after: z.int().describe("read on with this as `after`"),
          }),
          ...problems("not_found"),
        },
      },
    },
    async (request) => {
      const { tenant_id } = request;
      const { document_id } = request.params;
      const { after, limit } = request.query;
      const events = await documents.readEvents({ tenant_id, document_id, after, limit });
      if (events.length === 0) {
        const [first] = await documents.readEvents({ tenant_id, document_id, after: 0, limit: 1 });
        if (!first) throw new SluiceError("not_found", `There is no document ${document_id}.`);
      }
      return { events, next_after: events.at(-1)?.sequence ?? after };
    },
  );

  app.get(
    "/v1/documents/:document_id/versions",
    {
      schema: {
        tags,
        summary: "Every set of bytes that the document has had",
        params: documentParamsSchema,
        response: { 200: z.object({ versions: z.array(publicVersionSchema) }), ...problems("not_found") },
      },
    },
    async (request) => {
      const document = await mustGet(documents, request.tenant_id, request.params.document_id);
      return { versions: await documents.listVersions(document.tenant_id, document.document_id) };
    },
  );

  app.route({
    method: ["GET", "HEAD"],
    url: "/v1/documents/:document_id/text",
    schema: {
      tags,
      summary: "The text that was read from the document",
      description:
        "Offsets of chunks and hits point into it, in UTF-16 code units; `char_start` and `char_end` ask for a stretch.",
      params: documentParamsSchema,
      querystring: z.strictObject({
        version: versionQuerySchema.describe("default: the searchable one"),
        char_start: offsetSchema.describe("default: the beginning"),
        char_end: offsetSchema.describe("exclusive; default: the end"),
      }),
      response: { 200: body("text/plain", "The text, UTF-8."), ...problems("not_found", "not_ready") },
    },
    handler: async (request, reply) => {
      const document = await mustGet(documents, request.tenant_id, request.params.document_id);
      const { document_id, tenant_id } = document;
      const version = request.query.version ?? document.searchable_version ?? document.version;
      const parts = wholeText(await documents.listCheckpoints(tenant_id, document_id, version));
      if (parts === undefined) throw notThere(document, version, "text");
      reply.header("content-type", "text/plain; charset=utf-8");
      if (request.method === "HEAD") return reply.send();
      const { char_start, char_end } = request.query;
      const bytes = textBytes((key) => blobs.get(key), parts, char_start, char_end);
      return reply.send(Readable.from(await begun(bytes), { objectMode: false }));
    },
  });

  app.get(
    "/v1/documents/:document_id/chunks",
    {
      schema: {
        tags,
        summary: "The chunks that searches find, in reading order",
        params: documentParamsSchema,
        querystring: z.strictObject({ limit: limitSchema, cursor: cursorSchema }),
        response: {
          200: z.object({ chunks: z.array(publicChunkSchema), next_cursor: nextCursorSchema }),
          ...problems("not_found", "not_ready"),
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const document = await mustGet(documents, request.tenant_id, request.params.document_id);
      const { document_id, tenant_id } = document;
      // A cursor names its version: pages of two versions are never mixed.
      const start = cursor === undefined ? undefined : chunkPlace(cursor);
      const version = document.searchable_version;
      if (version === null) throw notThere(document, document.version, "chunks");
      if (start && start.version !== version) {
        throw new SluiceError("not_found", `Version ${start.version} of ${document_id} has been replaced.`);
      }
      const found = await documents.listChunks(
        tenant_id,
        document_id,
        version,
        start?.ordinal ?? 0,
        limit + 1,
      );
      const next = found[limit];
      return {
        chunks: found.slice(0, limit),
        next_cursor: next ? toCursor(`${version}:${next.ordinal}`) : null,
      };
    },
  );

  app.route({
    method: ["GET", "HEAD"],
    url: "/v1/documents/:document_id/file",
    schema: {
      tags,
      summary: "The original bytes",
      description: "Ranges of bytes and `If-None-Match` are honoured; the ETag is the SHA-256.",
      params: documentParamsSchema,
      querystring: z.strictObject({
        version: versionQuerySchema.describe("default: the one uploaded last"),
      }),
      response: {
        200: body("*/*", "The file, under its own media type."),
        206: body("*/*", "The range asked for."),
        304: z.undefined().describe("The client has these bytes."),
        416: z.undefined().describe("The file has no such range."),
        ...problems("not_found", "blob_missing"),
      },
    },
    handler: async (request, reply) => {
      const { document_id } = request.params;
      const document = await mustGet(documents, request.tenant_id, document_id);
      const number = request.query.version ?? document.version;
      const versions = await documents.listVersions(document.tenant_id, document_id);
      const version = versions.find((candidate) => candidate.version === number);
      if (!version) throw new SluiceError("not_found", `There is no version ${number} of ${document_id}.`);
      const { size_bytes, media_type, filename, sha256, blob_key } = version;
      const etag = `"${sha256}"`;
      reply.headers({
        etag,
        "content-type": media_type,
        "accept-ranges": "bytes",
        "content-disposition": contentDisposition(filename),
        // Whatever the file is, a browser must not run it as a page of this server.
        "content-security-policy": "sandbox",
      });
      if (isFresh(request.headers["if-none-match"], etag)) return end(reply, 304);
      const condition = request.headers["if-range"];
      const asked = condition === undefined || condition === etag ? request.headers.range : undefined;
      const range = rangeOf(asked, size_bytes);
      if (range === "unsatisfiable") {
        reply.removeHeader("content-disposition").header("content-range", `bytes */${size_bytes}`);
        return end(reply, 416);
      }
      const { start, end: stop }: Range = range ?? { start: 0, end: size_bytes };
      if (range) reply.code(206).header("content-range", `bytes ${start}-${stop - 1}/${size_bytes}`);
      reply.header("content-length", String(stop - start));
      if (request.method === "HEAD") return reply.send();
      return reply.send(await blobs.get(blob_key, range));
    },
  });
}

const offsetSchema = z.coerce.number().int().nonnegative().optional();

/** The same pieces, the first of them read already: a blob that is missing is told before any byte goes out. */
async function begun(pieces: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const first = await pieces.next();
  return (async function* () {
    if (first.done !== true) yield first.value;
    yield* pieces;
  })();
}

function end(reply: FastifyReply, status: 304 | 416) {
  return reply.removeHeader("content-type").code(status).send();
}

async function mustGet(
  documents: DocumentStore,
  tenant_id: string,
  document_id: string,
): Promise<DocumentRecord> {
  const document = await documents.getDocument(tenant_id, document_id);
  if (!document) throw new SluiceError("not_found", `There is no document ${document_id}.`);
  return document;
}

/** Why a version's text or chunks are not there: replaced, never begun, stored otherwise, or not made yet. */
function notThere(document: DocumentRecord, version: number, what: string): SluiceError {
  const { document_id, searchable_version, status } = document;
  if (version > document.version) {
    return new SluiceError("not_found", `There is no version ${version} of ${document_id}.`);
  }
  if (version < (searchable_version ?? document.version)) {
    return new SluiceError("not_found", `The ${what} of version ${version} of ${document_id} was replaced.`);
  }
  if (version === searchable_version) {
    return new SluiceError(
      "not_found",
      `The ${what} of version ${version} of ${document_id} was stored by an earlier release. Ingest it again: POST /v1/documents/${document_id}/reingest.`,
    );
  }
  return new SluiceError(
    "not_ready",
    `Version ${version} of ${document_id} has no ${what} yet; the document is ${status}.`,
  );
}

function chunkPlace(cursor: string): { version: number; ordinal: number } {
  const [, version, ordinal] = /^(\d+):(\d+)$/.exec(placeOf(cursor)) ?? [];
  if (version === undefined) {
    throw new SluiceError("invalid_request", "cursor: is not one that this server gave");
  }
  return { version: Number(version), ordinal: Number(ordinal) };
}
