/** `sluice jobs list | show | retry | cancel`. */
import { loadConfig } from "../config/config.ts";
import type { SluiceEvent } from "../events.ts";
import type { Job, JobState } from "../job.ts";
import { createClient, pagesOf } from "./client.ts";
import {
  formatDuration,
  type OutputOptions,
  print,
  printable,
  printJson,
  table,
  UsageError,
} from "./output.ts";

export interface ListJobsOptions extends OutputOptions {
  state?: JobState;
  /** Only jobs whose last attempt failed with it. */
  code?: string;
  /** Most jobs shown, over as many pages as it takes. */
  limit: number;
}

const PAGE = 200;

export async function listJobs(options: ListJobsOptions): Promise<void> {
  const client = connect();
  const jobs: Job[] = [];
  const pages = pagesOf((start) =>
    client.listJobs({
      limit: Math.min(PAGE, options.limit - jobs.length),
      ...(options.state === undefined ? {} : { state: options.state }),
      ...(options.code === undefined ? {} : { error_code: options.code }),
      ...start,
    }),
  );
  for await (const page of pages) {
    jobs.push(...page.jobs);
    if (jobs.length >= options.limit) break;
  }
  if (options.json) {
    for (const job of jobs) printJson(job);
    return;
  }
  if (jobs.length === 0) {
    process.stderr.write(`No ${options.state ?? ""}${options.state ? " " : ""}jobs.\n`);
    return;
  }
  const rows = jobs.map((job) => [
    job.job_id,
    job.state,
    job.job_type,
    `${job.attempts}/${job.max_attempts}`,
    ago(job.updated_at),
    String(job.payload.document_id ?? ""),
    job.error ? `${job.error.code}: ${job.error.message}` : "",
  ]);
  print(table(["JOB", "STATE", "TYPE", "ATTEMPTS", "CHANGED", "DOCUMENT", "ERROR"], rows));
}

export async function showJob(job_id: string, options: OutputOptions): Promise<void> {
  const client = connect();
  const job = await client.getJob(job_id);
  if (options.json) {
    printJson(job);
    return;
  }
  const events = await client.listEvents(job.correlation_id);
  report(
    job,
    events.filter(({ data }) => data.job_id === job_id),
  );
}

export interface RetryJobsOptions extends OutputOptions {
  /** Every dead letter. */
  all?: boolean;
  /** Every dead letter that died of this error. */
  code?: string;
}

/** Runs the named jobs again, or dead letters all together. */
export async function retryJobs(job_ids: string[], options: RetryJobsOptions): Promise<void> {
  const client = connect();
  const { all, code, json } = options;
  if ((all === true || code !== undefined) === job_ids.length > 0) {
    throw new UsageError("Name the jobs to retry, or say --all or --code.");
  }
  for (const job_id of job_ids) {
    const job = await client.retryJob(job_id);
    if (json) printJson(job);
    else print(`${job.job_id} is ${job.state}: it goes on from its last checkpoint.`);
  }
  if (job_ids.length > 0) return;
  const sum = { retried: 0, skipped: 0 };
  const chosen = code === undefined ? {} : { error_code: code };
  for await (const page of pagesOf((start) => client.retryDead({ ...chosen, ...start }))) {
    sum.retried += page.retried;
    sum.skipped += page.skipped;
  }
  if (json) printJson(sum);
  else {
    const passed = sum.skipped === 0 ? "" : ` ${sum.skipped} skipped: their documents have moved on.`;
    print(`${sum.retried} retried.${passed}`);
  }
}

export async function cancelJob(job_id: string, options: OutputOptions): Promise<void> {
  const job = await connect().cancelJob(job_id);
  if (options.json) printJson(job);
  else print(`${job.job_id} is ${job.state}.`);
}

function connect() {
  return createClient(loadConfig().client);
}

function report(job: Job, events: SluiceEvent[]): void {
  const { error, payload, state, leased_by, finished_at } = job;
  const lines: [string, string][] = [
    ["job", job.job_id],
    ["type", job.job_type],
    ["document", String(payload.document_id ?? "")],
    ["original", payload.document_id === undefined ? "" : `/v1/documents/${payload.document_id}/file`],
    ["state", leased_by === null ? state : `${state}, on ${leased_by}`],
    ["attempts", `${job.attempts} of ${job.max_attempts}`],
    ["created", `${job.created_at} (${ago(job.created_at)})`],
    ["finished", finished_at === null ? "" : `${finished_at} (${ago(finished_at)})`],
    ["not before", state === "retrying" || state === "queued" ? job.run_at : ""],
    ["error", error ? `${error.message} (${error.code})` : ""],
    ["correlation", job.correlation_id],
    ["next", nextOf(job)],
  ];
  print(
    lines
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `${name.padEnd(12)}${printable(value)}`)
      .join("\n"),
  );
  const steps = events.filter(({ event_type }) => event_type !== "rag.ingestion.progressed");
  if (steps.length > 0) print(`\n${table(["TIME", "EVENT", ""], steps.map(stepOf))}`);
}

/** One line of the timeline: when, what, and what there is to say of it. */
function stepOf({ timestamp, event_type, data }: SluiceEvent): string[] {
  const told: string[] = [];
  if ("attempt" in data) told.push(`attempt ${data.attempt}`);
  if ("stage" in data) told.push(data.stage);
  if ("duration_ms" in data) told.push(formatDuration(data.duration_ms));
  if ("error" in data) told.push(data.error.code);
  if ("run_at" in data) told.push(`again at ${data.run_at}`);
  if ("reason" in data) told.push(data.reason);
  return [timestamp, event_type, told.join(", ")];
}

function nextOf({ state, job_id }: Job): string {
  switch (state) {
    case "dead":
    case "cancelled":
      return `\`sluice jobs retry ${job_id}\` runs it again`;
    case "retrying":
      return "it is tried again by itself";
    default:
      return "";
  }
}

function ago(time: string): string {
  return `${formatDuration(Math.max(0, Date.now() - Date.parse(time)))} ago`;
}
