/** The page: built files, served as they are, and its one document at the address of each of its screens. */
import { sep } from "node:path";
import fastifyStatic from "@fastify/static";
import type { App } from "./dependencies.ts";

const securityHeaders = {
  "content-security-policy":
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

/** Addresses of the page's screens (web/src/app.tsx): what they show, the page itself asks the API for. */
const screens = [
  "/documents",
  "/documents/:document_id",
  "/search",
  "/operations",
  "/settings",
  "/settings/*",
];

const NOT_BUILT =
  "The page has not been built: run `npm run build`. The API is described at /openapi.json.\n";

export async function registerPage(app: App, page_dir: string | undefined): Promise<void> {
  if (page_dir === undefined) {
    app.get("/", { schema: { hide: true } as object }, async (_request, reply) => {
      reply.header("content-type", "text/plain; charset=utf-8");
      return NOT_BUILT;
    });
    return;
  }
  await app.register(fastifyStatic, {
    root: page_dir,
    prefix: "/",
    // Only files that exist are routes: every other path gets the API's own 404.
    wildcard: false,
    cacheControl: false,
    setHeaders(reply, path) {
      for (const [name, value] of Object.entries(securityHeaders)) reply.header(name, value);
      // Built assets carry a hash in their names.
      const hashed = path.includes(`${sep}assets${sep}`);
      reply.header("cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
  for (const screen of screens) {
    app.get(screen, { schema: { hide: true } as object }, (_request, reply) => reply.sendFile("index.html"));
  }
}
