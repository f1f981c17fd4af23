/**
 * Delivers the event log to publishers outside, at least once and in order. The log itself is the outbox: a publisher
 * has a durable position in it, moved on only after it has taken the events. A broker that is down delays delivery
 * and nothing else.
 *
 * Every API process has a relay; the one that leads publishes. The lead is asked for when there is something to
 * publish and lapses by itself, so that a process that dies, or can't reach the broker, is followed by another.
 */
import type { DocumentStore } from "../ports/document-store.ts";
import type { EventPublisher } from "../ports/event-publisher.ts";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";
import type { Follower } from "../progress/follow.ts";

export interface RelayDependencies {
  documents: DocumentStore;
  follower: Follower;
  system: System;
  log: Log;
}

const MAX_PAUSE_MS = 30_000;
/** How long a relay leads without asking again; longer than a batch takes to publish. */
const LEAD_MS = 15_000;
/** How long a relay that doesn't lead waits before it looks again. */
const STANDBY_MS = 5_000;

/** Relays to one publisher until the signal fires. */
export async function relay(
  { documents, follower, system, log }: RelayDependencies,
  publisher: EventPublisher,
  signal: AbortSignal,
): Promise<void> {
  const cursor = `publisher:${publisher.name}`;
  const holder = system.newId("wrk");
  /** By `system.monotonic`, and counted from before the question: never longer than the store thinks. */
  let leadsUntil = Number.NEGATIVE_INFINITY;
  let failures = 0;

  /** Whether this relay may publish what comes after `position` now. */
  async function mayPublish(position: number): Promise<"yes" | "no" | "elsewhere"> {
    const now = system.monotonic();
    if (now < leadsUntil - LEAD_MS / 2) return "yes";
    const lapsed = now >= leadsUntil;
    if (!(await documents.lead(cursor, holder, LEAD_MS))) return "no";
    leadsUntil = now + LEAD_MS;
    // Another may have led meanwhile, and come further.
    return lapsed && (await documents.getCursor(cursor)) !== position ? "elsewhere" : "yes";
  }

  async function relayFrom(after: number): Promise<void> {
    let position = after;
    for await (const events of follower.follow({}, after, signal)) {
      const may = await mayPublish(position);
      if (may === "elsewhere") return;
      if (may === "no") {
        await system.sleep(STANDBY_MS, signal);
        return;
      }
      await publisher.publish(events);
      // Dying here publishes these events again: at least once, under the same idempotency keys.
      position = events.at(-1)?.sequence ?? position;
      await documents.saveCursor(cursor, position);
      failures = 0;
    }
  }

  while (!signal.aborted) {
    try {
      await relayFrom(await documents.getCursor(cursor));
    } catch (error) {
      failures += 1;
      const pause_ms = Math.min(MAX_PAUSE_MS, 250 * 2 ** failures) * (0.5 + system.random() / 2);
      log.warn(
        { err: error, publisher: publisher.name, pause_ms },
        "events could not be published; trying again",
      );
      await system.sleep(pause_ms, signal);
    }
  }
  try {
    if (system.monotonic() < leadsUntil) await documents.lead(cursor, holder, 0);
  } catch (error) {
    log.warn({ err: error, publisher: publisher.name }, "the lead was not given up; it lapses by itself");
  }
}
