/** A real `sluice start` in a folder of its own, and what goes on in its processes. */

import type { SluiceEvent } from "../../src/events.ts";
import { createClient } from "../../test/e2e/client.ts";
import { startSluice } from "../../test/e2e/processes.ts";
import type { Journey, Listener } from "./journeys.ts";
import { residentBelow } from "./memory.ts";

const LOOK_EVERY_MS = 50;

export interface Service extends AsyncDisposable {
  url: string;
  /** Gives the events to whoever is interested until it is disposed of. Rejects when the service can't be asked. */
  follow(see: (event: SluiceEvent) => void): Promise<void>;
  /** Notes in each journey what its reading took. */
  memory: Listener;
  /** Bytes: the most that all its processes were seen to take together; null where the system does not tell. */
  peak(): number | null;
  isRunning(): boolean;
  /** Resolves with how it ended, should it do so by itself. */
  ended: Promise<string>;
  /** Names and numbers of its processes that are not the same as they were at the start. */
  lost(): Promise<string[]>;
}

/**
 * @param workers how many processes read, each one document at a time: what its children take is what that one takes
 * @param settings SLUICE_…
 */
export async function startService(workers: number, settings: Record<string, string>): Promise<Service> {
  const running = await startSluice({
    env: {
      SLUICE_LOG_LEVEL: "warn",
      SLUICE_MAX_ATTEMPTS: "2",
      ...settings,
      SLUICE_WORKERS: String(workers),
      SLUICE_WORKER_CONCURRENCY: "1",
    },
  });
  const client = createClient(running.url);
  const stop = new AbortController();
  const isRunning = () => running.process.exitCode === null && running.process.signalCode === null;
  const processes = await processesOf(client);
  const reading = new Map<number, Journey>();
  let peak: number | null = null;

  function look(): void {
    for (const [pid, journey] of reading) note(journey, pid);
    const all = residentBelow(running.process.pid as number);
    if (all !== null) peak = Math.max(peak ?? 0, all);
  }
  const timer = setInterval(look, LOOK_EVERY_MS);

  return {
    url: running.url,
    async follow(see) {
      let after = 0;
      while (isRunning()) {
        try {
          for await (const event of client.events(`after=${after}`, stop.signal)) {
            after = event.sequence;
            see(event);
          }
        } catch (error) {
          if (stop.signal.aborted) return;
          // A stream may break: the next goes on after the last event.
          if (!(error instanceof TypeError)) throw error;
        }
      }
    },
    memory: {
      begins(journey, worker_id) {
        const pid = processes.get(worker_id);
        if (pid === undefined) return;
        reading.set(pid, journey);
        note(journey, pid);
      },
      ends(journey) {
        for (const [pid, each] of reading) {
          if (each !== journey) continue;
          note(journey, pid);
          reading.delete(pid);
        }
      },
    },
    peak: () => peak,
    isRunning,
    ended: new Promise((resolve) =>
      running.process.once("exit", (code, signal) =>
        resolve(`the service ended (${signal ?? `exit code ${code}`}):\n${running.log().slice(-4_000)}`),
      ),
    ),
    async lost() {
      if (!isRunning()) return [];
      const now = await processesOf(client);
      return [...processes]
        .filter(([name, pid]) => now.get(name) !== pid)
        .map(([name, pid]) => `${name} was lost (process ${pid})`);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      stop.abort();
      await running.stop();
    },
  };
}

function note(journey: Journey, pid: number): void {
  const bytes = residentBelow(pid);
  if (bytes !== null) journey.peak_bytes = Math.max(journey.peak_bytes ?? 0, bytes);
}

async function processesOf(client: ReturnType<typeof createClient>): Promise<Map<string, number>> {
  const { body } = await client.call<{
    pids: { api: number };
    workers: { worker_id: string; pid: number }[];
  }>("GET", "/healthz");
  return new Map([
    ["api", body.pids.api],
    ...body.workers.map(({ worker_id, pid }) => [worker_id, pid] as const),
  ]);
}
