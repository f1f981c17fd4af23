/** The installation that is tormented: started, its processes found, killed, stopped, started again. */
import { readdirSync, readFileSync } from "node:fs";
import { freePort, type Running, startSluice } from "../test/e2e/processes.ts";

export interface Pids {
  supervisor: number;
  api: number;
  workers: number[];
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
  /** Every process that was ever seen. */
  readonly seen: ReadonlySet<number>;
}

export async function createInstallation(
  data_dir: string,
  settings: Record<string, string>,
): Promise<Installation> {
  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  const seen = new Set<number>();
  let running: Running | undefined;

  async function get(path: string): Promise<Response | undefined> {
    try {
      return await fetch(url + path, { signal: AbortSignal.timeout(2_000) });
    } catch {
      // Killed, or not up yet: that is what the caller asks about.
      return undefined;
    }
  }

  return {
    url,
    data_dir,
    seen,
    async pids() {
      const answer = await get("/healthz");
      if (!answer?.ok || running?.process.pid === undefined) return undefined;
      const { pids } = (await answer.json()) as { pids: { api: number; workers: number[] } };
      for (const pid of [pids.api, ...pids.workers]) seen.add(pid);
      return { supervisor: running.process.pid, ...pids };
    },
    childrenOf(pid) {
      const found = readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
        .map(Number);
      for (const child of found) seen.add(child);
      return found;
    },
    ready: async () => (await get("/readyz"))?.status === 200,
    async start() {
      for (let round = 1; ; round++) {
        try {
          running = await startSluice({ data_dir, env: { ...settings, SLUICE_PORT: port } });
          if (running.process.pid !== undefined) seen.add(running.process.pid);
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
  };
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 4).split(" ")[0]);
  } catch {
    // Gone between the list and the look.
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // Nobody of that number.
    return false;
  }
}
