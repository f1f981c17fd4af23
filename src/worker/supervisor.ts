/**
 * Keeps processes running: starts them, starts them again when they die, and says so at once, so that what a dead
 * worker held is released without waiting for its lease. When the supervisor itself dies, its children notice by
 * their closed channel and stop.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";

export interface ProcessSpec {
  /** Names the process in logs; the same over restarts. */
  name: string;
  module: URL;
  /** Made anew for each start: a worker gets a fresh id. */
  args: () => string[];
  /** Options of Node itself, before the module. Default none. */
  node_args?: string[];
  /** Called when it has ended, however it did, before it is started again. */
  ended?: (args: string[], pid: number | undefined) => Promise<void>;
}

export interface Supervisor {
  /** Starts every process; resolves when each has said that it is ready. Rejects when one ends before. */
  start(): Promise<void>;
  /**
   * Asks every process to stop, and kills what has not after `deadline_ms`. Resolves when all have ended and were
   * told of (`ended`).
   */
  stop(deadline_ms: number): Promise<void>;
}

/** A process that dies soon after its start waits before the next one, longer each time. */
const SOON_MS = 10_000;
const MAX_PAUSE_MS = 10_000;

export function createSupervisor(
  specs: ProcessSpec[],
  /** `stderr`: where the processes log; a file descriptor, or "inherit" for this process's own. */
  { system, log, stderr }: { system: System; log: Log; stderr: number | "inherit" },
): Supervisor {
  const children = new Map<ChildProcess, Promise<void>>();
  const keeping: Promise<void>[] = [];
  const stopping = new AbortController();

  /** Runs one process for as long as the supervisor runs, over all its deaths. */
  async function keep(
    spec: ProcessSpec,
    firstReady: { resolve: () => void; reject: (error: Error) => void },
  ) {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const args = spec.args();
      const started = system.monotonic();
      const child = fork(spec.module, args, {
        execArgv: spec.node_args ?? [],
        stdio: ["ignore", "inherit", stderr, "ipc"],
      });
      const ended = new Promise<string>((resolve) => {
        child.once("error", (error) => resolve(error.message));
        child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
      });
      children.set(
        child,
        ended.then(() => undefined),
      );
      child.on("message", (message) => {
        if (message === "ready") firstReady.resolve();
      });
      const how = await ended;
      children.delete(child);
      firstReady.reject(new Error(`${spec.name} ended before it was ready (${how})`));
      try {
        await spec.ended?.(args, child.pid);
      } catch (error) {
        // Leases run out by themselves; that takes longer, and loses nothing.
        log.error({ err: error, process: spec.name }, "could not release what the process held");
      }
      if (stopping.signal.aborted) return;
      failures = system.monotonic() - started < SOON_MS ? failures + 1 : 0;
      // The first death is answered at once; a process that can't live must not spin.
      const pause = failures <= 1 ? 0 : Math.min(MAX_PAUSE_MS, 100 * 2 ** failures);
      log.error(
        { process: spec.name, pid: child.pid, how, pause_ms: pause },
        "process ended; starting it again",
      );
      await system.sleep(pause, stopping.signal);
    }
  }

  return {
    async start() {
      await Promise.all(
        specs.map(
          (spec) =>
            new Promise<void>((resolve, reject) => {
              keeping.push(keep(spec, { resolve, reject }));
            }),
        ),
      );
    },

    async stop(deadline_ms) {
      stopping.abort();
      const ending = [...children];
      for (const [child] of ending) child.kill("SIGTERM");
      const deadline = new AbortController();
      const all = Promise.all(ending.map(([, ended]) => ended));
      await Promise.race([all, system.sleep(deadline_ms, deadline.signal)]);
      deadline.abort();
      for (const child of children.keys()) child.kill("SIGKILL");
      await Promise.all(keeping);
    },
  };
}
