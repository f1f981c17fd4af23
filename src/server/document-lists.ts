/** What lists of documents are asked for with, and their cursors. */
import { z } from "zod";
import { collectionSchema, type Document, documentStatuses, documentStatusSchema } from "../document.ts";
import {
  type DocumentPlace,
  type DocumentSort,
  documentSorts,
  placeInList,
  type SortOrder,
  sortOrders,
} from "../document-list.ts";
import { SluiceError } from "../errors.ts";
import type { DocumentSelection } from "../ports/document-store.ts";
import { filterTextSchema, limitSchema, placeOf, toCursor } from "./schemas.ts";

export const documentSelectionSchema = z.strictObject({
  collection: collectionSchema.optional(),
  status: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(documentStatusSchema))
    .optional()
    .describe(`one of ${documentStatuses.join(", ")}, or several with commas between them`),
  media_type: z.string().max(255).optional().describe("such as `application/pdf`"),
  text: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("a part of the file name or the title, in any case; no wildcards"),
  parent_document_id: z.string().optional().describe("only what came inside this document"),
  filter: filterTextSchema.optional(),
});
export type AskedSelection = z.output<typeof documentSelectionSchema>;

export const documentListSchema = documentSelectionSchema.extend({
  sort: z
    .enum(documentSorts)
    .default("created_at")
    .describe("equals by document_id; `filename` by code points, A–Z as a–z"),
  order: z.enum(sortOrders).optional().describe("default: `asc` of filename, `desc` of all else"),
  limit: limitSchema,
  // A name may be long, and each of its characters several bytes.
  cursor: z
    .string()
    .max(4_000)
    .optional()
    .describe("next_cursor of the page before; of the same sort and order"),
});

/** More media types than this are in the total only. */
export const MOST_MEDIA_TYPES = 50;

export const documentSummarySchema = z
  .object({
    total: z.int().nonnegative(),
    by_status: z.record(documentStatusSchema, z.int().nonnegative()),
    by_media_type: z
      .array(z.object({ media_type: z.string(), documents: z.int().positive() }))
      .describe(`most first, at most ${MOST_MEDIA_TYPES}`),
  })
  .meta({ id: "DocumentSummary" });
export type DocumentSummary = z.infer<typeof documentSummarySchema>;

export function toSelection(tenant_id: string, asked: AskedSelection): DocumentSelection {
  const { status, ...rest } = asked;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { tenant_id, ...given, ...(status === undefined ? {} : { statuses: status }) };
}

interface List {
  sort: DocumentSort;
  order: SortOrder;
}

const placeSchema = z.tuple([
  z.enum(documentSorts),
  z.enum(sortOrders),
  z.union([z.string(), z.number()]),
  z.string(),
]);

export function toListCursor(last: Document, { sort, order }: List): string {
  const { value, document_id } = placeInList(last, sort);
  return toCursor(JSON.stringify([sort, order, value, document_id]));
}

/** @throws SluiceError invalid_request for what is no cursor of a list that is sorted so */
export function placeInListOf(cursor: string, { sort, order }: List): DocumentPlace {
  const told = placeSchema.safeParse(parsed(placeOf(cursor)));
  if (!told.success) throw new SluiceError("invalid_request", "cursor: is not one that this server gave");
  const [ofSort, ofOrder, value, document_id] = told.data;
  if (ofSort !== sort || ofOrder !== order) {
    throw new SluiceError(
      "invalid_request",
      `cursor: is of a list by ${ofSort} ${ofOrder}, not by ${sort} ${order}. Ask with that sort and order, or without the cursor.`,
    );
  }
  if ((typeof value === "number") !== (sort === "size_bytes")) {
    throw new SluiceError("invalid_request", "cursor: is not one that this server gave");
  }
  return { value, document_id };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is no JSON is no cursor either.
    return undefined;
  }
}
