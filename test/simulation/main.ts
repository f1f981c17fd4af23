/** `npm run simulate -- --seeds 10000`: many runs, or one again with its trace. */
import { parseArgs } from "node:util";
import { planted } from "./planted.ts";
import { type Outcome, simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    /** Only this one. */
    seed: { type: "string" },
    /** Told from its first step on. */
    trace: { type: "boolean", default: false },
    /** With one of the known bugs put in. */
    plant: { type: "string" },
  },
});
/** Of a failing run without `--trace`: the steps before the end. */
const TAIL = 30;
const MAX_FAILED = 10;

const plant = values.plant === undefined ? undefined : planted[values.plant];
if (values.plant !== undefined && !plant) {
  throw new Error(`There is no ${values.plant}; there are: ${Object.keys(planted).join(", ")}`);
}

if (values.seed !== undefined) await one(Number(values.seed));
else await many(Number(values.from), Number(values.seeds));

async function one(seed: number): Promise<void> {
  const lines = values.trace ? Number.POSITIVE_INFINITY : TAIL;
  const outcome = await simulate(seed, plant, lines);
  tell(outcome, lines);
  process.exitCode = outcome.wrong.length === 0 ? 0 : 1;
}

async function many(from: number, count: number): Promise<void> {
  const started = performance.now();
  const sums = { steps: 0, documents: 0, faults: 0, hours: 0 };
  let longest = { seed: 0, calm: 0 };
  let done = 0;
  let failed = 0;
  for (let seed = from; seed < from + count && failed < MAX_FAILED; seed++) {
    const outcome = await simulate(seed, plant);
    done += 1;
    sums.steps += outcome.steps;
    sums.documents += outcome.documents;
    sums.faults += outcome.faults;
    sums.hours += outcome.time / 3_600_000;
    if (outcome.calm > longest.calm) longest = outcome;
    if (outcome.wrong.length > 0) {
      failed += 1;
      tell(outcome, failed === 1 ? TAIL : 0);
    }
    if (done % 1_000 === 0) process.stderr.write(`${done} seeds\n`);
  }
  const seconds = (performance.now() - started) / 1_000;
  process.stdout.write(
    `${done} seeds, ${failed} wrong: ${sums.documents} documents, ${sums.faults} faults, ${sums.steps} steps, ` +
      `${sums.hours.toFixed(0)} simulated hours in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(0)} a second); ` +
      `over at the latest ${(longest.calm / 1_000).toFixed(0)} s after the last fault (seed ${longest.seed})\n`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

function tell({ seed, wrong, steps, trace, logged, fingerprint }: Outcome, lines: number): void {
  const verdict = wrong.length === 0 ? "all is well" : `--seed ${seed} --trace tells it from the start`;
  const told = [`seed ${seed}, ${steps} steps, ${fingerprint.slice(0, 12)}: ${verdict}`];
  told.push(...wrong.slice(0, 10).map((each) => `  ${each}`));
  if (lines > 0) {
    told.push(...logged.slice(-lines).map((line) => `  | ${line}`));
    told.push(...trace.slice(-lines).map((line) => `  . ${line}`));
  }
  process.stdout.write(`${told.join("\n")}\n`);
}
