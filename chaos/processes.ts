/** The installation that is tormented: started, its processes found, killed, stopped, started again. */
import { readdirSync, readFileSync } from "node:fs";
import { freePort, type Running, startSluice } from "../test/e2e/processes.ts";

export interface Pids {
  supervisor: number;
  api: number;
  workers: number[];
  /** Worker → ids of the jobs that it runs. */
  holds: Map<number, string[]>;
}

export interface Installation {
  readonly url: string;
  readonly data_dir: string;
  /** Undefined while the API does not answer. */
  pids(): Promise<Pids | undefined>;
  /** Extraction children of a worker. */
  childrenOf(pid: number): number[];
  ready(): Promise<boolean>;
  /** As an operator would, after a crash or a stop: again and again until it is up. */
  start(): Promise<void>;
  /** @returns the exit code */
  stop(): Promise<number | null>;
  killSupervisor(): Promise<void>;
  /** Those that live of all processes that were ever seen here. */
  left(): number[];
  /** Ends all of them at once, and waits for nothing: for when this script is interrupted. */
  killAll(): void;
}

export async function createInstallation(
  data_dir: string,
  settings: Record<string, string>,
): Promise<Installation> {
  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  /** Process id → when it started: the number alone may be another's by now. */
  const seen = new Map<number, string>();
  let running: Running | undefined;

  async function get(path: string): Promise<Response | undefined> {
    try {
      return await fetch(url + path, { signal: AbortSignal.timeout(2_000) });
    } catch {
      // Killed, or not up yet: that is what the caller asks about.
      return undefined;
    }
  }

  const isKnown = (one: Process | undefined) => one !== undefined && seen.get(one.pid) === one.started;

  /** What was started on this folder, and its children: those of extraction have no environment to know them by. */
  function survey(): Map<number, Process> {
    const all = listProcesses();
    const sign = `SLUICE_DATA_DIR=${data_dir}`;
    for (const one of all.values()) if (environmentOf(one.pid).includes(sign)) seen.set(one.pid, one.started);
    for (const one of all.values()) if (isKnown(all.get(one.parent))) seen.set(one.pid, one.started);
    return all;
  }

  const left = () => {
    const all = survey();
    return [...all.values()].filter(isKnown).map(({ pid }) => pid);
  };

  return {
    url,
    data_dir,
    async pids() {
      survey();
      const answer = await get("/healthz");
      if (!answer?.ok || running?.process.pid === undefined) return undefined;
      const { pids, workers } = (await answer.json()) as {
        pids: { api: number; workers: number[] };
        workers: { pid: number; holds: string[] }[];
      };
      const holds = new Map(workers.map(({ pid, holds }) => [pid, holds]));
      return { supervisor: running.process.pid, ...pids, holds };
    },
    childrenOf: (pid) =>
      [...survey().values()].filter(({ parent }) => parent === pid).map((child) => child.pid),
    ready: async () => (await get("/readyz"))?.status === 200,
    async start() {
      for (let round = 1; ; round++) {
        try {
          running = await startSluice({ data_dir, env: { ...settings, SLUICE_PORT: port } });
          return;
        } catch (error) {
          // What a killed supervisor left behind may still hold the port while it stops.
          if (round === 30) throw error;
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      }
    },
    stop: async () => (await running?.stop()) ?? null,
    killSupervisor: async () => running?.kill(),
    left,
    killAll() {
      // Twice: what was being started while the first round looked.
      for (let round = 0; round < 2; round++) {
        for (const pid of left()) {
          try {
            process.kill(pid, "SIGKILL");
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
          }
        }
      }
    },
  };
}

interface Process {
  pid: number;
  parent: number;
  /** In the system's ticks since it booted. */
  started: string;
}

/** Every process but those that have died and wait to be reaped (proc(5)). */
function listProcesses(): Map<number, Process> {
  const all = new Map<number, Process>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readIfThere(`/proc/${name}/stat`);
    // "pid (name) state parent …": the name may hold anything, so the rest begins after the last parenthesis.
    const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (stat === "" || state === "Z" || state === "X") continue;
    all.set(Number(name), { pid: Number(name), parent: Number(parent), started: rest[17] as string });
  }
  return all;
}

function environmentOf(pid: number): string[] {
  return readIfThere(`/proc/${pid}/environ`).split("\u0000");
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone between the list and the look, or somebody else's.
    return "";
  }
}
