/** What goes wrong, and how soon it is right again. */
import type { Random } from "../test/simulation/random.ts";
import type { Installation } from "./processes.ts";

export type Fault = "worker" | "extraction child" | "API" | "supervisor" | "worker frozen" | "restart";

export interface FaultLog {
  counts: Map<Fault, number>;
  /** Milliseconds from a kill until uploads are taken and a worker lives. */
  until_ready: Map<Fault, number[]>;
  /** Milliseconds from a worker's death until another job started. */
  until_start: number[];
}

const kinds: readonly Fault[] = [
  ...Array<Fault>(8).fill("worker"),
  ...Array<Fault>(4).fill("extraction child"),
  ...Array<Fault>(3).fill("API"),
  "supervisor",
  "supervisor",
  "worker frozen",
  "worker frozen",
  "restart",
];
/** Longer than the lease. */
const FROZEN_MS = 6_000;

/** @param startedAfter resolves at the next start of an ingestion that a follower hears of */
export async function torment(
  installation: Installation,
  random: Random,
  until: number,
  startedAfter: () => Promise<void>,
  say: (text: string) => void,
): Promise<FaultLog> {
  const log: FaultLog = { counts: new Map(), until_ready: new Map(), until_start: [] };
  const thaws: Promise<void>[] = [];
  while (Date.now() < until) {
    await pause(300 + random.below(1_700));
    const pids = await installation.pids();
    if (!pids) continue;
    const fault = random.pick(kinds);
    const worker = pids.workers.length > 0 ? random.pick(pids.workers) : undefined;
    const killed = Date.now();
    if (fault === "supervisor") {
      await installation.killSupervisor();
      await installation.start();
    } else if (fault === "restart") {
      await installation.stop();
      await installation.start();
    } else if (fault === "API") {
      signal(pids.api, "SIGKILL");
    } else if (worker === undefined) {
      continue;
    } else if (fault === "worker frozen") {
      signal(worker, "SIGSTOP");
      thaws.push(pause(FROZEN_MS).then(() => signal(worker, "SIGCONT")));
    } else {
      const children = installation.childrenOf(worker);
      const victim = fault === "worker" ? worker : children.length > 0 ? random.pick(children) : undefined;
      if (victim === undefined) continue;
      signal(victim, "SIGKILL");
      if (fault === "worker") {
        void startedAfter().then(() => log.until_start.push(Date.now() - killed));
      }
    }
    log.counts.set(fault, (log.counts.get(fault) ?? 0) + 1);
    say(fault);
    if (fault === "API" || fault === "supervisor" || fault === "restart") {
      while (!(await installation.ready())) await pause(20);
      const times = log.until_ready.get(fault) ?? [];
      times.push(Date.now() - killed);
      log.until_ready.set(fault, times);
    }
  }
  await Promise.all(thaws);
  return log;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It died by itself meanwhile, or with its parent.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
