/** `sluice jobs list | show | retry | cancel`. */
import { loadConfig } from "../config.ts";
import type { Job, JobState } from "../job.ts";
import { createClient } from "./client.ts";
import { formatDuration, type OutputOptions, print, printable, printJson, table } from "./output.ts";

export interface ListJobsOptions extends OutputOptions {
  state?: JobState;
  /** Most jobs shown, over as many pages as it takes. */
  limit: number;
}

const PAGE = 200;

export async function listJobs(options: ListJobsOptions): Promise<void> {
  const client = connect();
  const jobs: Job[] = [];
  let cursor: string | null = null;
  do {
    const page = await client.listJobs({
      limit: Math.min(PAGE, options.limit - jobs.length),
      ...(options.state === undefined ? {} : { state: options.state }),
      ...(cursor === null ? {} : { cursor }),
    });
    jobs.push(...page.jobs);
    cursor = page.next_cursor;
  } while (cursor !== null && jobs.length < options.limit);
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
  report(await connect().getJob(job_id), options);
}

export async function retryJob(job_id: string, options: OutputOptions): Promise<void> {
  const job = await connect().retryJob(job_id);
  if (options.json) printJson(job);
  else print(`${job.job_id} is ${job.state}: it goes on from its last checkpoint.`);
}

export async function cancelJob(job_id: string, options: OutputOptions): Promise<void> {
  const job = await connect().cancelJob(job_id);
  if (options.json) printJson(job);
  else print(`${job.job_id} is ${job.state}.`);
}

function connect() {
  return createClient(loadConfig().client);
}

function report(job: Job, options: OutputOptions): void {
  if (options.json) {
    printJson(job);
    return;
  }
  const { error, payload, state, leased_by, finished_at } = job;
  const lines: [string, string][] = [
    ["job", job.job_id],
    ["type", job.job_type],
    ["document", String(payload.document_id ?? "")],
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
