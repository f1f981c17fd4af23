/** The command line as a client of a running server. */
import type { z } from "zod";
import { retryAfterOf } from "../client/api-error.ts";
import { parseEventStream } from "../client/sse.ts";
import type { CollectionInput, CollectionView } from "../collection.ts";
import type { Config } from "../config/config.ts";
import type { Document } from "../document.ts";
import { type ErrorCode, errorTable, SluiceError } from "../errors.ts";
import type { SluiceEvent } from "../events.ts";
import type { Job, JobState } from "../job.ts";
import type { SearchAnswer, SearchRequest } from "../search/search.ts";
import type { AcceptedAnswer, Problem, UploadQuery, uploadFieldsSchema } from "../server/schemas.ts";
import { CommandError } from "./output.ts";

/** Query of an upload, metadata still as JSON. */
export type UploadParameters = Omit<z.input<typeof uploadFieldsSchema>, "priority"> &
  Pick<UploadQuery, "filename">;

export interface UploadBody {
  /** Begins the bytes anew: a retry sends them again. Undefined when there are none. */
  open: () => ReadableStream<Uint8Array> | undefined;
  size_bytes: number;
}

/** An event, or its place in the log, of a stream that may be resumed after it. */
export interface StreamedEvent {
  sequence: string | undefined;
  event: SluiceEvent;
}

/** Every method throws SluiceError for what the server refuses, CommandError when there is no answer from it. */
export interface Client {
  readonly url: string;
  upload(parameters: UploadParameters, body: UploadBody, idempotency_key: string): Promise<AcceptedAnswer>;
  getDocument(document_id: string): Promise<Document>;
  listDocuments(query: {
    collection: string;
    limit: number;
    cursor?: string;
  }): Promise<{ documents: Document[]; next_cursor: string | null }>;
  reingest(document_id: string): Promise<AcceptedAnswer>;
  listCollections(query: {
    limit: number;
    cursor?: string;
  }): Promise<{ collections: CollectionView[]; next_cursor: string | null }>;
  getCollection(collection: string): Promise<CollectionView>;
  putCollection(collection: string, input: CollectionInput): Promise<CollectionView>;
  deleteCollection(collection: string): Promise<void>;
  search(request: SearchRequest): Promise<SearchAnswer>;
  listJobs(query: {
    state?: JobState;
    error_code?: string;
    limit: number;
    cursor?: string;
  }): Promise<{ jobs: Job[]; next_cursor: string | null }>;
  getJob(job_id: string): Promise<Job>;
  /** The journey that a job was a part of. */
  listEvents(correlation_id: string): Promise<SluiceEvent[]>;
  retryJob(job_id: string): Promise<Job>;
  retryDead(query: {
    error_code?: string;
    cursor?: string;
  }): Promise<{ retried: number; skipped: number; next_cursor: string | null }>;
  cancelJob(job_id: string): Promise<Job>;
  /**
   * Opens the stream of events; when this resolves, nothing that happens from now on is missed.
   * @param after resumes there; undefined: from now
   */
  openEvents(
    query: { collection: string; after: string | undefined },
    signal: AbortSignal,
  ): Promise<AsyncGenerator<StreamedEvent, void, void>>;
  /** Status and body of a path that needs no key, whatever the status. */
  probe(path: string, timeout_ms: number): Promise<{ status: number; media_type: string; body: string }>;
}

/** The server says something every 15 s on a stream: after this long without a word, it is gone. */
const STREAM_SILENCE_MS = 45_000;

export function createClient({ url, api_key }: Config["client"]): Client {
  async function request(path: string, init: RequestInit & { duplex?: "half" } = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (api_key !== undefined) headers.set("authorization", `Bearer ${api_key}`);
    let response: Response;
    try {
      response = await fetch(`${url}${path}`, { ...init, headers });
    } catch (error) {
      throw unreachable(url, error);
    }
    if (!response.ok) throw await refusal(url, response, api_key !== undefined);
    return response;
  }

  async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
    return readJson<T>(url, await request(path, init));
  }

  const send = <T>(method: "POST" | "PUT", path: string, body?: unknown) =>
    json<T>(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  const post = <T>(path: string, body?: unknown) => send<T>("POST", path, body);
  const collectionPath = (collection: string) => `/v1/collections/${encodeURIComponent(collection)}`;

  return {
    url,
    async upload(parameters, { open, size_bytes }, idempotency_key) {
      const stream = open();
      const response = await request(`/v1/documents${queryOf(parameters)}`, {
        method: "POST",
        headers: {
          // The server looks at the bytes and the name.
          "content-type": "application/octet-stream",
          "content-length": String(size_bytes),
          "idempotency-key": `"${idempotency_key}"`,
        },
        ...(stream === undefined ? {} : { body: stream, duplex: "half" }),
      });
      return readJson<AcceptedAnswer>(url, response);
    },
    getDocument: (document_id) => json(`/v1/documents/${encodeURIComponent(document_id)}`),
    listDocuments: (query) => json(`/v1/documents${queryOf(query)}`),
    reingest: (document_id) => post(`/v1/documents/${encodeURIComponent(document_id)}/reingest`),
    listCollections: (query) => json(`/v1/collections${queryOf(query)}`),
    getCollection: (collection) => json(collectionPath(collection)),
    putCollection: (collection, input) => send("PUT", collectionPath(collection), input),
    async deleteCollection(collection) {
      await request(collectionPath(collection), { method: "DELETE" });
    },
    search: (body) => post("/v1/search", body),
    listJobs: (query) => json(`/v1/jobs${queryOf(query)}`),
    getJob: (job_id) => json(`/v1/jobs/${encodeURIComponent(job_id)}`),
    retryJob: (job_id) => post(`/v1/jobs/${encodeURIComponent(job_id)}/retry`),
    retryDead: (query) => post("/v1/jobs/retry", query),
    async listEvents(correlation_id) {
      const events: SluiceEvent[] = [];
      for (let after = 0; ; ) {
        const query = queryOf({ correlation_id, after, limit: 1_000 });
        const page = await json<{ events: SluiceEvent[] }>(`/v1/events${query}`);
        events.push(...page.events);
        const last = page.events.at(-1);
        if (!last || page.events.length < 1_000) return events;
        after = last.sequence;
      }
    },
    cancelJob: (job_id) => post(`/v1/jobs/${encodeURIComponent(job_id)}/cancel`),
    async openEvents({ collection, after }, signal) {
      const silence = new AbortController();
      const response = await request(`/v1/events/stream${queryOf({ collection })}`, {
        headers: {
          accept: "text/event-stream",
          ...(after === undefined ? {} : { "last-event-id": after }),
        },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      return streamedEvents(url, response, silence);
    },
    async probe(path, timeout_ms) {
      try {
        const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(timeout_ms) });
        const media_type = response.headers.get("content-type") ?? "";
        return { status: response.status, media_type, body: await response.text() };
      } catch (error) {
        throw unreachable(url, error);
      }
    },
  };
}

/** A list's pages, each asked for when it is wanted. @param ask is told where the page begins */
export async function* pagesOf<Page extends { next_cursor: string | null }>(
  ask: (start: { cursor?: string }) => Promise<Page>,
): AsyncGenerator<Page> {
  for (let cursor: string | null = null; ; ) {
    const page: Page = await ask(cursor === null ? {} : { cursor });
    yield page;
    cursor = page.next_cursor;
    if (cursor === null) return;
  }
}

async function* streamedEvents(url: string, response: Response, silence: AbortController) {
  const timer = setTimeout(() => silence.abort(), STREAM_SILENCE_MS);
  timer.unref();
  try {
    const source = response.body as AsyncIterable<Uint8Array> | null;
    if (source === null) return;
    for await (const { id, data } of parseEventStream(source, () => timer.refresh())) {
      yield { sequence: id, event: JSON.parse(data) as SluiceEvent };
    }
  } catch (error) {
    throw unreachable(url, error);
  } finally {
    clearTimeout(timer);
  }
}

function queryOf(parameters: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? "" : `?${query}`;
}

async function readJson<T>(url: string, response: Response): Promise<T> {
  if (!response.headers.get("content-type")?.includes("json")) throw notSluice(url, response.status);
  try {
    return (await response.json()) as T;
  } catch (error) {
    // The answer broke off.
    throw unreachable(url, error);
  }
}

function unreachable(url: string, error: unknown): CommandError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, message } = cause as Partial<NodeJS.ErrnoException>;
  const why = code ?? message ?? String(cause);
  return new CommandError(
    "server_unreachable",
    `No Sluice server answers at ${url} (${why}). Start one with \`sluice start\` (in a checkout: \`npm start\`), or name another with SLUICE_URL.`,
    { retryable: true, cause: error },
  );
}

function notSluice(url: string, status: number, retry_after_ms?: number): CommandError {
  // What stands before a server answers like this while the server itself is away, or busy.
  const retryable = status === 429 || status === 502 || status === 503 || status === 504;
  return new CommandError(
    "not_sluice",
    `${url} answered ${status}, but not as Sluice does. Check SLUICE_URL, SLUICE_HOST and SLUICE_PORT.`,
    { retryable, retry_after_ms },
  );
}

/** The error that an answer stands for. */
async function refusal(url: string, response: Response, withKey: boolean): Promise<Error> {
  const { status } = response;
  const retry_after_ms = retryAfterOf(response.headers.get("retry-after"));
  let problem: Partial<Problem>;
  try {
    problem = (await response.json()) as Partial<Problem>;
  } catch {
    // No JSON: whoever answered, it was not Sluice.
    return notSluice(url, status, retry_after_ms);
  }
  const { code, detail, retryable = status === 429 || status === 503 } = problem;
  if (code === undefined || detail === undefined) return notSluice(url, status, retry_after_ms);
  if (code === "unauthorized") {
    return new CommandError(
      code,
      withKey
        ? `${url} does not know the API key in SLUICE_API_KEY. Make one with \`sluice keys create\`.`
        : `${url} asks for an API key. Set SLUICE_API_KEY; \`sluice keys create\` makes a key.`,
    );
  }
  // A newer server may know codes that this table does not.
  if (!isErrorCode(code)) return new CommandError(code, detail, { retryable, retry_after_ms });
  return new SluiceError(code, detail, {
    retryable,
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
