/** One POST to a webhook's URL, within limits of time and size, and to no address that may not be called. */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { System } from "../ports/system.ts";
import {
  type AddressPolicy,
  createResolve,
  guardedLookup,
  RefusedAddressError,
  type Resolve,
  urlTrouble,
} from "./address.ts";
import { parseRetryAfter } from "./schedule.ts";

/** Until the answer's status, or as much of its body as is kept, is there. */
const TIMEOUT_MS = 15_000;
const MAX_RESPONSE_BYTES = 4_096;
/** An idle connection is kept for further requests so long. */
const IDLE_MS = 5_000;

export interface WebhookAnswer {
  /** HTTP status; null: there was no answer. */
  status: number | null;
  /** For the tenant; null: it was taken (2xx). */
  error: string | null;
  /** How the body begins; null: there was no answer. */
  response: string | null;
  duration_ms: number;
  retry_after_ms?: number;
  /** The caller's signal fired before there was an answer: whether the receiver took it isn't known. */
  stopped: boolean;
}

export interface Sender {
  /** Never rejects: what went wrong is in the answer. */
  post(
    url: string,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<WebhookAnswer>;
  close(): void;
}

interface Exchange {
  status: number;
  headers: IncomingHttpHeaders;
  response: string;
}

export function createSender(
  system: System,
  policy: AddressPolicy,
  resolve: Resolve = createResolve(),
): Sender {
  const agentOptions = { keepAlive: true, timeout: IDLE_MS, scheduling: "lifo" } as const;
  const transports = {
    "http:": { request: httpRequest, agent: new HttpAgent(agentOptions) },
    "https:": { request: httpsRequest, agent: new HttpsAgent(agentOptions) },
  };

  function exchange(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<Exchange> {
    const { request, agent } = transports[url.protocol as keyof typeof transports];
    return new Promise((resolved, reject) => {
      const sent = request(
        url,
        {
          method: "POST",
          agent,
          lookup: guardedLookup(url.protocol, policy, resolve),
          headers: { ...headers, "content-length": Buffer.byteLength(body) },
          signal,
        },
        (answer) => {
          readStart(answer).then((response) =>
            resolved({ status: answer.statusCode ?? 0, headers: answer.headers, response }),
          );
        },
      );
      sent.on("error", (error) => {
        const stale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";
        // The receiver closed an idle connection just as it was used: nobody has seen the request.
        if (stale && !signal.aborted) exchange(url, headers, body, signal).then(resolved, reject);
        else reject(error);
      });
      sent.end(body);
    });
  }

  return {
    async post(url, headers, body, signal) {
      const began = system.monotonic();
      const told = (rest: Partial<WebhookAnswer> & Pick<WebhookAnswer, "error">): WebhookAnswer => ({
        status: null,
        response: null,
        stopped: false,
        duration_ms: Math.round((system.monotonic() - began) * 10) / 10,
        ...rest,
      });
      // Also an address that was allowed when the webhook was made. One that is no name is never looked up.
      const trouble = urlTrouble(url, policy);
      if (trouble !== undefined) return told({ error: trouble });
      const late = new AbortController();
      const done = new AbortController();
      void system.sleep(TIMEOUT_MS, done.signal).then(() => late.abort());
      try {
        const either = AbortSignal.any([signal, late.signal]);
        const { status, headers: answered, response } = await exchange(new URL(url), headers, body, either);
        const retry_after_ms = parseRetryAfter(answered["retry-after"], system.now());
        const waits = (status === 429 || status === 503) && retry_after_ms !== undefined;
        return told({ status, response, error: statusTrouble(status), ...(waits ? { retry_after_ms } : {}) });
      } catch (error) {
        if (signal.aborted) return told({ error: "It was stopped.", stopped: true });
        if (late.signal.aborted)
          return told({ error: `There was no answer within ${TIMEOUT_MS / 1_000} s.` });
        return told({ error: failure(error) });
      } finally {
        done.abort();
      }
    },
    close() {
      for (const { agent } of Object.values(transports)) agent.destroy();
    },
  };
}

/** What is kept of an answer's body. Its status decides, so a body that breaks off, or never ends, is no failure. */
function readStart(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  return new Promise((resolve) => {
    const end = () => resolve(Buffer.concat(parts).subarray(0, MAX_RESPONSE_BYTES).toString("utf8"));
    answer.on("data", (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size > MAX_RESPONSE_BYTES) answer.destroy();
    });
    answer.on("error", end);
    answer.on("close", end);
    answer.on("end", end);
  });
}

function statusTrouble(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `The receiver answered ${status}; redirects are not followed.`;
  return `The receiver answered ${status}.`;
}

/** By its code alone: messages of the system name addresses. */
function failure(error: unknown): string {
  if (error instanceof RefusedAddressError) return error.message;
  const { code, errors } = error as { code?: unknown; errors?: unknown[] };
  const known = typeof code === "string" ? code : (errors?.[0] as NodeJS.ErrnoException | undefined)?.code;
  if (known === "ENOTFOUND" || known === "EAI_AGAIN") {
    return `The name in the URL can't be resolved (${known}).`;
  }
  return `The receiver could not be reached (${known ?? "unknown"}).`;
}
