/** Uploads: small files by one request, large ones in pieces that can be resumed. */
import type { Metadata } from "../document.ts";
import { type ApiError, refusalOf, unreachable } from "./api-error.ts";
import { browser } from "./browser.ts";
import type { Accepted } from "./documents.ts";
import type { Http } from "./http.ts";
import { persist, type Trouble } from "./pause.ts";
import { openSource, type Source, type UploadSource } from "./source.ts";

export interface UploadProgress {
  /** Bytes of the file that are on their way or there. */
  sent: number;
  total: number;
  /** The byte at which this upload went on from an earlier one; null where it began anew. */
  resumed_at: number | null;
}

export interface UploadInput {
  /** Default: the file's own name, else `document`. */
  filename?: string | undefined;
  /** Default: `default`. */
  collection?: string | undefined;
  /** Searches can filter by it. */
  metadata?: Metadata | undefined;
  /** The file is a new version of this document. */
  document_id?: string | undefined;
  /** When the collection has the same bytes already. Default `existing`: that document is answered. */
  on_duplicate?: "existing" | "new_version" | undefined;
  /** -100 to 100; higher runs first, within the tenant. Default 0. */
  priority?: number | undefined;
  /** Gives the upload up. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** A try failed and another follows: the server is full, or away. */
  onTrouble?: ((trouble: Trouble) => void) | undefined;
}

/**
 * Sends a file as one request, again and again under one Idempotency-Key until it is answered: no repeat makes a
 * second document.
 */
export async function uploadAtOnce(http: Http, given: Source, input: UploadInput): Promise<Accepted> {
  const { signal, onProgress, onTrouble, collection, metadata, document_id, on_duplicate, priority } = input;
  const filename = input.filename ?? given.filename;
  const query = { filename, collection, metadata, document_id, on_duplicate, priority };
  const headers = {
    ...http.authorization(),
    // The server looks at the bytes and the name.
    "content-type": "application/octet-stream",
    "idempotency-key": `"${newKey()}"`,
  };
  const total = given.size;
  const address = http.address("/v1/documents", query);
  const onSent = (sent: number) => onProgress?.({ sent: Math.min(sent, total), total, resumed_at: null });
  return persist(
    async () => {
      signal?.throwIfAborted();
      onSent(0);
      const Xhr = http.ownFetch ? undefined : browser.XMLHttpRequest;
      const body = await given.whole();
      if (Xhr)
        return sendByXhr(
          new Xhr(),
          http,
          address,
          { ...headers, ...http.authorization() },
          body,
          onSent,
          signal,
        );
      const accepted = await http.json<Accepted>("POST", "/v1/documents", { query, headers, body, signal });
      onSent(total);
      return accepted;
    },
    { signal, onTrouble },
  );
}

/** XMLHttpRequest, because fetch does not tell how much of a body has gone. */
function sendByXhr(
  xhr: InstanceType<NonNullable<typeof browser.XMLHttpRequest>>,
  http: Http,
  address: string,
  headers: Record<string, string>,
  body: Blob,
  onSent: (sent: number) => void,
  signal: AbortSignal | undefined,
): Promise<Accepted> {
  return new Promise<Accepted>((resolve, reject: (error: ApiError | unknown) => void) => {
    const abort = () => xhr.abort();
    xhr.open("POST", address);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => onSent(loaded);
    xhr.onerror = () => reject(unreachable(http.url, new Error("the request failed")));
    xhr.onabort = () => reject(signal?.reason);
    xhr.onload = () => {
      signal?.removeEventListener("abort", abort);
      const { status, responseText } = xhr;
      if (status >= 200 && status < 300 && responseText.startsWith("{")) resolve(JSON.parse(responseText));
      else reject(refusalOf(http.url, status, responseText, xhr.getResponseHeader("retry-after")));
    };
    signal?.addEventListener("abort", abort);
    xhr.send(body);
  });
}

/** A name for one upload, the same however often it has to be sent. */
function newKey(): string {
  // randomUUID is missing in pages that came over plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function uploadMethods(http: Http) {
  return {
    /**
     * Takes a document in; when it resolves, the document is durable and its ingestion queued. Goes on trying while
     * the server is full or away, until the signal fires.
     *
     * @param source a file or the bytes; in Node also the path of a file
     * @throws ApiError payload_too_large, unsupported_media_type, unauthorized, not_found, …
     */
    async upload(source: UploadSource, input: UploadInput = {}): Promise<Accepted> {
      const opened = await openSource(source);
      try {
        return await uploadAtOnce(http, opened, input);
      } finally {
        await opened.close();
      }
    },
  };
}
