/**
 * Tells other processes that something was committed, and this one when another has. NOTIFY inside a commit would take
 * a lock that all commits of the database queue for, so it is sent after it, at most once in a while for all commits
 * since. What is lost with a process that dies between the two, a slow look at the log finds.
 */
import { randomUUID } from "node:crypto";
import type { Log } from "../../ports/log.ts";
import type { System } from "../../ports/system.ts";
import type { Connection } from "./connection.ts";

export type Bell = "events" | "jobs";
const bells: Bell[] = ["events", "jobs"];

/** Shortest time between two notifications of one kind by one process. */
const DEBOUNCE_MS = 10;
const RECONNECT_MS = 100;
const MAX_RECONNECT_MS = 2_000;

export interface Doorbell {
  listen(bell: Bell, listener: () => void): () => void;
  /** After a commit of this process. */
  rung(bell: Bell): void;
  close(): Promise<void>;
}

/** @param poll_ms how often to look without having been told */
export function createDoorbell(connection: Connection, system: System, poll_ms: number, log?: Log): Doorbell {
  const me = randomUUID();
  const listeners = { events: new Set<() => void>(), jobs: new Set<() => void>() };
  const due = new Map<Bell, NodeJS.Timeout>();
  const lastSent: Record<Bell, number> = { events: 0, jobs: 0 };
  const closing = new AbortController();
  const pending = new Set<Promise<unknown>>();
  let started: Promise<unknown> | undefined;
  /** Whether notifications come: behind some poolers LISTEN is answered, and nothing is ever heard. */
  let hearing = false;

  function ring(bell: Bell): void {
    for (const listener of [...listeners[bell]]) listener();
  }

  function notify(bell: Bell): void {
    lastSent[bell] = system.monotonic();
    const sending = connection
      .read("SELECT pg_notify($1, $2)", [`${connection.schema}_${bell}`, me])
      // Others find it by looking; the commit itself is safe.
      .catch((error: unknown) => log?.debug({ err: error }, "a notification was not sent"))
      .finally(() => pending.delete(sending));
    pending.add(sending);
  }

  function announce(bell: Bell): void {
    if (due.has(bell) || closing.signal.aborted) return;
    const wait = lastSent[bell] + DEBOUNCE_MS - system.monotonic();
    if (wait <= 0) {
      notify(bell);
      return;
    }
    due.set(
      bell,
      setTimeout(() => {
        due.delete(bell);
        notify(bell);
      }, wait),
    );
  }

  /** Holds one listening connection, and opens another when it breaks. */
  async function keepListening(): Promise<void> {
    let pause_ms = RECONNECT_MS;
    while (!closing.signal.aborted) {
      try {
        const client = await connection.connect();
        try {
          const broken = new Promise<void>((resolve) => {
            client.on("error", () => resolve());
            client.on("end", () => resolve());
            closing.signal.addEventListener("abort", () => resolve(), { once: true });
            // Who closes while it was connecting fires the signal before anybody hears it.
            if (closing.signal.aborted) resolve();
          });
          client.on("notification", ({ channel, payload }) => {
            hearing = true;
            if (payload === me) return;
            for (const bell of bells) if (channel === `${connection.schema}_${bell}`) ring(bell);
          });
          for (const bell of bells) await client.query(`LISTEN ${connection.schema}_${bell}`);
          pause_ms = RECONNECT_MS;
          // Whatever was said while nobody listened.
          for (const bell of bells) ring(bell);
          // By another connection, as others do it: hearing it shows that they will be heard.
          notify("events");
          await broken;
        } finally {
          hearing = false;
          await client.end().catch(() => {});
        }
        if (!closing.signal.aborted) log?.warn({}, "the connection that listens to PostgreSQL broke");
      } catch (error) {
        log?.warn({ err: error }, "can't listen to PostgreSQL; trying again");
      }
      await system.sleep(pause_ms, closing.signal);
      pause_ms = Math.min(MAX_RECONNECT_MS, pause_ms * 2);
    }
  }

  async function keepLooking(): Promise<void> {
    let seen: number | undefined;
    while (!closing.signal.aborted) {
      await system.sleep(poll_ms, closing.signal);
      if (closing.signal.aborted) return;
      try {
        const [row] = await connection.read<{ bound: number }>("SELECT bound FROM $S.event_bound_1()");
        if (row?.bound !== seen) ring("events");
        seen = row?.bound;
        if (!hearing) ring("jobs");
      } catch {
        // Whoever has something to read there is told why.
        seen = undefined;
      }
    }
  }

  return {
    listen(bell, listener) {
      started ??= Promise.all([keepListening(), keepLooking()]);
      // Whoever listens twice is called twice.
      const own = () => listener();
      listeners[bell].add(own);
      return () => listeners[bell].delete(own);
    },
    rung(bell) {
      ring(bell);
      announce(bell);
    },
    async close() {
      closing.abort();
      for (const [bell, timer] of due) {
        clearTimeout(timer);
        notify(bell);
      }
      await Promise.all([started, ...pending]);
    },
  };
}
