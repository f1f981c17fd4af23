/** For machines that watch the process: alive, ready, measured, described. None of it needs a key. */
import { z } from "zod";
import { describeChannels } from "../asyncapi.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { livingWorkers } from "../living-workers.ts";
import type { Metrics } from "../metrics.ts";
import { body } from "../schemas.ts";

const tags = ["operations"];

/** The proof that a blob can be written is a write: not more often than this. */
const BLOB_CHECK_MS = 2_000;

export function healthRoutes(
  app: App,
  { config, system, documents, queue, blobs, log }: AppDependencies,
  metrics: Metrics,
  version: string,
): void {
  let checked: { at: number; result: Promise<void> } | undefined;

  function checkBlobs(): Promise<void> {
    const now = system.monotonic();
    if (!checked || now - checked.at >= BLOB_CHECK_MS) checked = { at: now, result: blobs.check() };
    return checked.result;
  }

  app.get(
    "/healthz",
    {
      config: { probe: true },
      schema: {
        tags,
        summary: "Whether the process is alive",
        security: [],
        response: {
          200: z.object({
            status: z.literal("ok"),
            version: z.string(),
            uptime_seconds: z.number(),
            pids: z.object({ api: z.int(), workers: z.array(z.int()) }),
            workers: z.array(
              z.object({
                worker_id: z.string(),
                pid: z.int(),
                host: z.string(),
                started_at: z.string(),
                last_seen_at: z.string(),
                holds: z.array(z.string()).describe("jobs that it runs"),
              }),
            ),
          }),
        },
      },
    },
    async () => {
      // The process is alive whether or not its storage answers; /readyz is where that shows.
      const workers = await livingWorkers(queue, system).catch((err: unknown) => {
        log.warn({ err }, "the queue does not tell its workers");
        return [];
      });
      return {
        status: "ok" as const,
        version,
        uptime_seconds: process.uptime(),
        pids: { api: process.pid, workers: workers.map(({ pid }) => pid) },
        workers,
      };
    },
  );

  const readiness = z.object({
    status: z.enum(["ready", "not_ready"]),
    reasons: z.array(z.string()).describe("why not; empty when ready"),
  });
  app.get(
    "/readyz",
    {
      config: { probe: true },
      schema: {
        tags,
        summary: "Whether uploads are accepted and will be worked on",
        security: [],
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_request, reply) => {
      const reasons: string[] = [];
      const note = (what: string) => (error: unknown) => {
        reasons.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      };
      await Promise.all([
        checkBlobs().catch(note("files can't be stored")),
        documents.lastSequence().catch(note("the document store does not answer")),
        livingWorkers(queue, system)
          .then((workers) => {
            if (workers.length === 0) reasons.push("no worker is alive");
          })
          .catch(note("the queue does not answer")),
      ]);
      const ready = reasons.length === 0;
      reply.code(ready ? 200 : 503);
      if (!ready) reply.header("retry-after", "1");
      return { status: ready ? ("ready" as const) : ("not_ready" as const), reasons };
    },
  );

  app.get(
    "/metrics",
    {
      config: { probe: true },
      schema: {
        tags,
        summary: "Metrics for Prometheus",
        security: [],
        response: { 200: body("text/plain", "Prometheus text format.") },
      },
    },
    async (_request, reply) => {
      reply.header("content-type", metrics.content_type);
      return metrics.expose();
    },
  );

  app.get(
    "/openapi.json",
    {
      config: { probe: true },
      schema: {
        tags,
        summary: "This description",
        security: [],
        response: { 200: z.looseObject({}).describe("An OpenAPI 3.1 document.") },
      },
    },
    async () => app.swagger() as unknown as Record<string, unknown>,
  );

  const channels = describeChannels(version, config.publishers);
  app.get(
    "/asyncapi.json",
    {
      config: { probe: true },
      schema: {
        tags,
        summary: "The events and the channels that they travel on",
        security: [],
        response: { 200: z.looseObject({}).describe("An AsyncAPI 3.0 document.") },
      },
    },
    async () => channels,
  );
}
