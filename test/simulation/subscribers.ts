/** Readers of the log. Each goes on where it was, over every connection that breaks and every API that dies. */
import type { SluiceEvent } from "../../src/events.ts";
import type { FollowFilter } from "../../src/progress/follow.ts";
import type { Api } from "./api.ts";
import type { Outside } from "./outside.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Subscriber {
  filter: FollowFilter;
  /** Sequence that it began behind. */
  from: number;
  received: SluiceEvent[];
}

interface Connected extends Subscriber {
  api: Api;
  connection: AbortController;
}

/** Why a connection ends that is made again at once. */
const BROKEN = "broken";

export function createSubscribers(scheduler: Scheduler, outside: Outside, anApi: () => Api) {
  const all: Connected[] = [];

  async function listen(subscriber: Connected): Promise<void> {
    const { api, connection, filter } = subscriber;
    const { follower, process } = api;
    const open = () => subscriber.connection === connection && !connection.signal.aborted;
    try {
      const after = subscriber.received.at(-1)?.sequence ?? subscriber.from;
      for await (const events of follower.follow(filter, after, connection.signal)) {
        for (const event of events) {
          // Each event travels by itself, and the connection may break between two.
          await scheduler.step(process, "sends an event");
          if (!open()) return;
          subscriber.received.push(event);
        }
      }
    } catch {
      // The log could not be read: the stream ends, and its reader connects again.
      if (!open()) return;
      await process.system.sleep(100);
      if (open()) connect(subscriber);
    }
  }

  function connect(subscriber: Connected): void {
    subscriber.connection.abort(BROKEN);
    subscriber.api = anApi();
    subscriber.connection = new AbortController();
    void listen(subscriber);
  }

  return {
    all: all as readonly Subscriber[],
    /** @param from sequence to begin behind; default anywhere in the log as it is now, or its start */
    subscribe(filter: FollowFilter, from = 0): void {
      const subscriber: Connected = {
        filter,
        from,
        received: [],
        api: anApi(),
        connection: new AbortController(),
      };
      all.push(subscriber);
      void listen(subscriber);
    },
    /** One connection breaks. */
    breakOff(): void {
      if (all.length > 0) connect(scheduler.random.pick(all));
    },
    /** Those whose API died look for another. */
    reconnect(): void {
      for (const subscriber of all) if (subscriber.api.process.dead) connect(subscriber);
    },
    /** Whether everybody has all that there is for them. */
    upToDate: () =>
      all.every(
        (subscriber) =>
          subscriber.received.at(-1)?.sequence === due(outside.state.events, subscriber).at(-1)?.sequence,
      ),
  };
}

/** What a subscriber must get. */
export function due(events: readonly SluiceEvent[], { filter, from }: Subscriber): SluiceEvent[] {
  const { tenant_id, document_id } = filter;
  return events.filter(
    (event) =>
      event.sequence > from &&
      (tenant_id === undefined || event.tenant_id === tenant_id) &&
      (document_id === undefined || event.document_id === document_id),
  );
}
