#!/usr/bin/env node
/** The command line. Each command is a file of its own, loaded when it is called. */
import { Command } from "commander";
import { reportError } from "./output.ts";

const program = new Command("sluice")
  .description("Documents in, an answer in milliseconds, searchable a moment later.")
  .option("--json", "machine-readable output, one JSON value per line", false)
  .showHelpAfterError();

const json = () => program.opts<{ json: boolean }>().json;

program
  .command("start")
  .description("run everything on this machine: API, workers and the supervisor that keeps them running")
  .action(async () => (await import("./start.ts")).start({ json: json() }));
program
  .command("api")
  .description("run the API alone, against the data folder")
  .action(async () => (await import("./api.ts")).api());
program
  .command("worker")
  .description("run one worker, against the data folder")
  .option("--id <id>", "name of this worker in logs and leases")
  .action(async (options: { id?: string }) => (await import("./worker.ts")).worker(options.id));

try {
  await program.parseAsync();
} catch (error) {
  reportError(error, json());
}
