/**
 * `npm run corpus -- FOLDER`: takes a folder through the real service and tells what became of each file. For folders
 * of other people, whatever is in them.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ingestFolder } from "./ingest.ts";
import { family, header, render, renderTotals, totalsOf } from "./report.ts";

const usage = `npm run corpus -- FOLDER [--concurrency N] [--patience SECONDS] [--json]

Starts \`sluice start\` in an empty folder of its own, uploads every file below FOLDER over HTTP, and tells how each
ended: status, error, pages, chunks, seconds, and the memory of the processes that read it (the extraction child, and
LibreOffice with it; seen every 50 ms, Linux only; a warm child begins with what the file before has left). Files
inside others (attachments, entries of archives) stand under them. Nothing stays but what is printed.

  --concurrency N   files at a time, and worker processes; default ${Math.max(2, availableParallelism())}
  --patience N      seconds without any event after which what has not ended is given up; default 600
  --json            the result as JSON on standard output

Settings of the service are taken from the environment (SLUICE_EXTRACT_TIMEOUT_SECONDS=30 …). SLUICE_MAX_ATTEMPTS is 2
unless given. Links are not followed.

The exit code is 1 when a file came to no end or a process of the service was lost, however files ended; 2 for a wrong
command line.
`;

const { values, positionals } = commandLine();
const concurrency = Number(values.concurrency);
const patience = Number(values.patience);
const [folder] = positionals;
if (
  values.help ||
  folder === undefined ||
  positionals.length > 1 ||
  !(concurrency >= 1 && concurrency <= 64) ||
  !(patience > 0)
) {
  process[values.help ? "stdout" : "stderr"].write(usage);
  process.exit(values.help ? 0 : 2);
}

if (!values.json) console.log(header);
const settings = Object.fromEntries(
  Object.entries(process.env).filter(([name, value]) => name.startsWith("SLUICE_") && value !== undefined),
) as Record<string, string>;
// They would put it elsewhere than into an empty folder of its own.
for (const name of ["SLUICE_DATA_DIR", "SLUICE_PORT", "SLUICE_HOST", "SLUICE_API_KEYS"])
  delete settings[name];
const ingested = await ingestFolder({
  folder,
  concurrency: Math.trunc(concurrency),
  patience_ms: patience * 1_000,
  settings,
  tell: (outcome) => {
    if (!values.json) console.log(render(outcome));
  },
}).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
});
const totals = totalsOf(ingested);
const open = ingested.outcomes.flatMap(family).filter(({ status }) => status === "open").length;
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ ...totals, losses: ingested.losses, outcomes: ingested.outcomes }, null, 2)}\n`,
  );
} else {
  console.log(`\n${renderTotals(totals)}`);
  for (const loss of ingested.losses) console.log(`LOST: ${loss}`);
  if (open > 0) console.log(`LOST: ${open} documents came to no end`);
}
process.exitCode = open > 0 || ingested.losses.length > 0 ? 1 : 0;

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        concurrency: { type: "string", default: String(Math.max(2, availableParallelism())) },
        patience: { type: "string", default: "600" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}
