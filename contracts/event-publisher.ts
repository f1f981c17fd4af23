/** The contract of an EventPublisher: every MUST of src/ports/event-publisher.ts. */
import { describe, expect, test } from "vitest";
import type { SluiceEvent } from "../src/events.ts";
import type { EventPublisher } from "../src/ports/event-publisher.ts";
import { newDocument, uploadedEvent } from "./samples.ts";
import { manualClock } from "./system.ts";

export interface PublisherHarness {
  publisher: EventPublisher;
  /** What the receiver has taken so far, in the order in which it did, repetitions included. */
  received(): Promise<Pick<SluiceEvent, "event_id" | "document_id" | "idempotency_key">[]>;
  /** Another publisher of the same configuration, as after a restart. */
  restart(): Promise<EventPublisher>;
  close(): Promise<void>;
}

/** Registers the suite; call it inside a test file. */
export function describeEventPublisher(name: string, open: () => Promise<PublisherHarness>): void {
  const { system } = manualClock();
  let sequence = 0;
  const eventsOf = (count: number): SluiceEvent[] => {
    const record = newDocument(system);
    return Array.from({ length: count }, () => {
      sequence += 1;
      return { ...uploadedEvent(system, record), sequence } as SluiceEvent;
    });
  };
  const check = (title: string, run: (h: PublisherHarness) => Promise<void>) =>
    test(title, async () => {
      const h = await open();
      try {
        await run(h);
      } finally {
        await h.close();
      }
    });
  const ids = (events: Pick<SluiceEvent, "event_id">[]) => events.map((event) => event.event_id);

  describe(`EventPublisher: ${name}`, () => {
    check("the receiver has taken all events when publish resolves", async (h) => {
      const events = [...eventsOf(2), ...eventsOf(3)];
      await h.publisher.publish(events);
      expect(ids(await h.received()).sort()).toEqual(ids(events).sort());
    });

    check(
      "events of one document arrive in order, over several calls and among others' events",
      async (h) => {
        const a = eventsOf(20);
        const b = eventsOf(20);
        for (let place = 0; place < 20; place += 2) {
          await h.publisher.publish([a[place]!, b[place]!, a[place + 1]!, b[place + 1]!]);
        }
        const received = await h.received();
        for (const events of [a, b]) {
          const { document_id } = events[0]!;
          expect(ids(received.filter((event) => event.document_id === document_id))).toEqual(ids(events));
        }
      },
    );

    check("an event published again keeps its idempotency_key", async (h) => {
      const [event] = eventsOf(1);
      await h.publisher.publish([event!]);
      await h.publisher.publish([event!]);
      const keys = (await h.received()).map((one) => one.idempotency_key);
      expect(new Set(keys)).toEqual(new Set([event!.idempotency_key]));
    });

    check("publishing nothing succeeds", async (h) => {
      await h.publisher.publish([]);
      expect(await h.received()).toEqual([]);
    });

    check("its name, which its cursor is kept under, stays the same over restarts", async (h) => {
      const again = await h.restart();
      expect(again.name).toBe(h.publisher.name);
      expect(again.name).not.toBe("");
    });
  });
}
