/**
 * `npm run bench`: what Sluice costs, against what it would cost without Sluice, in one run on one machine.
 * Nothing here passes or fails: see README.md beside this file for how to read it.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ack } from "./ack.ts";
import { ackUnderLoad } from "./ack-under-load.ts";
import type { Benchmark, Context, Table } from "./benchmark.ts";
import { eventLatency } from "./event-latency.ts";
import { describeMachine } from "./machine.ts";
import { pipelineThroughput } from "./pipeline.ts";
import { queue } from "./queue.ts";
import { renderMachine, renderTable } from "./report.ts";
import { rounded } from "./statistics.ts";
import { thousandChunks } from "./thousand-chunks.ts";

const benchmarks: Readonly<Record<string, Benchmark>> = {
  ack,
  "ack-under-load": ackUnderLoad,
  pipeline: pipelineThroughput,
  "thousand-chunks": thousandChunks,
  "event-latency": eventLatency,
  queue,
};

const usage = `npm run bench -- [NAME…] [--quick] [--json] [--corpus DIR] [--folder DIR]

  NAME          ${Object.keys(benchmarks).join(", ")}; default all
  --quick       fewer rounds: a look, not a figure to quote
  --json        the result as JSON on standard output
  --corpus DIR  real files for the pipeline and for the synchronous handler
  --folder DIR  where to write; default the system's folder for temporary files
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    corpus: { type: "string" },
    folder: { type: "string", default: tmpdir() },
    help: { type: "boolean", short: "h", default: false },
  },
});
const unknown = positionals.filter((name) => !(name in benchmarks));
if (values.help || unknown.length > 0) {
  for (const name of unknown) process.stderr.write(`There is no benchmark ${name}.\n`);
  process.stdout.write(usage);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const folder = mkdtempSync(join(resolve(values.folder), "sluice-bench-"));
const cleanUp = () => rmSync(folder, { recursive: true, force: true });
// The processes started here are in the same group and stop by themselves.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    cleanUp();
    process.exit(130);
  });
}

/** Beside a checkout there may be a folder of real documents. */
const neighbour = fileURLToPath(new URL("../../shared/corpus", import.meta.url));
const say = (text: string) => process.stderr.write(`${text}\n`);
let folders = 0;
const context: Context = {
  quick: values.quick,
  folder(name) {
    const path = join(folder, `${++folders}-${name}`);
    mkdirSync(path);
    return path;
  },
  corpus:
    values.corpus === undefined ? (existsSync(neighbour) ? neighbour : undefined) : resolve(values.corpus),
  corpus_given: values.corpus !== undefined,
  say,
};

const machine = describeMachine(folder);
if (!values.json) process.stdout.write(`${renderMachine(machine)}\n`);
const results: { name: string; seconds: number; tables: Table[] }[] = [];
try {
  for (const [name, run] of Object.entries(benchmarks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    say(`\n${name} …`);
    const started = performance.now();
    const tables = await run(context);
    const seconds = rounded((performance.now() - started) / 1_000);
    results.push({ name, seconds, tables });
    if (!values.json) {
      process.stdout.write(`\n${tables.map(renderTable).join("\n\n")}\n  (${name}: ${seconds} s)\n`);
    }
  }
} finally {
  cleanUp();
}
if (values.json)
  process.stdout.write(`${JSON.stringify({ machine, quick: values.quick, results }, null, 2)}\n`);
