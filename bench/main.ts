/**
 * `npm run bench`: what Sluice costs, against what it would cost without Sluice, in one run on one machine.
 * Nothing here passes or fails: see README.md beside this file for how to read it.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ack } from "./ack.ts";
import { ackUnderLoad } from "./ack-under-load.ts";
import type { Benchmark, Context, Table } from "./benchmark.ts";
import { embedders } from "./embedders.ts";
import { eventLatency } from "./event-latency.ts";
import { extractFidelity } from "./extract.ts";
import { footprint } from "./footprint.ts";
import { describeMachine } from "./machine.ts";
import { pipelineThroughput } from "./pipeline.ts";
import { postgres } from "./postgres/benchmark.ts";
import { queue } from "./queue.ts";
import { renderMachine, renderTable } from "./report.ts";
import { searchLatency } from "./search.ts";
import { stopServers } from "./server.ts";
import { staticEmbedder } from "./static-embedder.ts";
import { rounded } from "./statistics.ts";
import { thousandChunks } from "./thousand-chunks.ts";

const benchmarks: Readonly<Record<string, Benchmark>> = {
  ack,
  "ack-under-load": ackUnderLoad,
  pipeline: pipelineThroughput,
  "thousand-chunks": thousandChunks,
  embedders,
  "event-latency": eventLatency,
  queue,
  search: searchLatency,
  footprint,
  "static-embedder": staticEmbedder,
  postgres,
  extract: extractFidelity,
};
/** They start services of their own, or compare with programs, which not every machine has. */
const onRequest = ["postgres", "extract"];

const usage = `npm run bench -- [NAME…] [--quick] [--json] [--corpus DIR] [--folder DIR]
                       [--teacher DIR] [--transformers DIR]

  NAME          ${Object.keys(benchmarks).join(", ")};
                default all but ${onRequest.join(", ")}
  --quick       fewer rounds: a look, not a figure to quote
  --json        the result as JSON on standard output
  --corpus DIR  real files for the pipeline, for the synchronous handler and for extract
  --teacher DIR a sentence transformer as transformers.js reads it, for embedders
  --transformers DIR  in whose node_modules @huggingface/transformers is
  --folder DIR  where to write, up to 8 GB of it; default the system's folder for temporary files

The exit code is 1 when something could not be measured, 2 for a wrong command line.
`;

const { values, positionals } = commandLine();
const unknown = positionals.filter((name) => !(name in benchmarks));
if (values.help || unknown.length > 0) {
  for (const name of unknown) process.stderr.write(`There is no benchmark ${name}.\n`);
  process.stdout.write(usage);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const folder = mkdtempSync(join(resolve(values.folder), "sluice-bench-"));
// A process that is just ending may still write: then what it wrote is removed in the next try.
const remove = (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 10 });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await stopServers();
    remove(folder);
    process.exit(130);
  });
}

/** Beside a checkout there may be a folder of real documents. */
const neighbour = fileURLToPath(new URL("../../shared/corpus", import.meta.url));
const say = (text: string) => process.stderr.write(`${text}\n`);
let folders: string[] = [];
const context: Context = {
  quick: values.quick,
  folder(name) {
    const path = mkdtempSync(join(folder, `${name}-`));
    folders.push(path);
    return path;
  },
  corpus:
    values.corpus === undefined ? (existsSync(neighbour) ? neighbour : undefined) : resolve(values.corpus),
  teacher: values.teacher,
  transformers: values.transformers,
  corpus_given: values.corpus !== undefined,
  say,
};

const machine = describeMachine(folder);
if (!values.json) process.stdout.write(`${renderMachine(machine)}\n`);
const results: { name: string; seconds: number; tables: Table[]; error?: string }[] = [];
for (const [name, run] of Object.entries(benchmarks)) {
  const chosen = positionals.length === 0 ? !onRequest.includes(name) : positionals.includes(name);
  if (!chosen) continue;
  if (run === footprint && process.platform !== "linux" && positionals.length === 0) {
    say(`\n${name} is left out: it reads /proc, which only Linux has.`);
    continue;
  }
  say(`\n${name} …`);
  const started = performance.now();
  const seconds = () => rounded((performance.now() - started) / 1_000);
  try {
    const tables = await run(context);
    requireFigures(tables);
    results.push({ name, seconds: seconds(), tables });
    if (!values.json) {
      process.stdout.write(`\n${tables.map(renderTable).join("\n\n")}\n  (${name}: ${seconds()} s)\n`);
    }
  } catch (error) {
    // The others are measured all the same; the exit code tells.
    process.exitCode = 1;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    results.push({ name, seconds: seconds(), tables: [], error: message });
    say(`${name} could not be measured: ${stack ?? message}`);
  }
  for (const path of folders) remove(path);
  folders = [];
}
remove(folder);
if (values.json)
  process.stdout.write(`${JSON.stringify({ machine, quick: values.quick, results }, null, 2)}\n`);

/** @throws Error for a figure that is none: a median of nothing, a ratio to zero */
function requireFigures(tables: Table[]): void {
  for (const { title, rows } of tables) {
    for (const row of rows) {
      for (const [name, value] of Object.entries(row)) {
        if (typeof value === "number" && !Number.isFinite(value)) {
          throw new Error(`${title}: ${name} is ${value} in ${JSON.stringify(row)}`);
        }
      }
    }
  }
}

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        corpus: { type: "string" },
        teacher: { type: "string" },
        transformers: { type: "string" },
        folder: { type: "string", default: tmpdir() },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}
