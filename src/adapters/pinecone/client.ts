/**
 * The calls of Pinecone's data plane that the index needs, over plain HTTP, by its published reference (API version
 * 2025-10): upsert, query, list, delete and describe_index_stats of one index.
 */
import { SluiceError } from "../../errors.ts";
import type { System } from "../../ports/system.ts";
import { describe, readMessage, retryAfterMs } from "./answer.ts";

export interface PineconeClientOptions {
  /** The data plane of one index, for example `https://docs-abc123.svc.aped-1234.pinecone.io`. */
  index_host: string;
  /** Sent as `Api-Key`; appears in no message. */
  api_key: string;
  /** Sent as `X-Pinecone-Api-Version`. Default 2025-10. */
  api_version?: string;
  /** Milliseconds that one request may take, answer read included. Default 30,000. */
  timeout_ms?: number;
  /** Tries after the first. Default 3. */
  max_retries?: number;
  /** Default the built-in `fetch`. */
  fetch?: typeof globalThis.fetch;
  system: System;
}

/** What Pinecone says of the index; `metric` and `vectorType` not in every version of the API. */
export interface IndexStats {
  dimension?: number;
  metric?: string;
  vectorType?: string;
  totalVectorCount?: number;
}

export interface Match {
  id: string;
  score: number;
  metadata?: Record<string, unknown>;
}

export interface PineconeQuery {
  vector: number[];
  top_k: number;
  filter?: Record<string, unknown>;
  with_metadata?: boolean;
}

export interface PineconeClient {
  /** @param records each of them JSON. @returns the number of this write, where Pinecone tells it */
  upsert(namespace: string, records: readonly string[]): Promise<number | undefined>;
  query(namespace: string, query: PineconeQuery): Promise<Match[]>;
  /** Number of the newest write that queries see; undefined where Pinecone doesn't tell. */
  indexedUpTo(namespace: string, vector: number[]): Promise<number | undefined>;
  /** Every id that begins so; of a serverless index only. */
  list(namespace: string, prefix: string): AsyncIterable<string[]>;
  /** At most 1,000 ids; those that aren't there are no error. @returns as `upsert` */
  delete(namespace: string, ids: readonly string[]): Promise<number | undefined>;
  stats(): Promise<IndexStats>;
  /** Ends what is under way. */
  close(): void;
}

/** What Pinecone gives at most on one page of a listing. */
const PAGE = 100;
/** The longest wait inside one call; whoever is told to wait longer leaves the wait to the job's retry. */
const LONGEST_WAIT_MS = 5_000;
const FIRST_BACKOFF_MS = 250;

interface Answer {
  headers: Headers;
  body: Record<string, unknown>;
}

interface Failure {
  message: string;
  retry_after_ms?: number | undefined;
  limited?: boolean;
  cause?: unknown;
}

/** An answer that no repetition changes: 400, 401, 403, 404 and alike. */
export interface Refusal {
  status: number;
}

/**
 * Every call can be repeated without harm, so timeouts, broken connections, unreadable answers and the statuses 408,
 * 409, 425, 429 and 5xx are tried again after a wait with full jitter, or after what `Retry-After` says when that is at
 * most 5 s. Then, or when asked to wait longer, a call throws SluiceError `index_unavailable`, for 429
 * `index_rate_limited` with `retry_after_ms`. Every other status is `index_rejected`, with the status as `cause`.
 *
 * @throws TypeError when the options make no sense; nothing is sent before the first call
 */
export function createPineconeClient(options: PineconeClientOptions): PineconeClient {
  const { api_key, api_version = "2025-10", timeout_ms = 30_000, max_retries = 3, system } = options;
  const send = options.fetch ?? globalThis.fetch;
  const host = hostOf(options.index_host);
  if (api_key === "") throw new TypeError("api_key must not be empty");
  if (!(timeout_ms > 0)) throw new TypeError(`timeout_ms must be more than 0, not ${timeout_ms}`);
  const headers = {
    "api-key": api_key,
    "x-pinecone-api-version": api_version,
    "content-type": "application/json",
    accept: "application/json",
  };
  const service = `The Pinecone index at ${host.host}`;
  const closed = new AbortController();

  /** What one request came to: an answer, or a failure that may pass. What can't pass is thrown. */
  async function tryOnce(path: string, body: string | undefined): Promise<Answer | Failure> {
    const limit = new AbortController();
    const over = new AbortController();
    void system.sleep(timeout_ms, over.signal).then(() => {
      if (!over.signal.aborted) limit.abort();
    });
    let response: Response;
    let text: string;
    try {
      response = await send(new URL(path, host), {
        headers,
        signal: AbortSignal.any([limit.signal, closed.signal]),
        // Not followed: the key would travel to another place.
        redirect: "manual",
        ...(body === undefined ? {} : { method: "POST", body }),
      });
      text = await response.text();
    } catch (cause) {
      closed.signal.throwIfAborted();
      const what = limit.signal.aborted
        ? `did not answer within ${timeout_ms} ms`
        : `gave no answer: ${describe(cause)}`;
      return { message: `${service} ${what}`, cause };
    } finally {
      over.abort();
    }
    const { status } = response;
    if (status < 200 || status > 299) {
      const said = readMessage(text).replaceAll(api_key, "[api key]");
      const message = `${service} answered ${status}${said === "" ? "" : `: ${said}`}`;
      const retry_after_ms = retryAfterMs(response.headers.get("retry-after"), system.now());
      if (status === 429) return { message, retry_after_ms, limited: true };
      if ([408, 409, 425].includes(status) || status >= 500) return { message, retry_after_ms };
      const cause: Refusal = { status };
      throw new SluiceError("index_rejected", message, { cause });
    }
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === "object" && parsed !== null) {
        return { headers: response.headers, body: parsed as Record<string, unknown> };
      }
      return { message: `${service} sent an answer that is no JSON object` };
    } catch (cause) {
      return { message: `${service} sent an answer that is not JSON, or was cut off`, cause };
    }
  }

  async function call(path: string, body?: string): Promise<Answer> {
    for (let retry = 0; ; retry++) {
      closed.signal.throwIfAborted();
      const result = await tryOnce(path, body);
      if ("body" in result) return result;
      const { message, retry_after_ms, limited, cause } = result;
      const wait =
        retry_after_ms ?? system.random() * Math.min(LONGEST_WAIT_MS, FIRST_BACKOFF_MS * 2 ** retry);
      if (retry >= max_retries || wait > LONGEST_WAIT_MS) {
        const tries = retry === 0 ? "" : ` (tried ${retry + 1} times)`;
        // A limit always comes with a time, so that the job's retry leaves Pinecone alone for a while.
        const known = retry_after_ms ?? (limited ? LONGEST_WAIT_MS : undefined);
        throw new SluiceError(limited ? "index_rate_limited" : "index_unavailable", message + tries, {
          cause,
          ...(known === undefined ? {} : { retry_after_ms: known }),
        });
      }
      await system.sleep(wait, closed.signal);
    }
  }

  /** A namespace comes into being with its first record: before that there is nothing in it. */
  async function callUnlessNone(path: string, body?: string): Promise<Answer | undefined> {
    try {
      return await call(path, body);
    } catch (error) {
      if (refusedWith(error) === 404 && /namespace/i.test((error as Error).message)) return undefined;
      throw error;
    }
  }

  const unexpected = (what: string) => new SluiceError("index_unavailable", `${service} ${what}`);

  function queryBody(namespace: string, query: PineconeQuery): string {
    return JSON.stringify({
      namespace,
      vector: query.vector,
      topK: query.top_k,
      includeMetadata: query.with_metadata ?? false,
      includeValues: false,
      ...(query.filter === undefined ? {} : { filter: query.filter }),
    });
  }

  return {
    async upsert(namespace, records) {
      const answer = await call(
        "/vectors/upsert",
        `{"namespace":${JSON.stringify(namespace)},"vectors":[${records.join(",")}]}`,
      );
      const count = Number(answer.body.upsertedCount);
      if (count !== records.length) throw unexpected(`took ${count} of ${records.length} records`);
      return lsnOf(answer, "x-pinecone-request-lsn");
    },

    async query(namespace, query) {
      const answer = await callUnlessNone("/query", queryBody(namespace, query));
      const body = answer?.body ?? {};
      if (body.matches !== undefined && !Array.isArray(body.matches)) {
        throw unexpected("sent an answer without a list `matches`");
      }
      return (body.matches ?? []) as Match[];
    },

    async indexedUpTo(namespace, vector) {
      const answer = await call("/query", queryBody(namespace, { vector, top_k: 1 }));
      return lsnOf(answer, "x-pinecone-max-indexed-lsn");
    },

    async *list(namespace, prefix) {
      let token: string | undefined;
      do {
        const asked = new URLSearchParams({ namespace, prefix, limit: String(PAGE) });
        if (token !== undefined) asked.set("paginationToken", token);
        const answer = await callUnlessNone(`/vectors/list?${asked}`);
        const { vectors = [], pagination } = (answer?.body ?? {}) as {
          vectors?: { id: string }[];
          pagination?: { next?: string };
        };
        yield vectors.map(({ id }) => id);
        token = pagination?.next || undefined;
      } while (token !== undefined);
    },

    async delete(namespace, ids) {
      const answer = await callUnlessNone("/vectors/delete", JSON.stringify({ namespace, ids }));
      return answer && lsnOf(answer, "x-pinecone-request-lsn");
    },

    async stats() {
      return (await call("/describe_index_stats", "{}")).body as IndexStats;
    },

    close: () => closed.abort(new Error("the Pinecone index was closed")),
  };
}

/** The status of an answer that no repetition changes; undefined for every other error. */
export function refusedWith(error: unknown): number | undefined {
  if (!(error instanceof SluiceError) || error.retryable) return undefined;
  return (error.cause as Partial<Refusal> | undefined)?.status;
}

/** Pinecone numbers the writes of a namespace, and says with a query up to which one it has looked. */
function lsnOf({ headers }: Answer, name: string): number | undefined {
  const value = headers.get(name);
  return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
}

function hostOf(index_host: string): URL {
  const host = URL.parse(index_host);
  if (host === null || !/^https?:$/.test(host.protocol)) {
    throw new TypeError("index_host must be an http or https address, as the console shows it");
  }
  if (host.username !== "" || host.password !== "") {
    throw new TypeError("index_host must not contain a user or password; use api_key");
  }
  return host;
}
