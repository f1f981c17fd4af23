/**
 * `node bench/postgres/main.ts [NAME…] [--quick] [--json]`: Sluice on PostgreSQL, beside other queues and beside plain
 * statements, on one server that is started for it. See README.md beside this file.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Context } from "../benchmark.ts";
import { describeMachine } from "../machine.ts";
import { renderMachine, renderTable } from "../report.ts";
import { measure, parts } from "./benchmark.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
});
const unknown = positionals.filter((name) => !(name in parts));
if (unknown.length > 0) {
  process.stderr.write(`There is no ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}.\n`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    remove();
    process.exit(130);
  });
}
const context: Context = {
  quick: values.quick,
  folder: (name) => mkdtempSync(join(folder, `${name}-`)),
  corpus: undefined,
  teacher: undefined,
  transformers: undefined,
  corpus_given: false,
  say: (text) => process.stderr.write(`${text}\n`),
};
try {
  const machine = describeMachine(folder);
  const tables = await measure(context, positionals);
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ machine, quick: values.quick, tables }, null, 2)}\n`
      : `${renderMachine(machine)}\n\n${tables.map(renderTable).join("\n\n")}\n`,
  );
} finally {
  remove();
}
