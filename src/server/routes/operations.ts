/** What goes on, for people: queue, activity of the last hour, dead letters, workers, tenants. */
import { z } from "zod";
import { errorCodeSchema, stageSchema } from "../../events.ts";
import { type JobState, jobStates } from "../../job.ts";
import type { WorkerInfo } from "../../ports/job-queue.ts";
import type { Activity } from "../../progress/activity.ts";
import { requireOperator } from "../auth.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { livingWorkers } from "../living-workers.ts";
import { problems } from "../schemas.ts";
import { createShortMemory } from "../short-memory.ts";

const count = z.int().nonnegative();
const milliseconds = z.number().nonnegative();
const timing = { count, p50_ms: milliseconds, p95_ms: milliseconds };

export const operationsSchema = z
  .object({
    at: z.iso.datetime().describe("when this was so"),
    tenant_id: z.string().nullable().describe("of whom this is; null: of all"),
    queue: z.object({
      by_state: z.object(
        Object.fromEntries(jobStates.map((state) => [state, count])) as Record<JobState, typeof count>,
      ),
      oldest_ready_ms: milliseconds.describe("how long the oldest job ready to run has waited; 0: none is"),
    }),
    activity: z.object({
      minutes: z
        .array(
          z.object({
            minute: z.iso.datetime(),
            uploaded: count,
            completed: count,
            failed: count,
            retried: count.describe("attempts that failed and were to be made again"),
            chunks: count.describe("of the completed documents"),
          }),
        )
        .describe("the last 60, ascending; the last one is the current minute"),
      stages: z.array(z.object({ stage: stageSchema, ...timing })).describe("that ended in this hour"),
      processing: z.object(timing).describe("from a job's first start to `completed`"),
    }),
    dead: z.array(z.object({ code: errorCodeSchema, jobs: count })).describe("dead letters, most first"),
    workers: z
      .array(
        z.object({
          worker_id: z.string(),
          pid: z.int(),
          host: z.string(),
          started_at: z.iso.datetime(),
          last_seen_at: z.iso.datetime(),
          holds: z.array(
            z.object({
              job_id: z.string(),
              job_type: z.string(),
              document_id: z.string().nullable(),
              attempts: count,
              updated_at: z.iso.datetime().describe("when this attempt began"),
            }),
          ),
          holds_of_others: count.describe("jobs of other tenants that it runs"),
        }),
      )
      .describe("those alive"),
    tenants: z
      .array(
        z.object({
          tenant_id: z.string(),
          waiting: count,
          running: count,
          dead: count,
          completed: count.describe("documents, in this hour"),
        }),
      )
      .nullable()
      .describe("most loaded first, at most 100; null without `all`"),
  })
  .meta({ id: "Operations" });
export type Operations = z.infer<typeof operationsSchema>;

const KEPT_MS = 1_000;
const MAX_TENANTS = 100;

export function operationsRoutes(
  app: App,
  { queue, system }: Pick<AppDependencies, "queue" | "system">,
  activity: Activity,
): void {
  const memory = createShortMemory<Operations>(system, KEPT_MS);

  /** @param tenant_id undefined: of all */
  async function look(tenant_id: string | undefined): Promise<Operations> {
    const at = new Date(system.now()).toISOString();
    const [stats, dead, workers, loads] = await Promise.all([
      queue.stats(tenant_id),
      queue.deadByCode(tenant_id),
      livingWorkers(queue, system),
      tenant_id === undefined ? queue.loads(MAX_TENANTS) : null,
    ]);
    return {
      at,
      tenant_id: tenant_id ?? null,
      queue: stats,
      activity: activity.read(tenant_id),
      dead,
      workers: await Promise.all(workers.map((worker) => holdsOf(worker, tenant_id))),
      tenants: loads && withCompleted(loads, activity.completedByTenant()),
    };
  }

  async function holdsOf(
    { holds: held, ...worker }: WorkerInfo,
    tenant_id: string | undefined,
  ): Promise<Operations["workers"][number]> {
    const jobs = held.length === 0 ? [] : await queue.heldBy(worker.worker_id);
    const own = jobs.filter(({ job }) => tenant_id === undefined || job.tenant_id === tenant_id);
    return {
      ...worker,
      holds: own.map(({ job: { job_id, job_type, payload, attempts, updated_at } }) => {
        const { document_id } = payload;
        return {
          job_id,
          job_type,
          document_id: typeof document_id === "string" ? document_id : null,
          attempts,
          updated_at,
        };
      }),
      holds_of_others: jobs.length - own.length,
    };
  }

  app.get(
    "/v1/operations",
    {
      schema: {
        tags: ["operations"],
        summary: "What goes on: queue, the last hour, dead letters, workers",
        description:
          "Of the tenant; with `all=true`, for operators, of all. Up to a second old. The activity is counted in the " +
          "memory of the process that answers, from the last 20,000 events before its start on.",
        querystring: z.strictObject({
          all: z.stringbool().default(false).describe("of all tenants; for operators only"),
        }),
        response: { 200: operationsSchema, ...problems("storage_unavailable") },
      },
    },
    async (request) => {
      const { all } = request.query;
      if (all) requireOperator(request, "Without `all` the tenant's own are answered.");
      const tenant_id = all ? undefined : request.tenant_id;
      return memory.get(tenant_id ?? "*", () => look(tenant_id));
    },
  );
}

type TenantRow = NonNullable<Operations["tenants"]>[number];

/** Also tenants that have nothing in the queue, but had documents completed. */
function withCompleted(loads: Omit<TenantRow, "completed">[], completed: Map<string, number>): TenantRow[] {
  const rows = loads.map((load) => ({ ...load, completed: completed.get(load.tenant_id) ?? 0 }));
  const known = new Set(loads.map(({ tenant_id }) => tenant_id));
  for (const [tenant_id, documents] of completed) {
    if (known.has(tenant_id) || documents === 0) continue;
    rows.push({ tenant_id, waiting: 0, running: 0, dead: 0, completed: documents });
  }
  const busy = ({ waiting, running }: TenantRow) => waiting + running;
  return rows
    .sort((a, b) => busy(b) - busy(a) || b.completed - a.completed || b.dead - a.dead)
    .slice(0, MAX_TENANTS);
}
