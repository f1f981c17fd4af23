/** Which pages of other origins may call /v1 from a browser, and what those may send and read. */
import cors, { type FastifyCorsOptions } from "@fastify/cors";
import type { FastifyRequest } from "fastify";
import type { Authenticator } from "./auth.ts";
import type { App } from "./dependencies.ts";

const allowedHeaders = [
  "Authorization",
  "Content-Disposition",
  "Content-Type",
  "Idempotency-Key",
  "If-None-Match",
  "Last-Event-ID",
  "Range",
  "Sluice-Tenant",
  "Tus-Resumable",
  "Upload-Concat",
  "Upload-Defer-Length",
  "Upload-Length",
  "Upload-Metadata",
  "Upload-Offset",
  "X-HTTP-Method-Override",
  "X-Request-Id",
];

const exposedHeaders = [
  "Accept-Ranges",
  "Content-Disposition",
  "Content-Range",
  "ETag",
  "Idempotency-Replayed",
  "Location",
  "Retry-After",
  "Sluice-Correlation-Id",
  "Sluice-Document-Id",
  "Sluice-Duplicate",
  "Sluice-Job-Id",
  "Sluice-Status",
  "Sluice-Version",
  "Tus-Extension",
  "Tus-Max-Size",
  "Tus-Resumable",
  "Tus-Version",
  "Upload-Defer-Length",
  "Upload-Expires",
  "Upload-Length",
  "Upload-Metadata",
  "Upload-Offset",
  "X-Request-Id",
];

/** How long a browser may remember what it may send, in seconds. */
const PREFLIGHT_SECONDS = 600;

/** To be registered before whatever refuses requests: a page may read why it was refused, and preflights bring no key. */
export async function registerCors(app: App, authenticator: Authenticator): Promise<void> {
  await app.register(cors, {
    delegator: async (request: FastifyRequest): Promise<FastifyCorsOptions> => {
      const { origin } = request.headers;
      const { method, headers, url } = request;
      if (origin === undefined || !url.startsWith("/v1/") || !(await authenticator.allowsOrigin(origin))) {
        return { origin: false };
      }
      return {
        origin,
        methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allowedHeaders,
        exposedHeaders,
        maxAge: PREFLIGHT_SECONDS,
        // An OPTIONS that is no preflight asks the route itself.
        preflight: method === "OPTIONS" && headers["access-control-request-method"] !== undefined,
      };
    },
  });
}
