/** Asking again and again while somebody looks: every two seconds, and sooner when the stream says that things ended. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { SluiceEvent } from "../../../src/events.ts";
import { onEvents } from "../live.ts";

const EVERY_MS = 2_000;
/** However much happens, it is asked no more often than this. */
const SOONEST_MS = 400;

const telling: ReadonlySet<SluiceEvent["event_type"]> = new Set([
  "rag.document.uploaded",
  "rag.ingestion.requested",
  "rag.ingestion.started",
  "rag.ingestion.completed",
  "rag.ingestion.failed",
  "rag.ingestion.retry_scheduled",
  "rag.ingestion.cancelled",
]);

export interface Polled<T> {
  value: T | undefined;
  error: Error | undefined;
  /** Counts answers: what hangs on them is asked for again with each. */
  round: number;
  /** Asks now. */
  again: () => void;
}

/** @param on begins anew when one of these changes */
export function usePoll<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  on: readonly unknown[],
  every = EVERY_MS,
): Polled<T> {
  const [state, setState] = useState<Omit<Polled<T>, "again">>({
    value: undefined,
    error: undefined,
    round: 0,
  });
  const latest = useRef(ask);
  latest.current = ask;
  const now = useRef(() => {});
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking = false;
    /** Something happened while an answer was under way, which may be older than that. */
    let stale = false;
    let askedAt = Number.NEGATIVE_INFINITY;

    function later(milliseconds: number): void {
      clearTimeout(timer);
      timer = setTimeout(look, milliseconds);
    }

    async function look(): Promise<void> {
      clearTimeout(timer);
      if (document.hidden) return;
      asking = true;
      stale = false;
      askedAt = performance.now();
      try {
        const value = await latest.current(abort.signal);
        if (!abort.signal.aborted) setState(({ round }) => ({ value, error: undefined, round: round + 1 }));
      } catch (error) {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error: error as Error }));
      }
      asking = false;
      if (!abort.signal.aborted) later(stale ? SOONEST_MS : every);
    }

    function soon(): void {
      if (asking) stale = true;
      else later(Math.max(0, askedAt + SOONEST_MS - performance.now()));
    }

    const visible = () => {
      if (!document.hidden && !asking) void look();
    };
    now.current = soon;
    document.addEventListener("visibilitychange", visible);
    const stop = onEvents((events) => {
      if (events.some(({ event_type }) => telling.has(event_type))) soon();
    });
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
      stop();
      document.removeEventListener("visibilitychange", visible);
    };
  }, on);
  return { ...state, again: () => now.current() };
}
