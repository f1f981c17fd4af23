/** `npm run simulate -- --seeds 10000`: many runs, or one again with its trace. */
import { parseArgs } from "node:util";
import { planted } from "./planted.ts";
import { type Outcome, simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    /** Only this one, told in full. */
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    /** With one of the known bugs put in. */
    plant: { type: "string" },
  },
});
const plant = values.plant === undefined ? undefined : planted[values.plant];
if (values.plant !== undefined && !plant) {
  throw new Error(`There is no ${values.plant}; there are: ${Object.keys(planted).join(", ")}`);
}

if (values.seed !== undefined) {
  const outcome = await simulate(Number(values.seed), plant);
  tell(outcome, values.trace);
  process.exit(outcome.wrong.length === 0 ? 0 : 1);
}

const started = performance.now();
const from = Number(values.from);
const count = Number(values.seeds);
const sums = { steps: 0, documents: 0, faults: 0, hours: 0 };
let failed = 0;
for (let seed = from; seed < from + count; seed++) {
  const outcome = await simulate(seed, plant);
  sums.steps += outcome.steps;
  sums.documents += outcome.documents;
  sums.faults += outcome.faults;
  sums.hours += outcome.time / 3_600_000;
  if (outcome.wrong.length > 0) {
    failed += 1;
    tell(outcome, values.trace);
    if (failed === 10) break;
  }
  if ((seed - from + 1) % 1_000 === 0) process.stderr.write(`${seed - from + 1} seeds\n`);
}
const seconds = (performance.now() - started) / 1_000;
process.stdout.write(
  `${count} seeds, ${failed} wrong: ${sums.documents} documents, ${sums.faults} faults, ${sums.steps} steps, ` +
    `${sums.hours.toFixed(1)} simulated hours in ${seconds.toFixed(1)} s\n`,
);
process.exit(failed === 0 ? 0 : 1);

function tell({ seed, wrong, steps, trace, logged, fingerprint }: Outcome, whole: boolean): void {
  const lines = [
    `seed ${seed}, ${steps} steps, ${fingerprint.slice(0, 12)}: ${wrong.length === 0 ? "all is well" : ""}`,
  ];
  lines.push(...wrong.slice(0, 10).map((each) => `  ${each}`));
  if (whole) lines.push(...logged.map((line) => `  | ${line}`), ...trace.map((line) => `  . ${line}`));
  process.stdout.write(`${lines.join("\n")}\n`);
}
