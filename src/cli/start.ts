/** `sluice start`: everything on one machine. A supervisor, one API process and separate worker processes. */
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { openAdapters } from "../compose.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { createSupervisor, type ProcessSpec } from "../worker/supervisor.ts";
import { recoverWorker } from "../worker/worker.ts";
import { createLogger } from "./logger.ts";
import { onShutdown } from "./shutdown.ts";

export async function start(options: { json: boolean }): Promise<void> {
  const config = loadConfig();
  // On a terminal, log lines would bury the few words meant for a person: they go to a file there.
  const log_file = process.stderr.isTTY ? join(config.data_dir, "sluice.log") : undefined;
  if (log_file !== undefined) mkdirSync(config.data_dir, { recursive: true });
  const stderr = log_file === undefined ? 2 : openSync(log_file, "a");
  const log = createLogger(config.log_level, "supervisor", stderr);
  const adapters = await openAdapters(config, {}, log);
  const recovery = { ...adapters, retry: config.retry, log };
  const { system, queue } = adapters;

  // Workers of an earlier start that was killed: what they held goes on now, not when its lease ends.
  for (const { worker_id, pid, host } of await queue.workers()) {
    if (host === hostname() && !isAlive(pid)) await recoverWorker(recovery, worker_id);
  }

  const module = new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url);
  // Buffers of uploads and texts of chunks die young, but with the default of 16 MiB a thread many pile up before anything
  // looks: a worker that cuts a long text takes 300 MB less so, and no longer.
  const node_args = ["--max-semi-space-size=2"];
  const specs: ProcessSpec[] = [{ name: "api", module, args: () => ["api"], node_args }];
  for (let number = 1; number <= config.workers; number++) {
    specs.push({
      name: `worker ${number}`,
      module,
      args: () => ["worker", "--id", system.newId("wrk")],
      node_args,
      ended: async ([, , worker_id]) => {
        const jobs = await recoverWorker(recovery, worker_id as string);
        if (jobs > 0) log.warn({ worker_id, jobs }, "released the jobs of a worker that ended");
      },
    });
  }
  const supervisor = createSupervisor(specs, { system, log, stderr });
  onShutdown(
    async () => {
      if (!options.json) process.stdout.write("\nStopping: running jobs may finish first.\n");
      await supervisor.stop(config.shutdown_ms + 5_000);
      await adapters.close();
      if (!options.json) process.stdout.write("Stopped. Everything is in the data folder.\n");
    },
    (error) => log.error({ err: error }, "stopping failed"),
  );
  await supervisor.start();
  announce(config, log_file, options.json);
}

function announce({ client, data_dir, workers }: Config, log_file: string | undefined, json: boolean): void {
  const { url } = client;
  if (json) {
    process.stdout.write(`${JSON.stringify({ url, data_dir, workers, pid: process.pid })}\n`);
    return;
  }
  process.stdout.write(`
Sluice is running: one API process and ${workers} worker ${workers === 1 ? "process" : "processes"}.

  page     ${url}/
  API      ${url}/v1   (described in ${url}/openapi.json)
  data     ${data_dir}${log_file === undefined ? "" : `\n  log      ${log_file}`}

Upload a file:

  curl -F file=@README.md ${url}/v1/documents

Ctrl-C stops everything; the next start goes on where this one ended.
`);
}

/** Whether a process runs: one that has died and waits to be reaped by its parent does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  // "pid (name) state …": the name may hold anything, so the state is what follows the last parenthesis.
  return !/\) [ZX] [^)]*$/.test(readIfThere(`/proc/${pid}/stat`));
}

/** Empty where there is no such file: on other systems than Linux, or when the process ended a moment ago. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
