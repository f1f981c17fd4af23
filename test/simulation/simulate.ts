/** One run from one seed: a world, clients, faults for a while, calm until everything is over, and the checks. */
import { createHash } from "node:crypto";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { startClients } from "./clients.ts";
import { violations } from "./invariants.ts";
import { openPorts, type Plant } from "./ports.ts";
import { createRandom } from "./random.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import { createWorld, type World } from "./world.ts";

export interface Outcome {
  seed: number;
  /** What is wrong; empty when all is well. */
  wrong: string[];
  steps: number;
  /** Virtual milliseconds until everything was over. */
  time: number;
  /** Of them, after the last client had done its part and nothing failed any more. */
  calm: number;
  documents: number;
  faults: number;
  /** Of every step and the event log: equal runs have equal ones. */
  fingerprint: string;
  trace: string[];
  logged: string[];
}

const MAX_STEPS = 250_000;
const MAX_FAULTS = 10;
/** Virtual time after the last fault within which everything is over: leases, every retry, the longest pause. */
const CALM_MS = 180_000;
/** Beyond the age that a blob must have before the sweeper takes it. */
const SWEEP_LATER_MS = 12 * 3_600_000;

/** @param trace_kept lines of the trace that are wanted. Default 400 */
export async function simulate(seed: number, plant?: Plant, trace_kept?: number): Promise<Outcome> {
  const random = createRandom(seed);
  const scheduler = createScheduler(random, trace_kept);
  const world = createWorld(scheduler, plant);
  const tenants = random.chance(0.5) ? ["t1"] : ["t1", "t2"];
  for (const tenant_id of tenants) world.subscribers.subscribe({ tenant_id });
  const told = startClients(scheduler, world, tenants, 3 + random.below(5));
  const likely = random.pick([0, 0.002, 0.005, 0.01, 0.03]);
  let faults = 0;
  let calm: number | undefined;
  const disturb = () => {
    if (told.active === 0) {
      calm ??= scheduler.time();
      world.outside.faulty = false;
      // Who read the clock just before it was set back waits longer by that.
      const patience = CALM_MS + scheduler.setBack();
      if (scheduler.time() - calm > patience) throw new Error(`not over ${patience} ms after the last fault`);
    } else if (faults < MAX_FAULTS && random.chance(likely)) {
      faults += 1;
      world.fault();
    }
  };
  const wrong: string[] = [];
  try {
    await scheduler.run(() => told.active === 0 && isQuiet(world), disturb, MAX_STEPS);
    calm ??= scheduler.time();
  } catch (error) {
    wrong.push(`G2: ${error instanceof Error ? error.message : String(error)}`);
  }
  const over = scheduler.time();
  await sweepLater(scheduler, world);
  wrong.push(...(await violations(world, told)));
  const { state } = world.outside;
  return {
    seed,
    wrong,
    steps: scheduler.steps,
    time: over,
    calm: over - (calm ?? over),
    documents: new Set(state.events.map(({ document_id }) => document_id)).size,
    faults,
    fingerprint: createHash("sha256")
      .update(scheduler.fingerprint())
      .update(JSON.stringify(state.events))
      .digest("hex"),
    trace: scheduler.trace,
    logged: world.logged,
  };
}

/** Nothing left to do, and everybody has heard of everything. */
function isQuiet({ outside, subscribers, published }: World): boolean {
  const { openJobs, events } = outside.state;
  if (openJobs.size > 0) return false;
  // Two relays may publish, and the one that is behind last.
  const last = events.length === 0 || published.some(({ sequence }) => sequence === events.length);
  return last && subscribers.upToDate();
}

/** Everybody is gone, and long after somebody comes to look for blobs that nothing names. */
async function sweepLater(scheduler: Scheduler, world: World): Promise<void> {
  world.end();
  world.outside.faulty = false;
  const sweeper = scheduler.spawn("sweeper", SWEEP_LATER_MS);
  const ports = openPorts(scheduler, sweeper, world.outside);
  let swept = false;
  const sweeping = sweepBlobs({ ...ports, system: sweeper.system }, new AbortController().signal);
  void sweeping.finally(() => {
    swept = true;
  });
  await scheduler.run(
    () => swept,
    () => {},
    2 * MAX_STEPS,
  );
  await sweeping;
}
