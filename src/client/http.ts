/** Requests to one server, with the key and the tenant that they speak for. */
import { refusalOf, unreachable } from "./api-error.ts";
import { browser } from "./browser.ts";

export interface ClientOptions {
  /** Where the server is, with a path where it lies under one. Default: the page's own origin, in a browser. */
  url?: string | undefined;
  /** The API key; asked anew for every request where it is a function. */
  key?: string | (() => string | undefined) | undefined;
  /** The tenant to act for, which an operator's key may choose. Default: the key's own. */
  tenant_id?: string | undefined;
  /** Takes the place of the built-in one, for every request but WebSockets. */
  fetch?: typeof fetch | undefined;
}

export interface CallOptions {
  /** Gives the request up; its reason is thrown. */
  signal?: AbortSignal | undefined;
}

export type Query = Readonly<Record<string, unknown>>;

export interface Request extends CallOptions {
  query?: Query | undefined;
  /** Sent as JSON. */
  json?: unknown;
  body?: Blob;
  headers?: Record<string, string>;
}

export interface Http {
  /** Without a slash at its end. */
  readonly url: string;
  /** Whether the caller brought a fetch of his own. */
  readonly ownFetch: boolean;
  key(): string | undefined;
  readonly tenant_id: string | undefined;
  /** The whole address of a path under the server's. */
  address(path: string, query?: Query): string;
  /** Headers that say who asks. */
  authorization(): Record<string, string>;
  /** The answer, whatever its status. @throws ApiError `unreachable`; the signal's reason */
  send(method: string, address: string, request?: Omit<Request, "query">): Promise<Response>;
  /** @throws ApiError for whatever is no success */
  request(method: string, path: string, request?: Request): Promise<Response>;
  json<T>(method: string, path: string, request?: Request): Promise<T>;
  /** The whole of an answer. @throws ApiError `unreachable` when it breaks off; the signal's reason */
  textOf(response: Response, signal: AbortSignal | undefined): Promise<string>;
}

export function createHttp(options: ClientOptions): Http {
  const url = (options.url ?? browser.location?.origin ?? "").replace(/\/+$/, "");
  if (url === "") throw new TypeError("createClient: url is missing; only in a browser there is a default");
  const fetcher = options.fetch ?? ((...given: Parameters<typeof fetch>) => fetch(...given));
  const { tenant_id } = options;
  const key = () => (typeof options.key === "function" ? options.key() : options.key);

  function authorization(): Record<string, string> {
    const current = key();
    return {
      ...(current === undefined || current === "" ? {} : { authorization: `Bearer ${current}` }),
      ...(tenant_id === undefined ? {} : { "sluice-tenant": tenant_id }),
    };
  }

  function address(path: string, query: Query = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined || value === null) continue;
      if (Array.isArray(value)) search.set(name, value.join(","));
      else search.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
    }
    return `${url}${path}${search.size === 0 ? "" : `?${search}`}`;
  }

  async function send(method: string, to: string, request: Omit<Request, "query"> = {}): Promise<Response> {
    const { json, body, headers, signal } = request;
    const init: RequestInit = { method, headers: { ...authorization(), ...headers } };
    if (json !== undefined) {
      init.headers = { ...init.headers, "content-type": "application/json" };
      init.body = JSON.stringify(json);
    } else if (body !== undefined) {
      init.body = body;
    }
    if (signal) init.signal = signal;
    try {
      return await fetcher(to, init);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw unreachable(url, error);
    }
  }

  async function textOf(response: Response, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw unreachable(url, error);
    }
  }

  async function request(method: string, path: string, given: Request = {}): Promise<Response> {
    const response = await send(method, address(path, given.query), given);
    if (response.ok) return response;
    const text = await textOf(response, given.signal);
    throw refusalOf(url, response.status, text, response.headers.get("retry-after"));
  }

  return {
    url,
    ownFetch: options.fetch !== undefined,
    key,
    tenant_id,
    address,
    authorization,
    send,
    request,
    textOf,
    async json<T>(method: string, path: string, given: Request = {}) {
      const response = await request(method, path, given);
      const text = await textOf(response, given.signal);
      if (!response.headers.get("content-type")?.includes("json")) {
        throw refusalOf(url, response.status, "", null);
      }
      return JSON.parse(text) as T;
    },
  };
}
