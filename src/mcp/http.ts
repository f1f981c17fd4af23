/** The Model Context Protocol over streamable HTTP: each request speaks with the key that it brings. */
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  originValidationResponse,
} from "@modelcontextprotocol/server";
import Fastify, { type FastifyInstance } from "fastify";
import type { SluiceClient } from "../client/index.ts";
import { createMcpServer } from "./tools.ts";

/** A document as base64 in a request. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];

export interface McpHttpOptions {
  version: string;
  /** @param key what the request's Authorization header brought */
  connect: (key: string | undefined) => SluiceClient;
  /**
   * Host names that requests may be sent to: a web page that points its own name at this machine gets no answer (DNS
   * rebinding). Default: those of this machine.
   */
  hosts?: readonly string[];
  onError: (error: Error) => void;
}

/** Answers at `/mcp`; builds without listening. */
export function buildMcpApp({ version, connect, hosts = LOCAL, onError }: McpHttpOptions): FastifyInstance {
  const handler = createMcpHandler(
    ({ requestInfo }) => {
      const bearer = /^Bearer +(\S+) *$/i.exec(requestInfo?.headers.get("authorization") ?? "")?.[1];
      return createMcpServer(connect(bearer), version);
    },
    { onerror: onError, maxRequestBodySize: MAX_BODY_BYTES },
  );
  const app = Fastify({ bodyLimit: MAX_BODY_BYTES });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.all("/mcp", async (request, reply) => {
    const { method, headers, body } = request;
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const asked = new Request(`http://${headers.host ?? "localhost"}/mcp`, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]) =>
        typeof value === "string" ? [[name, value] as [string, string]] : [],
      ),
      signal: gone.signal,
      ...(body instanceof Buffer ? { body: new Uint8Array(body) } : {}),
    });
    const refused =
      hostHeaderValidationResponse(asked, [...hosts]) ?? originValidationResponse(asked, [...hosts]);
    return reply.send(refused ?? (await handler.fetch(asked)));
  });
  app.addHook("onClose", () => handler.close());
  return app;
}
