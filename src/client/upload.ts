/** Uploads: small files by one request, large ones in pieces that can be resumed. */
import { ApiError, refusalOf } from "./api-error.ts";
import type { Accepted } from "./documents.ts";
import type { Http } from "./http.ts";
import { persist, type Trouble } from "./pause.ts";
import { uploadInPieces } from "./resumable.ts";
import { sendBody } from "./send-body.ts";
import { checkReadable, openSource, type Source, type UploadSource } from "./source.ts";
import { memoryOf, type UploadStore } from "./unfinished.ts";
import { fieldsOf, type UploadFields } from "./upload-fields.ts";

export interface UploadProgress {
  /** Bytes of the file that are on their way or there. */
  sent: number;
  total: number;
  /** The byte at which this upload went on from an earlier one; null where it began anew. */
  resumed_at: number | null;
}

export interface UploadInput extends UploadFields {
  /** Default: the file's own name, else `document`. */
  filename?: string | undefined;
  /** Gives the upload up; a resumable one goes on when the same file is uploaded again. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** A try failed and another follows: the server is full, or away. */
  onTrouble?: ((trouble: Trouble) => void) | undefined;
  /**
   * Whether the file goes in pieces, so that what arrived is not sent again. Default `auto`: from 8 MiB on, where
   * the server takes pieces; `true` fails where it doesn't.
   */
  resumable?: boolean | "auto" | undefined;
  /** Where unfinished uploads are remembered. Default: `localStorage` in a browser, nowhere in Node. */
  store?: UploadStore | undefined;
}

const RESUMABLE_FROM_BYTES = 8 * 1024 * 1024;

export function uploadMethods(http: Http) {
  return {
    /**
     * Takes a document in; when it resolves, the document is durable and its ingestion queued. Goes on trying while
     * the server is full or away, until the signal fires. However often a request has to be repeated, it makes one
     * document.
     *
     * @param source a file or the bytes; in Node also the path of a file
     * @throws ApiError payload_too_large, unsupported_media_type, unauthorized, not_found, source_unreadable, …; the
     *   signal's reason
     */
    async upload(source: UploadSource, input: UploadInput = {}): Promise<Accepted> {
      const opened = await openSource(source);
      const { resumable = "auto" } = input;
      const named = { ...opened, filename: input.filename ?? opened.filename };
      const inPieces = resumable === "auto" ? opened.bytes.size >= RESUMABLE_FROM_BYTES : resumable;
      // Nothing has no pieces.
      if (!inPieces || opened.bytes.size === 0) return uploadAtOnce(http, named, input);
      const { signal, onProgress, onTrouble, store } = input;
      const fields = fieldsOf(input);
      try {
        return await uploadInPieces(http, {
          source: named,
          fields,
          memory: memoryOf(http, named, fields, store),
          signal,
          onProgress: (sent, resumed_at) => onProgress?.({ sent, total: named.bytes.size, resumed_at }),
          onTrouble,
        });
      } catch (error) {
        // Only a beginning can end in it, and where a server knows of no pieces, it does.
        const unknown = error instanceof ApiError && error.code === "not_found";
        if (!unknown || resumable !== "auto") throw error;
        return uploadAtOnce(http, named, input);
      }
    },
  };
}

/** As one request, again and again under one Idempotency-Key until it is answered. */
async function uploadAtOnce(http: Http, source: Source, input: UploadInput): Promise<Accepted> {
  const { signal, onProgress, onTrouble } = input;
  const total = source.bytes.size;
  const address = http.address("/v1/documents", { ...fieldsOf(input), filename: source.filename });
  const headers = {
    // The server looks at the bytes and the name.
    "content-type": "application/octet-stream",
    "idempotency-key": `"${newKey()}"`,
  };
  const attempt = async () => {
    signal?.throwIfAborted();
    await checkReadable(source, 0);
    const { text, status } = await sendBody(http, {
      method: "POST",
      address,
      headers,
      body: source.bytes,
      onSent: (sent) => onProgress?.({ sent, total, resumed_at: null }),
      signal,
    });
    try {
      return JSON.parse(text) as Accepted;
    } catch {
      throw refusalOf(http.url, status, "", null);
    }
  };
  return persist(attempt, { signal, onTrouble });
}

/** A name for one upload, the same however often it has to be sent. */
function newKey(): string {
  // randomUUID is missing in pages that came over plain HTTP.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
