/** What every method of the client throws. */
import type { ErrorCode } from "../errors.ts";
import type { FieldError } from "../server/schemas.ts";

/**
 * A code of the server's table (docs/errors.md), or the client's own: `unreachable` when no answer came, `not_sluice`
 * when the answer was not Sluice's, `source_unreadable` when the file to upload was changed or removed. A newer server
 * may know more.
 */
export type ApiErrorCode = ErrorCode | "unreachable" | "not_sluice" | "source_unreadable" | (string & {});

export interface ApiErrorDetails {
  status: number;
  code: ApiErrorCode;
  retryable: boolean;
  retry_after_ms?: number | undefined;
  request_id?: string | undefined;
  errors?: FieldError[] | undefined;
  cause?: unknown;
}

/** `message` is a sentence for people: what happened, and to what. */
export class ApiError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: ApiErrorCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Milliseconds that the server asks to wait, where it does. */
  readonly retry_after_ms: number | undefined;
  /** Names the request in the server's log. */
  readonly request_id: string | undefined;
  /** The fields that are wrong, where the request was. */
  readonly errors: readonly FieldError[] | undefined;

  constructor(message: string, details: ApiErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ApiError";
    this.status = details.status;
    this.code = details.code;
    this.retryable = details.retryable;
    this.retry_after_ms = details.retry_after_ms;
    this.request_id = details.request_id;
    this.errors = details.errors;
  }
}

/** No answer came: the server is down, or the way to it. */
export function unreachable(url: string, cause: unknown): ApiError {
  return new ApiError(`The server at ${url} can't be reached. Is it running?`, {
    status: 0,
    code: "unreachable",
    retryable: true,
    cause,
  });
}

/**
 * The error that an answer stands for.
 *
 * @param text its body, whatever it is
 * @param retryAfter its Retry-After header
 */
export function refusalOf(url: string, status: number, text: string, retryAfter: string | null): ApiError {
  const retry_after_ms = retryAfterOf(retryAfter);
  const problem = problemOf(text);
  if (problem === undefined) {
    // What stands before a server answers like this while the server itself is away, or busy.
    const retryable = status === 429 || status === 502 || status === 503 || status === 504;
    const message = `${url} answered ${status}, but not as Sluice does. Is the address right?`;
    return new ApiError(message, { status, code: "not_sluice", retryable, retry_after_ms });
  }
  const { code, detail, title, retryable = status === 429 || status >= 500, request_id, errors } = problem;
  const message = detail ?? title ?? `The server answered ${status}.`;
  return new ApiError(message, { status, code, retryable, retry_after_ms, request_id, errors });
}

interface Told {
  code: string;
  title?: string;
  detail?: string;
  retryable?: boolean;
  request_id?: string;
  errors?: FieldError[];
}

function problemOf(text: string): Told | undefined {
  try {
    const problem = JSON.parse(text) as Partial<Told> | null;
    return typeof problem?.code === "string" ? (problem as Told) : undefined;
  } catch {
    return undefined; // A proxy's own error page, most often.
  }
}

/** Milliseconds of a Retry-After header: seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
