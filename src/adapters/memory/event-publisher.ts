/** An EventPublisher that keeps what it is given, for tests and for readers in the same process. */
import type { SluiceEvent } from "../../events.ts";
import type { EventPublisher } from "../../ports/event-publisher.ts";

export interface MemoryPublisher extends EventPublisher {
  /** Everything published so far, in order, repetitions included. */
  readonly events: SluiceEvent[];
}

/** @param name under which its cursor is kept */
export function createMemoryPublisher(name = "memory"): MemoryPublisher {
  const events: SluiceEvent[] = [];
  return {
    name,
    events,
    publish: async (published) => {
      for (const event of published) events.push(structuredClone(event));
    },
    close: async () => {},
  };
}
