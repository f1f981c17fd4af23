/** Documents: list, look at, read, delete, ingest again. */
import type { Chunk } from "../chunk.ts";
import type { Document, DocumentStatus } from "../document.ts";
import type { SluiceEvent } from "../events.ts";
import type { SearchFilter } from "../filter.ts";
import type { AcceptedAnswer } from "../server/schemas.ts";
import type { CallOptions, Http } from "./http.ts";

/** How an upload was answered. `duplicate`: the same bytes were there before, and this is the document that has them. */
export type Accepted = AcceptedAnswer;

export interface DocumentFilter {
  collection?: string | undefined;
  status?: DocumentStatus | readonly DocumentStatus[] | undefined;
  media_type?: string | undefined;
  /** A part of the file's name or the title; case makes no difference. */
  text?: string | undefined;
  /** Only what came inside this document. */
  parent_document_id?: string | undefined;
  /** Conditions on metadata and on what documents say of themselves, as searches take them. */
  filter?: SearchFilter | undefined;
}

export interface PageQuery {
  /** Most items answered, 1 to 200. Default 50. */
  limit?: number | undefined;
  /** `next_cursor` of the page before. */
  cursor?: string | null | undefined;
}

export interface DocumentQuery extends DocumentFilter, PageQuery {
  /** Default `created_at`. */
  sort?: "created_at" | "updated_at" | "filename" | "size_bytes" | undefined;
  /** Default `desc`, for `filename` `asc`. */
  order?: "asc" | "desc" | undefined;
}

export interface DocumentPage {
  documents: Document[];
  /** Null on the last page. */
  next_cursor: string | null;
}

export interface DocumentSummary {
  total: number;
  by_status: Record<DocumentStatus, number>;
  /** Most first, at most 50. */
  by_media_type: { media_type: string; documents: number }[];
}

/** One set of bytes that a document has had. */
export interface Version {
  version: number;
  filename: string;
  media_type: string;
  size_bytes: number;
  sha256: string;
  created_at: string;
}

export interface EventQuery {
  document_id?: string | undefined;
  correlation_id?: string | undefined;
  collection?: string | undefined;
  /** Sequence of the last event that the reader has; `latest`: only to learn the log's end. Default 0: all. */
  after?: number | "latest" | undefined;
  /** 1 to 1,000. Default 500. */
  limit?: number | undefined;
}

export interface EventPage {
  /** Ascending. */
  events: SluiceEvent[];
  /** Read on with this as `after`. */
  next_after: number;
}

/** An upload that can be resumed, or was. */
export interface ResumableUpload {
  upload_id: string;
  filename: string;
  size_bytes: number;
  /** Bytes that are there. */
  offset: number;
  created_at: string;
  expires_at: string;
  accepted: Accepted | null;
}

const pathOf = (document_id: string) => `/v1/documents/${encodeURIComponent(document_id)}`;

export function documentMethods(http: Http) {
  return {
    /** A page of documents, newest first unless the query says otherwise. */
    listDocuments: (query: DocumentQuery = {}, { signal }: CallOptions = {}) =>
      http.json<DocumentPage>("GET", "/v1/documents", { query: { ...query }, signal }),
    /** How many documents there are, by status and by media type. */
    summarizeDocuments: (query: DocumentFilter = {}, { signal }: CallOptions = {}) =>
      http.json<DocumentSummary>("GET", "/v1/documents/summary", { query: { ...query }, signal }),
    /** @throws ApiError not_found */
    getDocument: (document_id: string, { signal }: CallOptions = {}) =>
      http.json<Document>("GET", pathOf(document_id), { signal }),
    /**
     * The text that was read from a document, or a stretch of it, in UTF-16 code units.
     *
     * @throws ApiError not_found, not_ready
     */
    async getText(
      document_id: string,
      query: {
        version?: number | undefined;
        char_start?: number | undefined;
        char_end?: number | undefined;
      } = {},
      { signal }: CallOptions = {},
    ): Promise<string> {
      const response = await http.request("GET", `${pathOf(document_id)}/text`, { query, signal });
      return http.textOf(response, signal);
    },
    /** The chunks that searches find, in reading order. */
    listChunks: (document_id: string, { limit, cursor }: PageQuery = {}, { signal }: CallOptions = {}) =>
      http.json<{ chunks: Chunk[]; next_cursor: string | null }>("GET", `${pathOf(document_id)}/chunks`, {
        query: { limit, cursor },
        signal,
      }),
    listVersions: (document_id: string, { signal }: CallOptions = {}) =>
      http.json<{ versions: Version[] }>("GET", `${pathOf(document_id)}/versions`, { signal }),
    /** The original bytes: the answer itself, to be streamed or taken whole, with type and name in its headers. */
    getFile: (
      document_id: string,
      query: { version?: number | undefined } = {},
      { signal }: CallOptions = {},
    ): Promise<Response> => http.request("GET", `${pathOf(document_id)}/file`, { query, signal }),
    /** A page of the event log. `follow` is what reads on by itself. */
    listEvents: (query: EventQuery = {}, { signal }: CallOptions = {}) =>
      http.json<EventPage>("GET", "/v1/events", { query: { ...query }, signal }),
    /** Ingests the stored bytes again. */
    reingestDocument: (document_id: string, { signal }: CallOptions = {}) =>
      http.json<Accepted>("POST", `${pathOf(document_id)}/reingest`, { signal }),
    deleteDocument: (document_id: string, { signal }: CallOptions = {}) =>
      http.json<{ document_id: string; job_id: string; correlation_id: string }>(
        "DELETE",
        pathOf(document_id),
        { signal },
      ),
    /** How far a resumable upload is. */
    getUpload: (upload_id: string, { signal }: CallOptions = {}) =>
      http.json<ResumableUpload>("GET", `/v1/uploads/${encodeURIComponent(upload_id)}`, { signal }),
  };
}
