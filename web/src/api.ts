/** The server's API as this page uses it. Every failure becomes an ApiError with words to show. */
import type { Document } from "../../src/document.ts";
import type { Accepted } from "../../src/intake/upload.ts";
import type { SearchHit, SearchMode } from "../../src/search/search.ts";

export type { Accepted, Document, SearchHit, SearchMode };

const KEY = "sluice_api_key";
/** Uploads wait no longer than this before the server is asked again, in milliseconds. */
const MAX_PAUSE_MS = 30_000;

export class ApiError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly retryable: boolean;
  /** Milliseconds that the server asks to wait, where it does. */
  readonly retry_after_ms: number | undefined;
  constructor(message: string, status: number, retryable: boolean, retry_after_ms?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.retryable = retryable;
    this.retry_after_ms = retry_after_ms;
  }
}

const unreachable = () => new ApiError("The server can't be reached. Is it running?", 0, true);

export function apiKey(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Kept until the tab is closed. */
export function keepApiKey(key: string): void {
  sessionStorage.setItem(KEY, key);
}

let askForKey: () => void = () => {};

/** Calls back whenever the server refuses the key, or the lack of one. */
export function onKeyNeeded(ask: () => void): void {
  askForKey = ask;
}

function problemOf(status: number, text: string, retryAfter: string | null): ApiError {
  if (status === 401) askForKey();
  let problem: { title?: string; detail?: string; retryable?: boolean } = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // Not from Sluice itself, such as a proxy's own error page: the status has to do.
  }
  const said = problem.detail ?? problem.title ?? `The server answered ${status}.`;
  const seconds = Number(retryAfter);
  return new ApiError(
    said,
    status,
    problem.retryable ?? status >= 500,
    retryAfter !== null && Number.isFinite(seconds) ? Math.min(seconds * 1_000, MAX_PAUSE_MS) : undefined,
  );
}

async function request(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = {};
  const key = apiKey();
  if (key !== null) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (response.ok) return response;
  throw problemOf(response.status, await response.text(), response.headers.get("retry-after"));
}

const pathOf = (document_id: string) => `/v1/documents/${encodeURIComponent(document_id)}`;

export interface DocumentPage {
  documents: Document[];
  next_cursor: string | null;
}

/** Newest first. */
export async function listDocuments(cursor: string | null): Promise<DocumentPage> {
  const query = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  return (await request("GET", `/v1/documents?limit=50${query}`)).json();
}

export async function getDocument(document_id: string): Promise<Document> {
  return (await request("GET", pathOf(document_id))).json();
}

/** The text between two places, or less where it ends before. */
export async function getText(
  document_id: string,
  char_start: number,
  char_end: number,
  signal: AbortSignal,
): Promise<string> {
  const stretch = `char_start=${char_start}&char_end=${char_end}`;
  return (await request("GET", `${pathOf(document_id)}/text?${stretch}`, undefined, signal)).text();
}

export async function reingestDocument(document_id: string): Promise<void> {
  await request("POST", `${pathOf(document_id)}/reingest`);
}

export async function deleteDocument(document_id: string): Promise<void> {
  await request("DELETE", pathOf(document_id));
}

export async function cancelJob(job_id: string): Promise<void> {
  await request("POST", `/v1/jobs/${encodeURIComponent(job_id)}/cancel`);
}

export async function retryJob(job_id: string): Promise<void> {
  await request("POST", `/v1/jobs/${encodeURIComponent(job_id)}/retry`);
}

export async function search(query: string, mode: SearchMode, signal: AbortSignal): Promise<SearchHit[]> {
  const response = await request("POST", "/v1/search", { query, mode, top_k: 10 }, signal);
  return (await response.json()).hits;
}

/** A name for one upload, the same however often it has to be sent. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sends one file. XMLHttpRequest, because fetch does not tell how much of a body has gone.
 *
 * @param onSent bytes sent so far, of the whole request
 */
export function sendFile(
  file: File,
  idempotencyKey: string,
  onSent: (sent: number, total: number) => void,
): Promise<Accepted> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", "/v1/documents");
    xhr.setRequestHeader("idempotency-key", idempotencyKey);
    const key = apiKey();
    if (key !== null) xhr.setRequestHeader("authorization", `Bearer ${key}`);
    xhr.upload.onprogress = (event) => onSent(event.loaded, event.total);
    xhr.onerror = () => reject(unreachable());
    xhr.onload = () => {
      if (xhr.status < 300) resolve(JSON.parse(xhr.responseText));
      else reject(problemOf(xhr.status, xhr.responseText, xhr.getResponseHeader("retry-after")));
    };
    const form = new FormData();
    form.append("file", file, file.name);
    xhr.send(form);
  });
}
