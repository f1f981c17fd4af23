/**
 * Delivers the event log to publishers outside, at least once and in order. The log itself is the outbox: a publisher
 * has a durable position in it, moved on only after it has taken the events. A broker that is down delays delivery
 * and nothing else.
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

/** Relays to one publisher until the signal fires. */
export async function relay(
  { documents, follower, system, log }: RelayDependencies,
  publisher: EventPublisher,
  signal: AbortSignal,
): Promise<void> {
  const cursor = `publisher:${publisher.name}`;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const after = await documents.getCursor(cursor);
      for await (const events of follower.follow({}, after, signal)) {
        await publisher.publish(events);
        // Dying here publishes these events again: at least once, under the same idempotency keys.
        await documents.saveCursor(cursor, events.at(-1)?.sequence ?? after);
        failures = 0;
      }
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
}
