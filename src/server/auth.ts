/** Who asks, and from where: API keys to tenants, and the defences of a server that asks for no key. */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { isLoopback } from "../config/config.ts";
import { SluiceError } from "../errors.ts";
import type { ApiKey, ApiKeyStore } from "../ports/api-key-store.ts";
import type { System } from "../ports/system.ts";

/** Tenant of a server without keys. */
export const DEFAULT_TENANT = "default";

/** A revoked key works at most this long. */
const CACHE_MS = 1_000;
const MAX_CACHED_KEYS = 1_000;

export interface Authenticator {
  /**
   * Refuses a request whose Host or Origin it must not have. A server without keys is everybody's on this machine,
   * also any web page's that a browser here shows: a page can point its own name at 127.0.0.1 (DNS rebinding) or post
   * a form across sites. So only loopback names are answered, and no change is taken from another origin.
   * @throws SluiceError forbidden
   */
  checkPlace(request: FastifyRequest): Promise<void>;
  /**
   * The tenant that the request acts for.
   * @throws SluiceError unauthorized
   */
  tenantOf(request: FastifyRequest): Promise<string>;
  /**
   * For what concerns every tenant: a key speaks for one of them, so where there are keys it is done on the machine.
   * @throws SluiceError forbidden
   */
  requireOperator(): Promise<void>;
}

export function createAuthenticator(keys: ApiKeyStore, system: System): Authenticator {
  const found = new Map<string, { at: number; key: Promise<ApiKey | undefined> }>();
  let configured: { at: number; any: Promise<boolean> } | undefined;

  /** Answers from memory for a second; a look-up that failed is not kept. */
  function anyKeys(): Promise<boolean> {
    const now = system.monotonic();
    if (!configured || now - configured.at >= CACHE_MS) {
      const entry = { at: now, any: keys.any() };
      entry.any.catch(() => {
        if (configured === entry) configured = undefined;
      });
      configured = entry;
    }
    return configured.any;
  }

  function find(hash: string): Promise<ApiKey | undefined> {
    const now = system.monotonic();
    const cached = found.get(hash);
    if (cached && now - cached.at < CACHE_MS) return cached.key;
    if (found.size >= MAX_CACHED_KEYS) found.clear();
    const key = keys.findByHash(hash);
    found.set(hash, { at: now, key });
    key.catch(() => found.delete(hash));
    return key;
  }

  return {
    async checkPlace(request) {
      const { host, origin } = request.headers;
      const changes = request.method !== "GET" && request.method !== "HEAD" && request.method !== "OPTIONS";
      if (origin !== undefined && request.ws && !sameHost(origin, host)) {
        throw new SluiceError("forbidden", `A WebSocket can't be opened from another origin (${origin}).`);
      }
      if (await anyKeys()) return;
      if (!isLoopback(hostname(host))) {
        throw new SluiceError(
          "forbidden",
          `A server without API keys answers only as localhost, not as ${JSON.stringify(host ?? "")}.`,
        );
      }
      if (origin !== undefined && changes && !sameHost(origin, host)) {
        throw new SluiceError(
          "forbidden",
          `A page of another origin (${origin}) can't change anything here.`,
        );
      }
    },

    async requireOperator() {
      if (!(await anyKeys())) return;
      throw new SluiceError(
        "forbidden",
        "This concerns every tenant, and a key speaks for one: run `sluice reindex` where the storage is.",
      );
    },

    async tenantOf(request) {
      if (!(await anyKeys())) return DEFAULT_TENANT;
      const token = tokenOf(request);
      if (token === undefined) {
        throw new SluiceError("unauthorized", "This server needs an API key: Authorization: Bearer <key>.");
      }
      const key = await find(createHash("sha256").update(token).digest("hex"));
      if (!key) throw new SluiceError("unauthorized", "The API key is unknown or was revoked.");
      return key.tenant_id;
    },
  };
}

function tokenOf(request: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined || !request.routeOptions.config.token_in_query) return bearer;
  const { access_token } = request.query as { access_token?: unknown };
  return typeof access_token === "string" && access_token !== "" ? access_token : undefined;
}

/** A Host header's name without its port and without brackets. */
function hostname(host: string | undefined): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host ?? "") ?? [];
  return (bracketed ?? plain ?? "").toLowerCase();
}

function sameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === (host ?? "").toLowerCase();
}
