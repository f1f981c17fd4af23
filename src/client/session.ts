/** Who one is for the server, and the API keys of the tenant acted for. */
import type { SearchMode } from "../search/search.ts";
import type { CallOptions, Http } from "./http.ts";

export interface Session {
  tenant_id: string;
  /** Whether the key may act for every tenant. */
  operator: boolean;
  /** Null on a server without keys. */
  key_id: string | null;
  keys_required: boolean;
  /** Of the server. */
  version: string;
  max_upload_bytes: number;
  /** What the server can read. */
  media_types: string[];
  collections_default: "default";
  embedder_id: string;
  search_modes: SearchMode[];
  ocr_languages?: string[];
}

export interface Key {
  key_id: string;
  tenant_id: string;
  name: string;
  operator: boolean;
  created_at: string;
  /** Null: it does not expire. */
  expires_at: string | null;
  /** Whether it is the key of this very request. */
  current: boolean;
}

/** `key` is told this once. */
export interface NewKey extends Key {
  key: string;
}

export interface KeyRequest {
  name?: string | undefined;
  /** Only an operator may make one. */
  operator?: boolean | undefined;
  expires_in_seconds?: number | undefined;
}

export function sessionMethods(http: Http) {
  return {
    getSession: ({ signal }: CallOptions = {}) => http.json<Session>("GET", "/v1/session", { signal }),
    listKeys: ({ signal }: CallOptions = {}) => http.json<{ keys: Key[] }>("GET", "/v1/keys", { signal }),
    createKey: (request: KeyRequest = {}, { signal }: CallOptions = {}) =>
      http.json<NewKey>("POST", "/v1/keys", { json: request, signal }),
    /** @throws ApiError not_found; 409 for the key of the request itself */
    async revokeKey(key_id: string, { signal }: CallOptions = {}): Promise<void> {
      await http.request("DELETE", `/v1/keys/${encodeURIComponent(key_id)}`, { signal });
    },
  };
}
