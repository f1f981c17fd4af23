/** Who asks, for whom and from where: API keys, and the defences of a server that asks for no key. */
import type { FastifyRequest } from "fastify";
import { isLoopback } from "../config/config.ts";
import { tenantSchema } from "../document.ts";
import { SluiceError } from "../errors.ts";
import { hashOfKey } from "../intake/api-keys.ts";
import type { ApiKey, ApiKeyStore } from "../ports/api-key-store.ts";
import type { System } from "../ports/system.ts";
import { createShortMemory } from "./short-memory.ts";

/** Tenant of a server without keys. */
export const DEFAULT_TENANT = "default";

/** A revoked key works at most this long. */
const CACHE_MS = 1_000;

/** Who asks, and for whom. */
export interface Caller {
  /** The tenant that the request acts for. */
  tenant_id: string;
  /** Whether it may act for every tenant, and do what concerns them all. */
  operator: boolean;
  /** The key that it came with; undefined on a server without keys. */
  key: ApiKey | undefined;
}

export interface Authenticator {
  /**
   * Refuses a request whose Host or Origin it must not have. A server without keys is everybody's on this machine,
   * also any web page's that a browser here shows: a page can point its own name at 127.0.0.1 (DNS rebinding) or post
   * a form across sites. So only loopback names are answered, and no change is taken from another origin.
   * @throws SluiceError forbidden
   */
  checkPlace(request: FastifyRequest): Promise<void>;
  /**
   * A key acts for its tenant; an operator's, and everybody on a server without keys, for the one that `Sluice-Tenant`
   * names.
   * @throws SluiceError unauthorized, forbidden, invalid_request
   */
  identify(request: FastifyRequest): Promise<Caller>;
  /** Whether a request identified before would be so again: its key may have ended. Asked again and again of streams. */
  stillActs(request: FastifyRequest): Promise<boolean>;
  /** Whether pages of this origin may call this server. */
  allowsOrigin(origin: string): Promise<boolean>;
  /** Keys were made or revoked by this process: it looks again at once. Others do within a second. */
  keysChanged(): void;
}

/** @param allowed_origins whose pages may call it besides its own; `*`: every, on a server with keys */
export function createAuthenticator(
  keys: ApiKeyStore,
  system: System,
  allowed_origins: readonly string[] = [],
): Authenticator {
  const known = createShortMemory<ApiKey | undefined>(system, CACHE_MS);
  const configured = createShortMemory<boolean>(system, CACHE_MS);
  const anyKeys = () => configured.get("", () => keys.any());

  async function allowsOrigin(origin: string): Promise<boolean> {
    if (allowed_origins.includes(origin)) return true;
    // Without keys that would open it to every page that a browser on this machine shows.
    return allowed_origins.includes("*") && (await anyKeys());
  }

  async function mayCall(origin: string, host: string | undefined): Promise<boolean> {
    return sameHost(origin, host) || (await allowsOrigin(origin));
  }

  async function identify(request: FastifyRequest): Promise<Caller> {
    const wanted = wantedTenant(request);
    if (!(await anyKeys())) return { tenant_id: wanted ?? DEFAULT_TENANT, operator: true, key: undefined };
    const token = tokenOf(request);
    if (token === undefined) {
      throw new SluiceError("unauthorized", "This server needs an API key: Authorization: Bearer <key>.");
    }
    const hash = hashOfKey(token);
    const key = await known.get(hash, () => keys.findByHash(hash));
    if (!key || hasEnded(key, system.now())) {
      throw new SluiceError("unauthorized", "The API key is unknown, was revoked or has expired.");
    }
    const { operator } = key;
    const tenant_id = wanted ?? key.tenant_id;
    if (tenant_id !== key.tenant_id && !operator) {
      throw new SluiceError(
        "forbidden",
        `The API key is of the tenant ${key.tenant_id} and can't act for ${tenant_id}: that takes an operator's key.`,
      );
    }
    return { tenant_id, operator, key };
  }

  return {
    async checkPlace(request) {
      const { host, origin } = request.headers;
      const changes = request.method !== "GET" && request.method !== "HEAD" && request.method !== "OPTIONS";
      if (origin !== undefined && request.ws && !(await mayCall(origin, host))) {
        throw new SluiceError("forbidden", `A WebSocket can't be opened from another origin (${origin}).`);
      }
      if (await anyKeys()) return;
      if (!isLoopback(hostname(host))) {
        throw new SluiceError(
          "forbidden",
          `A server without API keys answers only as localhost, not as ${JSON.stringify(host ?? "")}.`,
        );
      }
      if (origin !== undefined && changes && !(await mayCall(origin, host))) {
        throw new SluiceError(
          "forbidden",
          `A page of another origin (${origin}) can't change anything here.`,
        );
      }
    },

    identify,

    async stillActs(request) {
      try {
        await identify(request);
        return true;
      } catch (error) {
        // Where the keys can't be looked up, a stream goes on as it is: nothing was said against it.
        return !(error instanceof SluiceError) || !["unauthorized", "forbidden"].includes(error.code);
      }
    },

    allowsOrigin,

    keysChanged() {
      known.forget();
      configured.forget();
    },
  };
}

/**
 * For what concerns every tenant.
 * @throws SluiceError forbidden
 */
export function requireOperator(
  { caller }: FastifyRequest,
  instead = "Or do it where the storage is.",
): void {
  if (caller?.operator) return;
  throw new SluiceError(
    "forbidden",
    `This concerns every tenant, and the API key speaks for one: it takes an operator's (\`sluice keys create --operator\`). ${instead}`,
  );
}

export function hasEnded({ expires_at }: ApiKey, now: number): boolean {
  return expires_at !== null && Date.parse(expires_at) <= now;
}

/** @throws SluiceError invalid_request for what can't be a tenant's name */
function wantedTenant(request: FastifyRequest): string | undefined {
  const header = request.headers["sluice-tenant"];
  const { tenant_id: inQuery } = (request.routeOptions.config.token_in_query ? request.query : {}) as {
    tenant_id?: unknown;
  };
  const wanted = header === undefined || header === "" ? inQuery : header;
  if (wanted === undefined) return undefined;
  const named = tenantSchema.safeParse(wanted);
  if (named.success) return named.data;
  const why = named.error.issues.map(({ message }) => message).join("; ");
  throw new SluiceError("invalid_request", `Sluice-Tenant: is not a name of a tenant: ${why}`);
}

/** The key that a request brings, in whatever way it may. */
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
