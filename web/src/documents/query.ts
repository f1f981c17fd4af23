/** What the list shows, as the address says it: so a reload, a link and the way back show the same. Pure. */
import { type DocumentStatus, documentStatuses } from "./statuses.ts";

export const sorts = {
  newest: { name: "Newest first", sort: "created_at", order: "desc" },
  oldest: { name: "Oldest first", sort: "created_at", order: "asc" },
  changed: { name: "Changed last", sort: "updated_at", order: "desc" },
  name: { name: "Name, A to Z", sort: "filename", order: "asc" },
  largest: { name: "Largest first", sort: "size_bytes", order: "desc" },
  smallest: { name: "Smallest first", sort: "size_bytes", order: "asc" },
} as const;
export type SortName = keyof typeof sorts;

/** The statuses one can choose, by the name that the address has for them. */
export const groups = {
  all: { name: "All", statuses: documentStatuses },
  active: { name: "Under way", statuses: ["pending", "processing"] },
  completed: { name: "Ready", statuses: ["completed"] },
  failed: { name: "Failed", statuses: ["failed"] },
  cancelled: { name: "Cancelled", statuses: ["cancelled"] },
} as const satisfies Record<string, { name: string; statuses: readonly DocumentStatus[] }>;
export type GroupName = keyof typeof groups;

export interface ListQuery {
  text: string;
  status: GroupName;
  collection: string;
  media_type: string;
  parent_document_id: string;
  sort: SortName;
}

/** What the address leaves out, or has wrong, is the default. */
export function queryOf(parameters: URLSearchParams): ListQuery {
  const get = (name: string) => parameters.get(name) ?? "";
  return {
    text: get("text"),
    status: Object.hasOwn(groups, get("status")) ? (get("status") as GroupName) : "all",
    collection: get("collection"),
    media_type: get("media_type"),
    parent_document_id: get("parent_document_id"),
    sort: Object.hasOwn(sorts, get("sort")) ? (get("sort") as SortName) : "newest",
  };
}

/** As the API's filters have it. */
export function filterOf({ text, status, collection, media_type, parent_document_id }: ListQuery) {
  return {
    ...(text === "" ? {} : { text }),
    ...(status === "all" ? {} : { status: groups[status].statuses }),
    ...(collection === "" ? {} : { collection }),
    ...(media_type === "" ? {} : { media_type }),
    ...(parent_document_id === "" ? {} : { parent_document_id }),
  };
}

export function isFiltered(query: ListQuery): boolean {
  return Object.keys(filterOf(query)).length > 0;
}

/** What is known of a document that may have come into the list. */
export interface Arrived {
  status: DocumentStatus;
  collection: string;
  /** Undefined while the document itself is not known here. */
  file: { filename: string; media_type: string; parent_document_id: string | null } | undefined;
  /** Whether it was uploaded just now, and is so the newest of all. */
  uploaded: boolean;
}

/**
 * Where a document that just came to match belongs: at the top, somewhere in the list, or nowhere in it. A text is
 * looked for in the file's name alone; what its title says is not known before it is read.
 */
export function placeOfNew(query: ListQuery, arrived: Arrived): "top" | "somewhere" | "nowhere" {
  const { text, status, collection, media_type, parent_document_id, sort } = query;
  const { file } = arrived;
  const statuses: readonly DocumentStatus[] = groups[status].statuses;
  if (!statuses.includes(arrived.status)) return "nowhere";
  if (collection !== "" && collection !== arrived.collection) return "nowhere";
  if (text !== "" && !file?.filename.toLowerCase().includes(text.toLowerCase())) return "nowhere";
  if (media_type !== "" && media_type !== file?.media_type) return "nowhere";
  if (parent_document_id !== "" && parent_document_id !== file?.parent_document_id) return "nowhere";
  return arrived.uploaded && sort === "newest" ? "top" : "somewhere";
}
