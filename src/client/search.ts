/** Searching, and waiting for something to find. */
import type { Document } from "../document.ts";
import type { SearchAnswer, SearchRequest } from "../search/search.ts";
import { ApiError } from "./api-error.ts";
import { endOfLog, follow } from "./follow.ts";
import type { CallOptions, Http } from "./http.ts";
import { persist } from "./pause.ts";

export function searchMethods(http: Http) {
  return {
    search: (request: SearchRequest, { signal }: CallOptions = {}) =>
      http.json<SearchAnswer>("POST", "/v1/search", { json: request, signal }),

    /**
     * Waits for the end of a document's ingestion, however long the server is away meanwhile.
     *
     * @throws ApiError with the document's own error when it failed, `already_ended` when it was cancelled,
     *   `not_found` when there is no such document (any more); the signal's reason when it fires
     */
    async waitUntilSearchable(document_id: string, { signal }: CallOptions = {}): Promise<Document> {
      const done = new AbortController();
      const either = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
      const path = `/v1/documents/${encodeURIComponent(document_id)}`;
      const look = () => persist(() => http.json<Document>("GET", path, { signal: either }), { signal });
      try {
        // The position first, then the look: what happens in between is replayed.
        const after = await persist(() => endOfLog(http, either), { signal });
        let document = await look();
        if (!hasEnded(document)) {
          for await (const { event_type } of follow(http, { document_id, after, signal: either })) {
            if (event_type === "rag.ingestion.progressed") continue;
            document = await look();
            if (hasEnded(document)) break;
          }
          signal?.throwIfAborted();
        }
        return searchable(document);
      } finally {
        done.abort();
      }
    },
  };
}

function hasEnded({ status }: Document): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

function searchable(document: Document): Document {
  const { document_id, status, error } = document;
  if (status === "completed") return document;
  if (status === "failed" && error) {
    const { code, message, retryable } = error;
    throw new ApiError(message, { status: 200, code, retryable });
  }
  const message = `The ingestion of ${document_id} ended: ${status}.`;
  throw new ApiError(message, { status: 200, code: "already_ended", retryable: false });
}
