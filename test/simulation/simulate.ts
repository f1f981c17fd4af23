/** One run from one seed: a world, clients, faults for a while, calm until everything is over, and the checks. */
import { createHash } from "node:crypto";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { startClients } from "./clients.ts";
import { violations } from "./invariants.ts";
import { openPorts, type Plant } from "./ports.ts";
import { createRandom } from "./random.ts";
import { createScheduler } from "./scheduler.ts";
import { createWorld } from "./world.ts";

export interface Outcome {
  seed: number;
  /** What is wrong; empty when all is well. */
  wrong: string[];
  steps: number;
  /** Virtual milliseconds. */
  time: number;
  documents: number;
  faults: number;
  /** Of the event log and the last steps: equal runs have equal ones. */
  fingerprint: string;
  trace: string[];
  logged: string[];
}

const MAX_STEPS = 60_000;
const MAX_FAULTS = 8;
/** Beyond the age that a blob must have before the sweeper takes it. */
const SWEEP_LATER_MS = 12 * 3_600_000;

export async function simulate(seed: number, plant?: Plant): Promise<Outcome> {
  const random = createRandom(seed);
  const scheduler = createScheduler(random);
  const world = createWorld(scheduler, plant);
  const tenants = random.chance(0.5) ? ["t1"] : ["t1", "t2"];
  for (const tenant_id of tenants) world.subscribe(tenant_id);
  const told = startClients(scheduler, world, tenants, 3 + random.below(5));
  const likely = random.pick([0, 0.002, 0.005, 0.02]);
  let faults = 0;
  const disturb = () => {
    if (told.active === 0) world.outside.faulty = false;
    else if (faults < MAX_FAULTS && random.chance(likely)) {
      faults += 1;
      world.fault();
    }
  };
  let swept = false;
  const wrong: string[] = [];
  try {
    await scheduler.run(() => told.active === 0 && isQuiet(world), disturb, MAX_STEPS);
    world.end();
    const later = scheduler.spawn("sweeper", SWEEP_LATER_MS);
    const ports = openPorts(scheduler, later, world.outside);
    const sweeping = sweepBlobs({ ...ports, system: later.system }, new AbortController().signal);
    void sweeping.finally(() => {
      swept = true;
    });
    await scheduler.run(
      () => swept,
      () => {},
      2 * MAX_STEPS,
    );
    await sweeping;
  } catch (error) {
    wrong.push(`G2: ${error instanceof Error ? error.message : String(error)}`);
  }
  wrong.push(...(await violations(world, told)));
  const { state } = world.outside;
  const essence = [scheduler.steps, scheduler.time(), state.events, scheduler.trace.slice(-100)];
  return {
    seed,
    wrong,
    steps: scheduler.steps,
    time: scheduler.time(),
    documents: new Set(state.events.map(({ document_id }) => document_id)).size,
    faults,
    fingerprint: createHash("sha256").update(JSON.stringify(essence)).digest("hex"),
    trace: scheduler.trace,
    logged: world.logged,
  };
}

/** Nothing left to do, and everybody has heard of everything. */
function isQuiet({ outside, subscribers, published }: ReturnType<typeof createWorld>): boolean {
  const { openJobs, events } = outside.state;
  if (openJobs.size > 0) return false;
  const last = events.length;
  if (last === 0) return true;
  if ((published.at(-1)?.sequence ?? 0) < last) return false;
  return subscribers.every(({ tenant_id, received }) => {
    const own = events.findLast((event) => event.tenant_id === tenant_id);
    return own === undefined || received.at(-1)?.sequence === own.sequence;
  });
}
