/** What travels over HTTP besides documents, jobs, events and search answers. */
import { z } from "zod";
import { chunkSchema } from "../chunk.ts";
import { collectionViewSchema } from "../collection.ts";
import { collectionSchema, documentSchema, documentStatusSchema, metadataSchema } from "../document.ts";
import { type ErrorCode, errorTable, SluiceError } from "../errors.ts";
import { anyEventSchema, eventTypes } from "../events.ts";
import { searchFilterSchema } from "../filter.ts";
import { jobSchema } from "../job.ts";

const fieldErrorSchema = z.object({
  in: z.string().describe("querystring, body, params or headers"),
  field: z.string(),
  message: z.string(),
});
export type FieldError = z.infer<typeof fieldErrorSchema>;

export const problemSchema = z
  .object({
    type: z.string().describe("where the code is explained"),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe("what happened to this request"),
    instance: z.string().describe("path of the request"),
    code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
    retryable: z.boolean().describe("whether the same request may succeed later"),
    request_id: z.string().describe("names this request in the server's log"),
    errors: z.array(fieldErrorSchema).optional().describe("the fields that are wrong"),
  })
  .meta({ id: "Problem", description: "Problem details, RFC 9457." });
export type Problem = z.infer<typeof problemSchema>;

/** The public document: what a record has beyond this is stripped. */
export const publicDocumentSchema = documentSchema.meta({ id: "Document" });
export const publicCollectionSchema = collectionViewSchema.meta({ id: "Collection" });
export const publicJobSchema = jobSchema.meta({ id: "Job" });
export const publicChunkSchema = chunkSchema.meta({ id: "Chunk" });
/** A version without the place of its bytes. */
export const publicVersionSchema = z
  .object({
    version: z.int().positive(),
    filename: z.string(),
    media_type: z.string(),
    size_bytes: z.int().nonnegative(),
    sha256: z.string(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "Version" });
export const publicEventSchema = anyEventSchema.meta({
  id: "Event",
  description: `One of: ${eventTypes.join(", ")}.`,
});

export const acceptedSchema = z
  .object({
    document_id: z.string(),
    job_id: z.string(),
    status: documentStatusSchema,
    correlation_id: z.string(),
    version: z.int().positive(),
    duplicate: z.boolean().describe("the same bytes were there before: this is the document that has them"),
    status_url: z.string(),
    events_url: z.string(),
  })
  .meta({ id: "Accepted" });
export type AcceptedAnswer = z.infer<typeof acceptedSchema>;

export const uploadAnswerSchema = z.union([
  acceptedSchema,
  z.object({ documents: z.array(acceptedSchema) }).describe("when several files came, in their order"),
]);

/** What stands in a query or a form as JSON. */
const jsonTextSchema = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    context.addIssue({ code: "custom", message: "is not JSON" });
    return z.NEVER;
  }
});
const metadataTextSchema = jsonTextSchema
  .pipe(metadataSchema)
  .describe("a JSON object; searches can filter by it");
export const filterTextSchema = jsonTextSchema
  .pipe(searchFilterSchema)
  .describe('a JSON object, as searches take it: `{"language":"en","authored_at":{"gte":"2019"}}`');

export const uploadFieldsSchema = z.strictObject({
  collection: collectionSchema.optional().describe("default: `default`"),
  metadata: metadataTextSchema.optional(),
  document_id: z.string().optional().describe("the file is a new version of this document"),
  on_duplicate: z
    .enum(["existing", "new_version"])
    .optional()
    .describe(
      "when the collection has the same bytes already; default `existing`: that document is answered",
    ),
  priority: z.coerce
    .number()
    .int()
    .min(-100)
    .max(100)
    .optional()
    .describe("higher runs first, within the tenant; default 0"),
});
export type UploadFields = z.infer<typeof uploadFieldsSchema>;

export const uploadQuerySchema = uploadFieldsSchema.extend({
  filename: z.string().max(1_000).optional().describe("of a raw body; else from Content-Disposition"),
});
export type UploadQuery = z.infer<typeof uploadQuerySchema>;

/** `Idempotency-Key` as it comes; the value may be a quoted structured-field string. */
export const uploadHeadersSchema = z.looseObject({
  "idempotency-key": z
    .string()
    .optional()
    .describe("1 to 255 characters; the same key and payload give the same answer again"),
});

export const limitSchema = z.coerce
  .number()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .describe("most items answered");
export const cursorSchema = z.string().max(200).optional().describe("next_cursor of the page before");
export const nextCursorSchema = z.string().nullable().describe("null on the last page");
export const afterSchema = z.coerce
  .number()
  .int()
  .min(0)
  .describe("sequence of the last event that the reader has; 0 for all");
export const versionQuerySchema = z.coerce.number().int().min(1).optional();

export const documentParamsSchema = z.object({ document_id: z.string() });
export const jobParamsSchema = z.object({ job_id: z.string() });
export const collectionParamsSchema = z.object({ collection: collectionSchema });

/**
 * The problems that a route can answer, by status, for its `response` schema.
 *
 * @param codes besides those that every route can answer
 */
export function problems<const C extends ErrorCode>(...codes: C[]) {
  const byStatus = new Map<number, string[]>();
  for (const code of [
    "invalid_request",
    "unauthorized",
    "forbidden",
    "shutting_down",
    "internal",
    ...codes,
  ] as const) {
    const { status, title } = errorTable[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `\`${code}\`: ${title}.`]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, lines]) => [
      status,
      {
        description: lines.join("\n"),
        content: { "application/problem+json": { schema: problemSchema } },
      },
    ]),
  );
}

/** An answer that is not JSON. */
export function body(content_type: string, description: string) {
  const schema: z.ZodType<unknown> = z.string();
  return { description, content: { [content_type]: { schema } } };
}

/** The place after an item, for the next page. Opaque to clients. */
export function toCursor(last: string): string {
  return Buffer.from(last, "utf8").toString("base64url");
}

/** @throws SluiceError invalid_request for what is no cursor of this server */
export function placeOf(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  if (toCursor(text) !== cursor) {
    throw new SluiceError("invalid_request", "cursor: is not one that this server gave");
  }
  return text;
}
