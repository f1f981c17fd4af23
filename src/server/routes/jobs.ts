/** Jobs: list (the dead ones are the dead-letter list), look at, cancel, retry. */
import { z } from "zod";
import { SluiceError } from "../../errors.ts";
import { errorCodeSchema } from "../../events.ts";
import { type Job, jobStateSchema } from "../../job.ts";
import type { App, AppDependencies, RequestSubject } from "../dependencies.ts";
import {
  cursorSchema,
  jobParamsSchema,
  limitSchema,
  nextCursorSchema,
  placeOf,
  problems,
  publicJobSchema,
  toCursor,
} from "../schemas.ts";

const tags = ["jobs"];

export function jobRoutes(app: App, { queue, commands }: AppDependencies): void {
  app.get(
    "/v1/jobs",
    {
      schema: {
        tags,
        summary: "List jobs, newest first",
        description: "`state=dead` is the dead-letter list.",
        querystring: z.strictObject({
          state: jobStateSchema.optional(),
          error_code: errorCodeSchema.optional().describe("only jobs whose last attempt failed with it"),
          limit: limitSchema,
          cursor: cursorSchema,
        }),
        response: {
          200: z.object({ jobs: z.array(publicJobSchema), next_cursor: nextCursorSchema }),
          ...problems(),
        },
      },
    },
    async (request) => {
      const { state, error_code, limit, cursor } = request.query;
      const found = await queue.list({
        tenant_id: request.tenant_id,
        limit: limit + 1,
        ...(state === undefined ? {} : { state }),
        ...(error_code === undefined ? {} : { error_code }),
        ...(cursor === undefined ? {} : { before: placeOf(cursor) }),
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return { jobs: page, next_cursor: found.length > limit && last ? toCursor(last.job_id) : null };
    },
  );

  app.post(
    "/v1/jobs/retry",
    {
      schema: {
        tags,
        summary: "Run dead letters again, all or those of one error",
        description:
          "Each as by its own retry: under its id, from its last checkpoint. Newest first; those whose document has " +
          "moved on to a newer ingestion are skipped. Repeat with `next_cursor` until it is null.",
        body: z.strictObject({
          error_code: errorCodeSchema.optional().describe("only those that died of it"),
          limit: z.int().min(1).max(1_000).default(1_000).describe("most dead letters looked at"),
          cursor: cursorSchema,
        }),
        response: {
          202: z.object({ retried: z.int(), skipped: z.int(), next_cursor: nextCursorSchema }),
          ...problems("conflict", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      const { error_code, limit, cursor } = request.body;
      const { retried, skipped, last } = await commands.retryDead(
        request.tenant_id,
        {
          limit,
          ...(error_code === undefined ? {} : { error_code }),
          ...(cursor === undefined ? {} : { before: placeOf(cursor) }),
        },
        request.id,
      );
      reply.code(202);
      return { retried, skipped, next_cursor: last === null ? null : toCursor(last) };
    },
  );

  app.get(
    "/v1/jobs/:job_id",
    {
      schema: {
        tags,
        summary: "One job",
        params: jobParamsSchema,
        response: { 200: publicJobSchema, ...problems("not_found") },
      },
    },
    async (request) => {
      const { job_id } = request.params;
      const job = await queue.get(job_id, request.tenant_id);
      if (!job) throw new SluiceError("not_found", `There is no job ${job_id}.`);
      request.subject = subjectOf(job);
      return job;
    },
  );

  app.post(
    "/v1/jobs/:job_id/cancel",
    {
      schema: {
        tags,
        summary: "Cancel a job",
        description: "It stops within a second, also while it runs, and leaves nothing behind in the index.",
        params: jobParamsSchema,
        response: {
          200: publicJobSchema,
          ...problems("not_found", "already_ended", "conflict", "storage_unavailable"),
        },
      },
    },
    async (request) => {
      const job = await commands.cancel(request.tenant_id, request.params.job_id, request.id);
      request.subject = subjectOf(job);
      return job;
    },
  );

  app.post(
    "/v1/jobs/:job_id/retry",
    {
      schema: {
        tags,
        summary: "Run a dead or cancelled job again",
        description: "Under the same id, from its last checkpoint, with its attempts counted from zero.",
        params: jobParamsSchema,
        response: {
          202: publicJobSchema,
          ...problems("not_found", "not_dead", "superseded", "conflict", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      const job = await commands.retry(request.tenant_id, request.params.job_id, request.id);
      request.subject = subjectOf(job);
      reply.code(202);
      return job;
    },
  );
}

function subjectOf(job: Job): RequestSubject {
  const { document_id } = job.payload;
  return {
    job_id: job.job_id,
    correlation_id: job.correlation_id,
    ...(typeof document_id === "string" ? { document_id } : {}),
  };
}
