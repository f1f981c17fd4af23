/**
 * Uploads in pieces, by tus 1.0.0 (https://tus.io/protocols/resumable-upload): what arrived once is not sent again,
 * whatever fails in between. By hand, because tus-js-client takes a 502 on the way back to an upload for its end, and
 * begins anew.
 */
import type { DocumentStatus } from "../document.ts";
import { ApiError } from "./api-error.ts";
import type { Accepted, ResumableUpload } from "./documents.ts";
import type { Http } from "./http.ts";
import { persist, type Trouble } from "./pause.ts";
import { type Sent, sendBody } from "./send-body.ts";
import { checkReadable, type Source } from "./source.ts";
import type { Memory, Remembered } from "./unfinished.ts";
import type { UploadFields } from "./upload-fields.ts";

/** Small enough to lose little when one fails and to show progress where only whole pieces are told; a piece costs one answer. */
const PIECE_BYTES = 8 * 1024 * 1024;

const TUS = { "tus-resumable": "1.0.0" };

export interface ResumableInput {
  source: Source;
  fields: UploadFields;
  memory: Memory;
  signal: AbortSignal | undefined;
  onProgress: (sent: number, resumed_at: number | null) => void;
  onTrouble: ((trouble: Trouble) => void) | undefined;
}

/** @throws ApiError for what the server refuses for good; the signal's reason */
export async function uploadInPieces(http: Http, input: ResumableInput): Promise<Accepted> {
  const { source, memory, signal, onTrouble } = input;
  const { size } = source.bytes;
  let known = await memory.get();
  // Of this call: what it sent itself before a break does not count as resumed.
  let resumed_at: number | null = null;
  let begunHere = false;

  /** Where it stands; undefined where nothing has begun, or what had begun is gone. */
  async function standing(): Promise<ResumableUpload | undefined> {
    if (known === undefined) return undefined;
    try {
      const path = pathOf(known.upload_id);
      const upload = await http.json<ResumableUpload>("GET", path, { headers: TUS, signal });
      if (upload.size_bytes === size) return upload;
    } catch (error) {
      const gone = error instanceof ApiError && (error.status === 404 || error.status === 410);
      if (!gone) throw error;
    }
    known = undefined;
    resumed_at = null;
    await memory.forget();
    return undefined;
  }

  async function attempt(progressed: () => void): Promise<Accepted> {
    signal?.throwIfAborted();
    const upload = await standing();
    if (upload?.accepted) return upload.accepted;
    let offset = upload?.offset ?? 0;
    if (upload && !begunHere) resumed_at = offset;
    if (known === undefined) {
      known = await create(http, input);
      await memory.set(known);
    }
    begunHere = true;
    const { upload_id } = known;
    input.onProgress(offset, resumed_at);
    for (;;) {
      await checkReadable(source, offset);
      const start = offset;
      const sent = await sendBody(http, {
        method: "PATCH",
        address: http.address(pathOf(upload_id)),
        headers: {
          ...TUS,
          "content-type": "application/offset+octet-stream",
          "upload-offset": String(start),
        },
        body: source.bytes.slice(start, start + PIECE_BYTES),
        onSent: (bytes) => input.onProgress(start + bytes, resumed_at),
        signal,
      }).catch((error: unknown) => {
        throw mayGoOn(error);
      });
      progressed();
      offset = offsetOf(sent, http);
      if (offset >= size) return acceptedOf(sent) ?? (await asked(upload_id));
    }
  }

  async function asked(upload_id: string): Promise<Accepted> {
    const upload = await http.json<ResumableUpload>("GET", pathOf(upload_id), { headers: TUS, signal });
    if (upload.accepted) return upload.accepted;
    throw wrongAnswer(http, "all bytes are there, and no document");
  }

  try {
    const accepted = await persist(attempt, { signal, onTrouble });
    await memory.forget();
    return accepted;
  } catch (error) {
    // Refused for good: whoever chooses the file again begins anew. Given up by the caller: it may go on later.
    if (error instanceof ApiError && !error.retryable && isRefusal(error)) await memory.forget();
    throw error;
  }
}

const pathOf = (upload_id: string) => `/v1/uploads/${encodeURIComponent(upload_id)}`;

async function create(http: Http, { source, fields, signal }: ResumableInput) {
  const { priority, metadata, ...texts } = fields;
  const response = await http.request("POST", "/v1/uploads", {
    headers: {
      ...TUS,
      "upload-length": String(source.bytes.size),
      "upload-metadata": encodeMetadata({
        filename: source.filename,
        media_type: source.bytes.type || undefined,
        ...texts,
        metadata: metadata === undefined ? undefined : JSON.stringify(metadata),
        priority: priority === undefined ? undefined : String(priority),
      }),
    },
    signal,
  });
  // Only its last part: the rest may name the server as what stands before it sees it.
  const upload_id = /([^/?#]+)\/?(?:[?#]|$)/.exec(response.headers.get("location") ?? "")?.[1];
  if (upload_id === undefined) throw wrongAnswer(http, "a new upload has no Location");
  const expires = Date.parse(response.headers.get("upload-expires") ?? "");
  const expires_at = Number.isNaN(expires) ? null : new Date(expires).toISOString();
  return { upload_id: decodeURIComponent(upload_id), expires_at } satisfies Remembered;
}

/** Keys with their values in base64, of UTF-8. */
function encodeMetadata(values: Record<string, string | undefined>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const bytes = new TextEncoder().encode(value);
      return `${name} ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
    })
    .join(",");
}

/** Another request of the same upload came between: where it stands now has to be asked, and then it goes on. */
function mayGoOn(error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  const { status, code, retry_after_ms, request_id } = error;
  const outOfStep = code === "upload_offset_mismatch" || status === 404 || status === 410 || status === 423;
  if (!outOfStep) return error;
  return new ApiError(error.message, { status, code, retryable: true, retry_after_ms, request_id });
}

function offsetOf(sent: Sent, http: Http): number {
  const offset = Number(sent.header("upload-offset") ?? Number.NaN);
  if (!Number.isSafeInteger(offset)) throw wrongAnswer(http, "there is no Upload-Offset");
  return offset;
}

function acceptedOf({ header }: Sent): Accepted | undefined {
  const document_id = header("sluice-document-id");
  const job_id = header("sluice-job-id");
  const correlation_id = header("sluice-correlation-id");
  const version = Number(header("sluice-version"));
  // A server of another origin has to expose each of them.
  if (!document_id || !job_id || !correlation_id || !version) return undefined;
  const status_url = `/v1/documents/${document_id}`;
  return {
    document_id,
    job_id,
    status: (header("sluice-status") ?? "pending") as DocumentStatus,
    correlation_id,
    version,
    duplicate: header("sluice-duplicate") === "true",
    status_url,
    events_url: `${status_url}/events`,
  };
}

function wrongAnswer(http: Http, what: string): ApiError {
  return new ApiError(`${http.url} does not answer uploads as Sluice does: ${what}.`, {
    status: 0,
    code: "not_sluice",
    retryable: false,
  });
}

function isRefusal({ status }: ApiError): boolean {
  return status >= 400 && status !== 401 && status !== 403;
}
