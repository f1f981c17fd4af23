/** Brings a handful of documents up to date and keeps them so, over one connection, open only while one is on its way. */
import type { SluiceEvent } from "../../events.ts";
import type { Client } from "../client.ts";
import { persist } from "../pause.ts";

export interface Followed {
  document_id: string;
  /** The last event that is known of it. */
  after: number;
  /** Ascending; some may come twice. */
  onEvents: (events: SluiceEvent[]) => void;
  onError: (error: unknown) => void;
}

export interface Follower {
  /** @returns stops it */
  add(followed: Followed): () => void;
  close(): void;
}

export function createFollower(client: Client, collection: string): Follower {
  const all = new Set<Followed>();
  let running: { stop: AbortController; begun: Promise<unknown> } | undefined;

  function start() {
    const stop = new AbortController();
    const { signal } = stop;
    // The place first: what happens after it comes by the stream, and what happened before is read.
    const begun = persist(() => client.listEvents({ after: "latest", limit: 1 }, { signal }), { signal });
    const run = async () => {
      const { next_after: after } = await begun;
      for await (const event of client.follow({ collection, after, signal })) {
        for (const each of all) if (each.document_id === event.document_id) each.onEvents([event]);
      }
    };
    run().catch((error: unknown) => {
      if (signal.aborted) return;
      running = undefined;
      for (const each of all) each.onError(error);
      all.clear();
    });
    return { stop, begun };
  }

  async function catchUp(followed: Followed, { stop, begun }: NonNullable<typeof running>): Promise<void> {
    const { signal } = stop;
    const { document_id, onEvents } = followed;
    let live: SluiceEvent[] | undefined = [];
    // What comes meanwhile waits until what came before is there.
    followed.onEvents = (events) => (live ? live.push(...events) : onEvents(events));
    await begun;
    for (let { after } = followed; ; ) {
      const query = { document_id, after, limit: 500 };
      const page = await persist(() => client.listEvents(query, { signal }), { signal });
      onEvents(page.events);
      after = page.next_after;
      if (page.events.length < 500) break;
    }
    const waiting = live;
    live = undefined;
    onEvents(waiting);
  }

  function close(): void {
    all.clear();
    running?.stop.abort();
    running = undefined;
  }

  return {
    close,
    add(followed) {
      running ??= start();
      all.add(followed);
      const { signal } = running.stop;
      catchUp(followed, running).catch((error: unknown) => {
        if (!signal.aborted && all.delete(followed)) followed.onError(error);
      });
      return () => {
        all.delete(followed);
        if (all.size === 0) close();
      };
    },
  };
}
