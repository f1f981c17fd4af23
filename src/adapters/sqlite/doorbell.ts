/**
 * Tells this process that another one has committed. A writer touches a file after each commit, which wakes
 * watchers at once where the system can watch files; and the database's own change counter is read at an interval,
 * which is what the promise of 100 ms rests on.
 */
import { closeSync, type FSWatcher, openSync, watch } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";

export const doorbells = { events: "doorbell-events", jobs: "doorbell-jobs" } as const;
export type Bell = keyof typeof doorbells;

/** Reading the change counter costs microseconds. */
const POLL_MS = 50;

export interface Doorbell {
  listen(bell: Bell, listener: () => void): () => void;
  /** For commits of this process: its own writer says so before any file does. */
  rung(bell: Bell): void;
  close(): void;
}

/** @param db a connection that does not write: its `data_version` changes with every commit of others */
export function createDoorbell(folder: string, db: DatabaseSync): Doorbell {
  const listeners = { events: new Set<() => void>(), jobs: new Set<() => void>() };
  const watchers: FSWatcher[] = [];
  const version = db.prepare("PRAGMA data_version");
  let seen = 0;
  let timer: NodeJS.Timeout | undefined;

  function rung(bell: Bell): void {
    for (const listener of [...listeners[bell]]) listener();
  }

  /** Undefined while the file can't be read: whoever has something to read there is told why. */
  function readVersion(): number | undefined {
    try {
      return (version.get() as { data_version: number }).data_version;
    } catch {
      // Thrown from a timer it would end the process; and when the file is back, there is news.
      seen = Number.NaN;
      return undefined;
    }
  }

  function start(): void {
    seen = readVersion() ?? Number.NaN;
    for (const bell of Object.keys(doorbells) as Bell[]) {
      const path = join(folder, doorbells[bell]);
      closeSync(openSync(path, "a"));
      try {
        const watcher = watch(path, { persistent: false }, () => rung(bell));
        // Watching is for speed alone; without it the poll below still comes in time.
        watcher.on("error", () => watcher.close());
        watchers.push(watcher);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // The system's limit of watches: the poll does.
        if (code !== "ENOSPC" && code !== "EMFILE" && code !== "ENOSYS") throw error;
      }
    }
    timer = setInterval(() => {
      const data_version = readVersion();
      if (data_version === undefined || data_version === seen) return;
      seen = data_version;
      rung("events");
      rung("jobs");
    }, POLL_MS);
    timer.unref();
  }

  return {
    listen(bell, listener) {
      if (!timer) start();
      listeners[bell].add(listener);
      return () => listeners[bell].delete(listener);
    },
    rung,
    close() {
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
