#!/usr/bin/env node
/** The command line. Each command is a file of its own, loaded when it is called. */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { jobStates } from "../job.ts";
import { reportError, UsageError } from "./output.ts";

const program = new Command("sluice")
  .description("Documents in, an answer in milliseconds, searchable a moment later.")
  .option("--json", "machine-readable output, one JSON value per line", false)
  .version(packageVersion(), "-V, --version", "show the version")
  .configureHelp({ showGlobalOptions: true })
  // One line, and JSON where that is asked for, instead of what commander would write.
  .configureOutput({ outputError: () => {} })
  .exitOverride();

const output = () => ({ json: program.opts<{ json: boolean }>().json });

program
  .command("start")
  .description("run everything on this machine: API, workers and the supervisor that keeps them running")
  .action(async () => (await import("./start.ts")).start(output()));
program
  .command("api")
  .description("run the API alone, against the data folder")
  .action(async () => (await import("./api.ts")).api());
program
  .command("worker")
  .description("run one worker, against the data folder")
  .option("--id <id>", "name of this worker in logs and leases")
  .action(async (options: { id?: string }) => (await import("./worker.ts")).worker(options.id));

program
  .command("ingest")
  .description("upload files, folders (all the way down) and globs, and follow each file to its end")
  .argument("<path...>", "what to ingest; hidden files and node_modules in folders are passed over")
  .option("-c, --collection <name>", "collection that the documents go to", "default")
  .option("-m, --metadata <json>", "JSON object stored with every document; searches can filter by it")
  .option("--new-version", "ingest also what the collection has already, as a new version")
  .option("--concurrency <n>", "uploads at a time", integer(1, 64), 4)
  .option("--no-wait", "do not follow the documents; end as soon as all are accepted")
  .addHelpText("after", "\nExit code 0: every file completed (with --no-wait: was accepted).")
  .action(async (paths: string[], options) =>
    (await import("./ingest.ts")).ingest(paths, { ...options, ...output() }),
  );
program
  .command("search")
  .description("find passages by meaning and by words")
  .argument("<query>")
  .option("-c, --collection <name>", "search only there; default: everywhere")
  .option(
    "-f, --filter <json>",
    'conditions on metadata, title, author, language …, such as {"authored_at": {"gte": "2020"}}',
  )
  .option("-k, --top-k <n>", "the most hits to show (default: 10)", integer(1, 100))
  .addOption(
    new Option("--mode <mode>", "by words, by meaning, or both (default: hybrid)").choices([
      "hybrid",
      "vector",
      "keyword",
    ]),
  )
  .addOption(new Option("--expand <unit>", "show the section around each hit").choices(["section"]))
  .option("--no-rerank", "leave the hits in the order of the search itself")
  .option("--explain", "say of each hit where it was found by meaning and by words, and how well")
  .action(async (query: string, options) =>
    (await import("./search.ts")).search(query, { ...options, ...output() }),
  );

const collections = program
  .command("collections")
  .description("look at collections, and set how their documents are cut into chunks");
const collectionName = () => new Argument("<name>");
collections
  .command("list", { isDefault: true })
  .description("every collection, with its documents and how they are cut")
  .action(async () => (await import("./collections.ts")).listCollections(output()));
collections
  .command("show")
  .description("one collection and its settings")
  .addArgument(collectionName())
  .action(async (name: string) => (await import("./collections.ts")).showCollection(name, output()));
collections
  .command("set")
  .description("change settings of a collection, for documents ingested from now on")
  .addArgument(collectionName())
  .option("--strategy <name>", "where chunks begin and end: structure, fixed, sentence, page")
  .option("--max-tokens <n>", "most tokens in a chunk")
  .option("--overlap-tokens <n>", "tokens that a chunk repeats from the one before")
  .option("--contextual-header <on|off>", "embed a chunk with its document's title and headings before it")
  .addHelpText("after", "\nWhat is not named stays; `default` as a value: as the server is set.")
  .action(async (name: string, options) =>
    (await import("./collections.ts")).setCollection(name, { ...options, ...output() }),
  );
collections
  .command("reset")
  .description("take a collection's settings back; its documents stay")
  .addArgument(collectionName())
  .action(async (name: string) => (await import("./collections.ts")).resetCollection(name, output()));
collections
  .command("reingest")
  .description("ingest every document of a collection again, under its settings of now")
  .addArgument(collectionName())
  .action(async (name: string) => (await import("./collections.ts")).reingestCollection(name, output()));

const jobs = program.command("jobs").description("look at jobs, cancel them, run dead ones again");
const jobId = () => new Argument("<job-id>");
jobs
  .command("list")
  .description("list jobs, newest first; `--state dead` is the dead-letter list")
  .addOption(new Option("-s, --state <state>", "only jobs in this state").choices(jobStates))
  .option("-c, --code <error-code>", "only jobs whose last attempt failed with this error")
  .option("-n, --limit <n>", "the most jobs to show", integer(1, 100_000), 50)
  .action(async (options) => (await import("./jobs.ts")).listJobs({ ...options, ...output() }));
jobs
  .command("show")
  .description("one job, and what can be done about it")
  .addArgument(jobId())
  .action(async (job_id: string) => (await import("./jobs.ts")).showJob(job_id, output()));
jobs
  .command("retry")
  .description("run dead or cancelled jobs again, from their last checkpoints")
  .argument("[job-id...]")
  .option("-a, --all", "every dead letter")
  .option("-c, --code <error-code>", "every dead letter that died of this error")
  .action(async (job_ids: string[], options) =>
    (await import("./jobs.ts")).retryJobs(job_ids, { ...options, ...output() }),
  );
jobs
  .command("cancel")
  .description("cancel a job, also while it runs")
  .addArgument(jobId())
  .action(async (job_id: string) => (await import("./jobs.ts")).cancelJob(job_id, output()));

const keys = program.command("keys").description("API keys, straight in the data folder");
keys
  .command("create")
  .description("make a key; it is shown once")
  .requiredOption("-t, --tenant <name>", "tenant that its bearer acts for")
  .option("--name <text>", "what the key is for")
  .option("--operator", "it may act for every tenant, and do what concerns all of them")
  .option("--expires <time>", "it ends after so long: 10m, 12h, 30d", duration)
  .action(async (options) => (await import("./keys.ts")).createKey({ ...options, ...output() }));
keys
  .command("list")
  .description("list the keys, without what is secret")
  .action(async () => (await import("./keys.ts")).listKeys(output()));
keys
  .command("revoke")
  .description("make a key worthless")
  .argument("<key-id>")
  .action(async (key_id: string) => (await import("./keys.ts")).revokeKey(key_id, output()));

program
  .command("mcp")
  .description("offer search, passages and uploads to language models (Model Context Protocol)")
  .option("--port <n>", "over HTTP on this port, instead of standard input and output", integer(1, 65_535))
  .addHelpText(
    "after",
    "\nA client of the server at SLUICE_URL, with SLUICE_API_KEY; over HTTP each request brings its own key.",
  )
  .action(async (options: { port?: number }) =>
    (await import("./mcp.ts")).mcp({ ...options, version: packageVersion() }),
  );

program
  .command("doctor")
  .description("check everything that this configuration needs, and say what to do")
  .option("--settings", "list the settings with their defaults instead")
  .action(async (options) => (await import("./doctor.ts")).doctor({ ...options, ...output() }));

program
  .command("reindex")
  .description("embed every document anew with the configured embedder, and follow that to its end")
  .addOption(new Option("--detach", "begin it, or join one under way, and end at once").conflicts("status"))
  .option("--status", "say which embedder the index is of, and how far a reindex is; begin nothing")
  .addOption(new Option("--cancel", "give up the one under way").conflicts(["status", "detach"]))
  .addHelpText(
    "after",
    "\nSearches go by the old vectors until all is done. Workers do the work. Run it with the settings that they have.",
  )
  .action(async (options) => (await import("./reindex.ts")).reindex({ ...options, ...output() }));

program
  .command("backup")
  .description("copy everything to a new folder, also while Sluice runs; the copy is a data folder")
  .argument("<folder>", "must not exist, or be empty")
  .option("--no-link", "copy every file, also where hard links would share them with the original")
  .action(async (folder: string, options) =>
    (await import("./backup.ts")).backup(folder, { ...options, ...output() }),
  );
program
  .command("verify")
  .description("check files, documents, chunks, index, jobs and events against each other")
  .option("--fast", "trust files that have their full length, without reading them")
  .option("--repair", "repair what can be; what is lost can only be told")
  .addHelpText("after", "\nExit code 0: all is well or repaired; 1: something is not; 2: it could not look.")
  .action(async (options) => (await import("./verify.ts")).verifyAll({ ...options, ...output() }));

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read the output has seen enough (`| head`).
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  // Help and version are shown by a CommanderError of exit code 0.
  if (!(error instanceof CommanderError)) reportError(error, output().json);
  else if (error.exitCode !== 0) reportError(wrongCall(error), output().json);
}

function wrongCall({ code, message }: CommanderError): UsageError {
  if (code === "commander.help") return new UsageError("Which command? `sluice --help` lists them.");
  const what = message.replace(/^error: /, "").replaceAll("\n", " ");
  return new UsageError(`${what}${/[.?)]$/.test(what) ? "" : "."} Add --help to see what the command takes.`);
}

/** @returns milliseconds */
function duration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count === undefined || Number(count) === 0) {
    throw new InvalidArgumentError("It must be a number and s, m, h or d, such as 10m.");
  }
  return Number(count) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s" | "m" | "h" | "d"];
}

function integer(low: number, high: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

function packageVersion(): string {
  const path = findPackageJSON(import.meta.url);
  if (path === undefined) throw new Error("the package has no package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
