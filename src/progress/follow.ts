/**
 * Following the event log: history first, then live, by one and the same loop. A reader has a position and reads what
 * comes after it; there is no second, "live" path, and so nothing between replay and live to lose or to repeat.
 */
import type { SluiceEvent } from "../events.ts";
import type { DocumentStore, EventQuery } from "../ports/document-store.ts";

export type FollowFilter = Pick<EventQuery, "tenant_id" | "document_id" | "correlation_id" | "collection">;

export interface Follower {
  /**
   * Batches of events after `after`, ascending, as they come, until the signal fires. Never ends by itself.
   * @param after sequence of the last event that the reader has; 0 for all
   */
  follow(filter: FollowFilter, after: number, signal: AbortSignal): AsyncGenerator<SluiceEvent[], void, void>;
  close(): void;
}

/** Events kept in memory, so that many readers at the end of the log cost one read of it together. */
const RECENT = 4_096;
const BATCH = 512;

export function createFollower(documents: DocumentStore): Follower {
  /** The newest events, ascending and complete from `recentFrom` (exclusive) on. */
  let recent: SluiceEvent[] = [];
  let recentFrom = Number.POSITIVE_INFINITY;
  let readTo = 0;
  let version = 0;
  let waiting = new Set<() => void>();
  let refreshing: Promise<void> | undefined;
  let stale = true;
  let unwatch: (() => void) | undefined;
  let closed = false;

  function start(): void {
    unwatch ??= documents.watchEvents(() => {
      stale = true;
      version++;
      const woken = waiting;
      waiting = new Set();
      for (const wake of woken) wake();
    });
  }

  /**
   * Brings the recent events up to the end of the log. Readers that come meanwhile share the run, and wait for its
   * end: what it reads was committed before they came, so nobody would wake them for it.
   */
  async function refresh(): Promise<void> {
    while (stale || refreshing) {
      refreshing ??= read()
        .catch((error: unknown) => {
          // What was to be read is still unread: whoever follows next tries again, without waiting for news.
          stale = true;
          throw error;
        })
        .finally(() => {
          refreshing = undefined;
        });
      await refreshing;
    }
  }

  async function read(): Promise<void> {
    stale = false;
    if (recentFrom === Number.POSITIVE_INFINITY) {
      readTo = await documents.lastSequence();
      recentFrom = readTo;
      return;
    }
    for (;;) {
      const batch = await documents.readEvents({ after: readTo, limit: BATCH });
      const last = batch.at(-1);
      if (!last) return;
      recent.push(...batch);
      readTo = last.sequence;
      if (recent.length > 2 * RECENT) {
        recent = recent.slice(-RECENT);
        recentFrom = (recent[0] as SluiceEvent).sequence - 1;
      }
    }
  }

  async function* follow(filter: FollowFilter, after: number, signal: AbortSignal) {
    start();
    let position = after;
    while (!signal.aborted && !closed) {
      const seen = version;
      await refresh();
      let batch: SluiceEvent[];
      let next: number;
      if (position >= recentFrom) {
        const fresh = recent.slice(firstAfter(recent, position));
        next = fresh.at(-1)?.sequence ?? position;
        batch = fresh.filter((event) => fits(event, filter));
      } else {
        // Taken before the read: everything up to here was committed by then, so the read can't have missed it.
        const committed = recentFrom;
        batch = await documents.readEvents({ ...filter, after: position, limit: BATCH });
        const last = batch.at(-1)?.sequence ?? position;
        // A short batch held all that fits, so there is nothing for this reader up to `committed`.
        next = batch.length < BATCH ? Math.max(last, committed) : last;
      }
      const moved = next !== position;
      position = next;
      if (batch.length > 0) yield batch;
      if (!moved) await change(seen, signal);
    }
  }

  function change(seen: number, signal: AbortSignal): Promise<void> {
    if (version !== seen || signal.aborted || closed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  return {
    follow,
    close() {
      closed = true;
      unwatch?.();
      for (const wake of [...waiting]) wake();
    },
  };
}

/** Index of the first event with a greater sequence. */
function firstAfter(events: SluiceEvent[], position: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle] as SluiceEvent).sequence > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function fits(event: SluiceEvent, filter: FollowFilter): boolean {
  return (
    (filter.tenant_id === undefined || event.tenant_id === filter.tenant_id) &&
    (filter.document_id === undefined || event.document_id === filter.document_id) &&
    (filter.correlation_id === undefined || event.correlation_id === filter.correlation_id) &&
    (filter.collection === undefined || event.collection === filter.collection)
  );
}
