/** What goes wrong, and how soon it is right again. */
import type { EventType } from "../src/events.ts";
import type { Random } from "../test/simulation/random.ts";
import type { ServiceFault } from "./cloud.ts";
import type { Installation } from "./processes.ts";

type ProcessFault = "worker" | "extraction child" | "API" | "supervisor" | "worker frozen" | "restart";
/** One of those, or the name of a service's. */
export type Fault = string;

export interface FaultLog {
  counts: Map<Fault, number>;
  /** Milliseconds from a kill until uploads are taken and a worker lives. */
  until_ready: Map<Fault, number[]>;
  /** Milliseconds from a fault until one of the jobs that it hit was taken from whoever held it. */
  until_released: Map<Fault, number[]>;
  /** The same until one of them runs again: behind those that have waited longer, and after its backoff. */
  until_again: Map<Fault, number[]>;
}

const kinds: readonly ProcessFault[] = [
  ...Array<ProcessFault>(8).fill("worker"),
  ...Array<ProcessFault>(4).fill("extraction child"),
  ...Array<ProcessFault>(3).fill("API"),
  "supervisor",
  "supervisor",
  "worker frozen",
  "worker frozen",
  "restart",
];
/** Longer than the lease. */
const FROZEN_MS = 6_000;

/** Calls once, with the time, at the first event of such a type about one of these jobs after `since` (both Unix ms). */
export type OnNews = (
  job_ids: string[],
  since: number,
  types: readonly EventType[],
  call: (time: number) => void,
) => void;

export async function torment(
  installation: Installation,
  random: Random,
  until: number,
  onNews: OnNews,
  say: (text: string) => void,
  services: readonly ServiceFault[] = [],
): Promise<FaultLog> {
  const log: FaultLog = {
    counts: new Map(),
    until_ready: new Map(),
    until_released: new Map(),
    until_again: new Map(),
  };
  const thaws: Promise<void>[] = [];
  const all = [...kinds, ...services.flatMap((service) => Array<ServiceFault>(service.weight).fill(service))];
  const ailing = new Set<ServiceFault>();
  while (Date.now() < until) {
    await pause(300 + random.below(1_700));
    const chosen = random.pick(all);
    if (typeof chosen !== "string") {
      // Each by itself, beside whatever else goes wrong meanwhile.
      if (ailing.size > 0) continue;
      ailing.add(chosen);
      log.counts.set(chosen.name, (log.counts.get(chosen.name) ?? 0) + 1);
      say(chosen.name);
      thaws.push(
        chosen.run(random).then(() => {
          ailing.delete(chosen);
        }),
      );
      continue;
    }
    const pids = await installation.pids();
    if (!pids) continue;
    const fault = chosen;
    const worker = pids.workers.length > 0 ? random.pick(pids.workers) : undefined;
    const all_held = [...pids.holds.values()].flat();
    const held =
      fault === "supervisor" || fault === "restart" ? all_held : (pids.holds.get(worker ?? 0) ?? []);
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
    }
    if (fault !== "API") {
      const note = (times: Map<Fault, number[]>) => (time: number) => add(times, fault, time - killed);
      // Those who stop in good order, told to or left alone, finish what they have or hand it back without a word.
      if (fault !== "restart" && fault !== "supervisor") {
        onNews(held, killed, ["rag.ingestion.retry_scheduled"], note(log.until_released));
      }
      onNews(held, killed, ["rag.ingestion.started"], note(log.until_again));
    }
    log.counts.set(fault, (log.counts.get(fault) ?? 0) + 1);
    say(fault);
    if (fault === "API" || fault === "supervisor" || fault === "restart") {
      while (!(await installation.ready())) await pause(20);
      add(log.until_ready, fault, Date.now() - killed);
    }
  }
  await Promise.all(thaws);
  return log;
}

function add(times: Map<Fault, number[]>, fault: Fault, ms: number): void {
  times.set(fault, [...(times.get(fault) ?? []), ms]);
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
