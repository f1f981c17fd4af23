/**
 * The page's one stream of events, from which everything on it that moves is moved. It begins where the session's
 * answer says that the log ended; whatever is loaded after that is at least as new, and applying an event twice to it
 * changes nothing.
 */
import { batch, signal } from "@preact/signals";
import type { SluiceEvent } from "../../src/events.ts";
import { ApiError, sluice } from "./session.ts";

export const connection = signal<"connecting" | "live" | "polling" | "offline">("connecting");

/** Events that come within this time are handed on together, so that a burst costs one drawing. */
const GATHER_MS = 30;

type Listener = (events: SluiceEvent[]) => void;
const listeners = new Set<Listener>();

/** @param listener gets new events, ascending, each exactly once @returns a function that ends it */
export function onEvents(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param after sequence of the last event that is known already @returns a function that ends it */
export function startLive(after: number): () => void {
  const abort = new AbortController();
  let gathered: SluiceEvent[] = [];
  let gathering: ReturnType<typeof setTimeout> | undefined;

  function hand(): void {
    gathering = undefined;
    const events = gathered;
    gathered = [];
    if (abort.signal.aborted) return;
    batch(() => {
      for (const listener of listeners) listener(events);
    });
  }

  async function run(): Promise<void> {
    const events = sluice().follow({
      after,
      signal: abort.signal,
      onConnection: (next) => {
        connection.value = next;
      },
    });
    for await (const event of events) {
      gathered.push(event);
      gathering ??= setTimeout(hand, GATHER_MS);
    }
  }

  run().catch((error: unknown) => {
    connection.value = "offline";
    // Without a key, the dialog that asks for one says all.
    if (!(error instanceof ApiError)) throw error;
  });
  return () => {
    abort.abort();
    clearTimeout(gathering);
  };
}
