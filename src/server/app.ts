/** The HTTP server: builds without listening. */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import websocket from "@fastify/websocket";
import Fastify, { type FastifyRequest, LogController } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { SluiceError } from "../errors.ts";
import { createActivity } from "../progress/activity.ts";
import { watchLog } from "../progress/watch-log.ts";
import { createAuthenticator } from "./auth.ts";
import { trackUnusedConnections } from "./connections.ts";
import { registerCors } from "./cors.ts";
import type { App, AppDependencies } from "./dependencies.ts";
import { pathOf, refuseMalformed, registerErrorHandler, sendError } from "./error-handler.ts";
import { createEventStreams } from "./event-stream.ts";
import { createMetrics } from "./metrics.ts";
import { registerOpenApi } from "./openapi.ts";
import { registerPage } from "./page.ts";
import { collectionRoutes } from "./routes/collections.ts";
import { directUploadRoutes } from "./routes/direct-uploads.ts";
import { docsRoutes } from "./routes/docs.ts";
import { documentContentRoutes } from "./routes/document-content.ts";
import { documentRoutes } from "./routes/documents.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { keyRoutes } from "./routes/keys.ts";
import { operationsRoutes } from "./routes/operations.ts";
import { reindexRoutes } from "./routes/reindex.ts";
import { searchRoutes } from "./routes/search.ts";
import { sessionRoutes } from "./routes/session.ts";

export type { App, AppDependencies } from "./dependencies.ts";

/** A JSON body is a search request. */
const MAX_JSON_BYTES = 1024 * 1024;
/** A connection on which nothing moves for this long is cut. Streams of events move every 15 s. */
const SILENT_MS = 120_000;
const MAX_WEBSOCKET_MESSAGE_BYTES = 64 * 1024;

/**
 * Builds the server with every route. Whoever has it calls `listen` and, in the end, `close`: that ends streams, lets
 * requests in flight finish and refuses new ones.
 */
export async function buildApp(dependencies: AppDependencies): Promise<App> {
  const { config, system, log, keys, queue, documents, follower } = dependencies;
  const version = packageVersion();
  const metrics = createMetrics(queue);
  const activity = createActivity(system);
  const authenticator = createAuthenticator(keys, system, config.allowed_origins);
  const streams = createEventStreams(follower, (err) => log.error({ err }, "a stream of events failed"));
  const stopping = new AbortController();

  const app: App = Fastify({
    loggerInstance: log as Logger,
    genReqId: () => system.newId("req"),
    requestIdHeader: false,
    logController: new LogController({ requestIdLogLabel: "request_id", disableRequestLogging: true }),
    bodyLimit: MAX_JSON_BYTES,
    connectionTimeout: SILENT_MS,
    return503OnClosing: false,
    frameworkErrors: sendError,
    clientErrorHandler: (error, socket) => refuseMalformed(error, socket, system.newId("req")),
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest("tenant_id", "");
  app.decorateRequest("caller", undefined);
  app.decorateRequest("subject", undefined);
  registerErrorHandler(app);
  if (config.allowed_origins.length > 0) await registerCors(app, authenticator);

  await app.register(websocket, {
    options: { maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES },
    errorHandler: (error, socket, request) => {
      request.log.info({ err: error }, "a WebSocket broke off");
      socket.terminate();
    },
    // Streams close their own sockets when `streams` is closed.
    preClose: (done) => done(),
  });

  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    if (request.url.startsWith("/v1/")) reply.header("cache-control", "no-store");
    if (stopping.signal.aborted) {
      throw new SluiceError("shutting_down", "The server is stopping; repeat the request.");
    }
    await authenticator.checkPlace(request);
  });
  app.addHook("preParsing", async (request, reply) => {
    const { streams_body } = request.routeOptions.config;
    if (request.headers.expect !== undefined && !streams_body) reply.raw.writeContinue();
  });
  app.addHook("onSend", async (_request, reply) => {
    if (stopping.signal.aborted) reply.header("connection", "close");
  });
  app.addHook("onResponse", async (request, reply) => {
    const { url: route = "unmatched", config } = request.routeOptions;
    const seconds = reply.elapsedTime / 1_000;
    if (!config.endless) metrics.observeRequest(request.method, route, reply.statusCode, seconds);
    if (request.method === "POST" && route === "/v1/documents" && reply.statusCode < 300) {
      metrics.observeAck(seconds);
    }
    const level = config.probe ? "debug" : "info";
    request.log[level](describeRequest(request, reply.statusCode, reply.elapsedTime), "request");
  });

  await registerOpenApi(app, version);
  healthRoutes(app, dependencies, metrics, version);
  docsRoutes(app);
  await app.register(async (api: App) => {
    api.addHook("onRequest", async (request) => {
      request.caller = await authenticator.identify(request);
      request.tenant_id = request.caller.tenant_id;
    });
    documentRoutes(api, dependencies);
    directUploadRoutes(api, dependencies);
    documentContentRoutes(api, dependencies);
    collectionRoutes(api, dependencies);
    jobRoutes(api, dependencies);
    searchRoutes(api, dependencies);
    eventRoutes(api, dependencies, streams, authenticator);
    sessionRoutes(api, dependencies, version);
    keyRoutes(api, dependencies, authenticator);
    operationsRoutes(api, dependencies, activity);
    await api.register(async (operator: App) => reindexRoutes(operator, dependencies));
  });
  await registerPage(app, dependencies.page_dir);

  app.addHook("onReady", async () => {
    void watchLog({ documents, follower, system, log }, stopping.signal, (event, is_new) => {
      activity.observe(event);
      if (is_new) metrics.observeEvent(event);
    });
  });
  const cutUnusedConnections = trackUnusedConnections(app.server);
  app.addHook("preClose", async () => {
    stopping.abort();
    cutUnusedConnections();
    streams.close();
  });
  // Node would ask for the body (100 Continue) at once; here a request is first found to be welcome.
  app.server.on("checkContinue", (request, response) => app.server.emit("request", request, response));
  await app.ready();
  return app;
}

function describeRequest(request: FastifyRequest, status: number, milliseconds: number) {
  const { document_id, job_id } = (request.params ?? {}) as { document_id?: string; job_id?: string };
  return {
    method: request.method,
    path: pathOf(request.url),
    status,
    ms: Math.round(milliseconds * 10) / 10,
    ...(request.tenant_id === "" ? {} : { tenant_id: request.tenant_id }),
    ...(document_id === undefined ? {} : { document_id }),
    ...(job_id === undefined ? {} : { job_id }),
    ...(request.subject && {
      document_id: request.subject.document_id,
      job_id: request.subject.job_id,
      correlation_id: request.subject.correlation_id,
    }),
  };
}

function packageVersion(): string {
  const path = findPackageJSON(import.meta.url);
  if (path === undefined) throw new Error("the package has no package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
