import { createHash } from "node:crypto";
import { SluiceError } from "../../errors.ts";
import type { Embedder } from "../../ports/embedder.ts";
import type { System } from "../../ports/system.ts";
import { endpointOf, reasonOf } from "../http-service.ts";
import { parseVectors, readServiceMessage, retryAfterMs } from "./response.ts";

export interface OpenAiEmbedderOptions {
  /** The API's base, for example `https://api.openai.com/v1` or `http://localhost:11434/v1`. */
  url: string;
  model: string;
  /** Sent as `Authorization: Bearer …`; appears in no message. */
  api_key?: string;
  /** Length of the model's vectors; an answer of another length is refused. */
  dimensions: number;
  /** Sends `dimensions` along, for models that can shorten their vectors. Others refuse it. Default false. */
  request_dimensions?: boolean;
  /**
   * How vectors travel. base64 has a quarter of the bytes, and next to nothing to parse; not every service knows it, and
   * some send numbers all the same, which is understood. Default float.
   */
  encoding?: "float" | "base64";
  /** Texts in one request. Default 64. */
  batch_size?: number;
  /** Milliseconds that one request may take, answer read included. Default 30,000. */
  timeout_ms?: number;
  /** Tries after the first. Default 3. */
  max_retries?: number;
  /** Put before texts that are searched for, where the model wants it ("query: " for E5). */
  query_prefix?: string;
  /** Put before texts of documents ("passage: " for E5). */
  passage_prefix?: string;
  /** Default the built-in `fetch`. */
  fetch?: typeof globalThis.fetch;
  system: System;
}

/** The longest wait inside one call; whoever is told to wait longer leaves the wait to the job's retry. */
const LONGEST_WAIT_MS = 5_000;
const FIRST_BACKOFF_MS = 250;

/**
 * An embedder behind `POST {url}/embeddings`, the API of OpenAI (https://platform.openai.com/docs/api-reference/embeddings)
 * that Ollama, vLLM, Text Embeddings Inference and others speak too.
 *
 * Timeouts, broken connections, unreadable answers and the statuses 408, 409, 425, 429 and 5xx are tried again
 * after a wait with full jitter, or after what `Retry-After` says when that is at most 5 s. Then, or when asked to
 * wait longer, `embed` throws `embedder_rate_limited` (for 429) or `embedder_unavailable`. Every other status, and
 * vectors of another length than configured, are `embedder_rejected`.
 *
 * Texts without content are not sent; their vectors are all zero.
 *
 * @throws TypeError when the options make no sense; nothing is sent before the first `embed` or `check`
 */
export function createOpenAiEmbedder(options: OpenAiEmbedderOptions): Embedder {
  const { model, api_key, dimensions, request_dimensions = false, encoding = "float", system } = options;
  const { batch_size = 64, timeout_ms = 30_000, max_retries = 3 } = options;
  const { query_prefix = "", passage_prefix = "" } = options;
  const send = options.fetch ?? globalThis.fetch;
  const endpoint = endpointOf(options.url, "embeddings");
  if (model === "") throw new TypeError("model must not be empty");
  requireWhole("dimensions", dimensions, 1);
  requireWhole("batch_size", batch_size, 1);
  requireWhole("timeout_ms", timeout_ms, 1);
  requireWhole("max_retries", max_retries, 0);
  const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
  if (api_key !== undefined) headers.authorization = `Bearer ${api_key}`;
  // A query string may carry a secret, so messages name the address without it.
  const service = `The embedding service at ${endpoint.origin}${endpoint.pathname}`;

  /** What one request came to: vectors, or a failure that may pass. What can't pass is thrown. */
  async function tryOnce(input: string[], signal: AbortSignal | undefined): Promise<Attempt> {
    const body = JSON.stringify({
      model,
      input,
      encoding_format: encoding,
      ...(request_dimensions ? { dimensions } : {}),
    });
    using limit = limitTime(system, timeout_ms, signal);
    let status: number;
    let retry_after_ms: number | undefined;
    let text: string;
    try {
      // Not followed: a redirected POST may lose its body, and the key would travel to another place.
      const response = await send(endpoint, {
        method: "POST",
        headers,
        body,
        signal: limit.signal,
        redirect: "manual",
      });
      status = response.status;
      retry_after_ms = retryAfterMs(response.headers.get("retry-after"), system.now());
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const what = limit.signal.aborted
        ? `did not answer within ${timeout_ms} ms`
        : `gave no answer: ${reasonOf(cause)}`;
      return failed("embedder_unavailable", `${service} ${what}`, undefined, cause);
    }
    signal?.throwIfAborted();
    if (status < 200 || status > 299) {
      const said = withoutKey(readServiceMessage(text), api_key);
      const message = `${service} answered ${status}${said === "" ? "" : `: ${said}`}`;
      if (status === 429) return failed("embedder_rate_limited", message, retry_after_ms);
      if ([408, 409, 425].includes(status) || status >= 500) {
        return failed("embedder_unavailable", message, retry_after_ms);
      }
      throw new SluiceError("embedder_rejected", message);
    }
    const vectors = parseVectors(text, input.length);
    if (typeof vectors === "string") return failed("embedder_unavailable", `${service} ${vectors}`);
    const wrong = vectors.find((vector) => vector.length !== dimensions);
    if (wrong !== undefined) {
      throw new SluiceError(
        "embedder_rejected",
        `${service} makes vectors of ${wrong.length} dimensions with model ${model}, but ${dimensions} are configured`,
      );
    }
    return { vectors };
  }

  async function request(input: string[], signal: AbortSignal | undefined): Promise<Float32Array[]> {
    for (let retry = 0; ; retry++) {
      signal?.throwIfAborted();
      const attempt = await tryOnce(input, signal);
      if ("vectors" in attempt) return attempt.vectors;
      const { code, message, retry_after_ms, cause } = attempt;
      const wait =
        retry_after_ms ?? system.random() * Math.min(LONGEST_WAIT_MS, FIRST_BACKOFF_MS * 2 ** retry);
      if (retry >= max_retries || wait > LONGEST_WAIT_MS) {
        const tries = retry === 0 ? "" : ` (tried ${retry + 1} times)`;
        // A limit always comes with a time, so that the job's retry leaves the service alone for a while.
        const known = retry_after_ms ?? (code === "embedder_rate_limited" ? LONGEST_WAIT_MS : undefined);
        throw new SluiceError(code, message + tries, {
          cause,
          ...(known === undefined ? {} : { retry_after_ms: known }),
        });
      }
      await system.sleep(wait, signal);
    }
  }

  async function embed(
    texts: string[],
    kind: "passage" | "query",
    signal?: AbortSignal,
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const prefix = kind === "query" ? query_prefix : passage_prefix;
    const vectors = texts.map(() => new Float32Array(dimensions));
    const filled = [...texts.keys()].filter((i) => texts[i]?.trim() !== "");
    for (let from = 0; from < filled.length; from += batch_size) {
      const places = filled.slice(from, from + batch_size);
      const made = await request(
        places.map((i) => prefix + texts[i]),
        signal,
      );
      for (const [n, place] of places.entries()) vectors[place] = made[n] as Float32Array<ArrayBuffer>;
    }
    return vectors;
  }

  return {
    embedder_id: `openai:${model}:${dimensions}${suffixOf(query_prefix, passage_prefix)}`,
    dimensions,
    batch_size,
    embed,
    async check() {
      await embed(["check"], "query");
    },
  };
}

/** Vectors made with other prefixes are other vectors: prefixes are a part of the embedder's id, as a short hash. */
function suffixOf(query_prefix: string, passage_prefix: string): string {
  if (query_prefix === "" && passage_prefix === "") return "";
  const prefixes = JSON.stringify([query_prefix, passage_prefix]);
  return `:${createHash("sha256").update(prefixes).digest("hex").slice(0, 8)}`;
}

type Attempt =
  | { vectors: Float32Array[] }
  | {
      code: "embedder_unavailable" | "embedder_rate_limited";
      message: string;
      retry_after_ms: number | undefined;
      cause: unknown;
    };

function failed(
  code: "embedder_unavailable" | "embedder_rate_limited",
  message: string,
  retry_after_ms?: number,
  cause?: unknown,
): Attempt {
  return { code, message, retry_after_ms, cause };
}

function requireWhole(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new TypeError(`${name} must be a whole number of at least ${least}, not ${value}`);
  }
}

/** A signal that fires with the caller's, or after `ms`, until it is disposed of. */
function limitTime(
  system: System,
  ms: number,
  signal: AbortSignal | undefined,
): Disposable & { signal: AbortSignal } {
  const limit = new AbortController();
  const over = new AbortController();
  const forward = () => limit.abort(signal?.reason);
  signal?.addEventListener("abort", forward, { once: true });
  void system.sleep(ms, over.signal).then(() => {
    if (!over.signal.aborted) limit.abort();
  });
  return {
    signal: limit.signal,
    [Symbol.dispose]() {
      signal?.removeEventListener("abort", forward);
      over.abort();
    },
  };
}

function withoutKey(message: string, api_key: string | undefined): string {
  return api_key ? message.replaceAll(api_key, "[api key]") : message;
}
