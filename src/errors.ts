/**
 * The one table of coded errors. A code is part of the API: it appears in problem details (RFC 9457), on failed
 * documents, on dead jobs and in logs. docs/errors.md is made from this table (scripts/docs.ts).
 */

interface ErrorEntry {
  /** HTTP status when the error answers a request. */
  status: number;
  /** Whether the same thing, tried again later and unchanged, may succeed. */
  retryable: boolean;
  /** Whether an attempt that fails with it counts towards the limit. Default true; false where nobody tried. */
  counts?: false;
  /** What happened, in general. */
  title: string;
  /** What the reader can do. */
  fix: string;
}

export const errorTable = {
  invalid_request: {
    status: 400,
    retryable: false,
    title: "The request is not of the documented form",
    fix: "Correct the fields that the detail names; /openapi.json describes every request.",
  },
  unauthorized: {
    status: 401,
    retryable: false,
    title: "No valid API key came with the request",
    fix: "Send `Authorization: Bearer <key>`; `sluice keys create` makes one.",
  },
  forbidden: {
    status: 403,
    retryable: false,
    title: "Whoever makes the request, or the place that it comes from, may not make it",
    fix: "Use a key that may (an operator's, for other tenants and what concerns all), or call the server under its own address: without API keys it answers only as localhost, and to pages of other origins only as SLUICE_ALLOWED_ORIGINS says.",
  },
  not_found: {
    status: 404,
    retryable: false,
    title: "There is no such thing here",
    fix: "Check the id, and that the API key belongs to the tenant that owns it.",
  },
  own_key: {
    status: 409,
    retryable: false,
    title: "A key can't revoke itself",
    fix: "Revoke it with another key, or with `sluice keys revoke` where the storage is.",
  },
  not_ready: {
    status: 409,
    retryable: true,
    title: "That part of the document has not been made yet",
    fix: "Wait for the document's status `completed`; its events tell when.",
  },
  idempotency_key_in_use: {
    status: 409,
    retryable: true,
    title: "A request with this Idempotency-Key is still running",
    fix: "Wait for the first request's answer, then repeat this one.",
  },
  idempotency_key_reused: {
    status: 422,
    retryable: false,
    title: "This Idempotency-Key came before with another payload",
    fix: "Use a new key for a new request.",
  },
  already_ended: {
    status: 409,
    retryable: false,
    title: "The job has already ended",
    fix: "Nothing to cancel; re-ingest the document to run it again.",
  },
  not_dead: {
    status: 409,
    retryable: false,
    title: "Only a dead or cancelled job can be retried",
    fix: "Wait until the job ends, or cancel it first.",
  },
  superseded: {
    status: 409,
    retryable: false,
    title: "The document has moved on to a newer ingestion",
    fix: "Re-ingest the document instead of retrying an old job.",
  },
  conflict: {
    status: 409,
    retryable: true,
    title: "The document kept changing while the request ran",
    fix: "Repeat the request.",
  },
  duplicate_content: {
    status: 409,
    retryable: false,
    title: "Another document of the collection has the same bytes",
    fix: "Use that document, delete it first, or upload into another collection.",
  },
  payload_too_large: {
    status: 413,
    retryable: false,
    title: "The file is larger than this server accepts",
    fix: "Split the file, or raise SLUICE_MAX_UPLOAD_BYTES.",
  },
  upload_incomplete: {
    status: 409,
    retryable: true,
    title: "The bytes of this direct upload are not in the store",
    fix: "Send them with the request that `POST /v1/direct-uploads` answered, then confirm; what stays unconfirmed for six hours is removed.",
  },
  direct_upload_unavailable: {
    status: 501,
    retryable: false,
    title: "This server's store takes no uploads from clients directly",
    fix: "Upload to `POST /v1/documents`; with SLUICE_BLOBS=s3 there are direct uploads.",
  },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    title: "Documents of this media type can't be read",
    fix: "Convert the file to PDF, DOCX, HTML or plain text; docs/formats.md lists what is read.",
  },
  embedder_mismatch: {
    status: 409,
    retryable: false,
    title: "The index was made by another embedder than the one configured",
    fix: "Run `sluice reindex`, or configure the embedder that the detail names; searches with mode `keyword` go on.",
  },
  reindex_under_way: {
    status: 409,
    retryable: false,
    title: "A reindex under another embedder is under way",
    fix: "Wait for its end (`sluice reindex --status`), or give it up with `sluice reindex --cancel`.",
  },
  storage_unavailable: {
    status: 503,
    retryable: true,
    title: "The document could not be stored durably, so it was not accepted",
    fix: "Check free space and permissions of the data folder (`sluice doctor`), then upload again.",
  },
  storage_full: {
    status: 503,
    retryable: true,
    title: "Too little disk space is left to take documents in",
    fix: "Free space where the data folder lies, or lower SLUICE_MIN_FREE_BYTES; uploads are taken again at once.",
  },
  queue_full: {
    status: 429,
    retryable: true,
    title: "The tenant has as many documents waiting as it may",
    fix: "Repeat the upload after the time in Retry-After, or raise SLUICE_MAX_QUEUED_PER_TENANT.",
  },
  overloaded: {
    status: 503,
    retryable: true,
    title: "The server has as much to do as it can take on",
    fix: "Repeat the upload after the time in Retry-After; more workers drain the queue faster.",
  },
  shutting_down: {
    status: 503,
    retryable: true,
    counts: false,
    title: "This process is stopping",
    fix: "Repeat the request; another process, or this one restarted, will answer.",
  },
  internal: {
    status: 500,
    retryable: true,
    title: "Something unforeseen went wrong",
    fix: "Look for the request id in the server's log, and report it.",
  },
  empty_document: {
    status: 422,
    retryable: false,
    title: "The document holds no text",
    fix: "Upload a file with text in it; scans need SLUICE_OCR_LANGUAGES to name their language.",
  },
  encrypted_document: {
    status: 422,
    retryable: false,
    title: "The document is protected by a password",
    fix: "Remove the protection and upload it again.",
  },
  malformed_document: {
    status: 422,
    retryable: false,
    title: "The document is damaged or not what it claims to be",
    fix: "Open it with the program that made it, save it again and upload that copy.",
  },
  limit_exceeded: {
    status: 422,
    retryable: false,
    title: "The document unpacks to, or consists of, more than is allowed",
    fix: "Split the document, or leave out what makes it so large; docs/formats.md lists the limits.",
  },
  extraction_timeout: {
    status: 422,
    retryable: true,
    title: "Reading the document took longer than allowed",
    fix: "Split the document, or raise SLUICE_EXTRACT_TIMEOUT_SECONDS.",
  },
  extraction_out_of_memory: {
    status: 422,
    retryable: true,
    title: "Reading the document took more memory than allowed",
    fix: "Split the document, or raise SLUICE_EXTRACT_MEMORY_MB.",
  },
  extraction_crashed: {
    status: 422,
    retryable: true,
    title: "The process that read the document died",
    fix: "If it happens at every attempt, the file triggers a defect: report it with the file.",
  },
  blob_missing: {
    status: 500,
    retryable: true,
    title: "The stored file is not where it should be",
    fix: "Restore the blob from a backup, or upload the document again.",
  },
  blob_corrupted: {
    status: 500,
    retryable: false,
    title: "The stored file is not what was uploaded: its bytes changed on disk",
    fix: "Check the disk, restore the blob from a backup and retry the job, or upload the document again.",
  },
  embedder_unavailable: {
    status: 503,
    retryable: true,
    title: "The embedding service did not answer as it should",
    fix: "Check SLUICE_EMBEDDER_URL and the service itself; the job is retried by itself.",
  },
  embedder_rate_limited: {
    status: 503,
    retryable: true,
    counts: false,
    title: "The embedding service asked to slow down",
    fix: "Nothing to do: the job is retried after the time that the service named.",
  },
  embedder_rejected: {
    status: 422,
    retryable: false,
    title: "The embedding service refused the request",
    fix: "Check the model name, the API key and the chunk size limit of the service.",
  },
  model_missing: {
    status: 503,
    retryable: false,
    title: "A local model, or the package that runs it, is missing or can't be used",
    fix: "Install or repair what the detail names (`sluice doctor`), restart, then retry the job.",
  },
  reranker_unavailable: {
    status: 503,
    retryable: true,
    title: "The reranker did not answer as it should",
    fix: "Check SLUICE_RERANKER_URL and the service itself (`sluice doctor`); searches answer without it meanwhile.",
  },
  reranker_rejected: {
    status: 422,
    retryable: false,
    title: "The reranker refused the request",
    fix: "Check the model's name and the API key; searches answer without it meanwhile.",
  },
  index_unavailable: {
    status: 503,
    retryable: true,
    title: "The index service did not answer as it should",
    fix: "Check the service and its address (`sluice doctor`); jobs are retried by themselves.",
  },
  index_rate_limited: {
    status: 503,
    retryable: true,
    counts: false,
    title: "The index service asked to slow down",
    fix: "Nothing to do: jobs are retried after the time that the service named. If it lasts, raise its limits.",
  },
  index_rejected: {
    status: 502,
    retryable: false,
    title: "The index service refused the request",
    fix: "Check its key, its dimensions and its quota (`sluice doctor`), then retry the job.",
  },
  worker_lost: {
    status: 500,
    retryable: true,
    title: "The worker process died, or lost its lease, while it ran the job",
    fix: "The job is retried by itself; `sluice jobs list --state dead` shows it when attempts run out.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

/** Whether an attempt that failed with this error counts towards the job's limit. */
export function countsAsAttempt(code: ErrorCode): boolean {
  const entry: ErrorEntry = errorTable[code];
  return entry.counts ?? true;
}

/** An error as stored on documents and jobs and sent on the wire. */
export interface ErrorInfo {
  code: ErrorCode;
  /** A sentence that a user can act on, naming what it happened to. */
  message: string;
  retryable: boolean;
}

export interface SluiceErrorOptions {
  cause?: unknown;
  /** Milliseconds after which a retry makes sense, where that is known. */
  retry_after_ms?: number;
  /** Overrides the table's answer for this one occurrence. */
  retryable?: boolean;
}

/** The only error class that crosses a port. `message` says what happened to which thing; the table says the rest. */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retry_after_ms: number | undefined;

  constructor(code: ErrorCode, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SluiceError";
    this.code = code;
    this.retryable = options.retryable ?? errorTable[code].retryable;
    this.retry_after_ms = options.retry_after_ms;
  }
}

/** What is told of any thrown value: a SluiceError as it is, everything else as `internal`. */
export function toErrorInfo(error: unknown): ErrorInfo {
  if (error instanceof SluiceError) {
    return { code: error.code, message: error.message, retryable: error.retryable };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, retryable: true };
}
