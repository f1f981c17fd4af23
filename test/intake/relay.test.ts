import { describe, expect, test } from "vitest";
import { createMemoryPublisher } from "../../src/adapters/memory/event-publisher.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { relay } from "../../src/intake/relay.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import type { EventPublisher } from "../../src/ports/event-publisher.ts";
import type { System } from "../../src/ports/system.ts";
import { createFollower } from "../../src/progress/follow.ts";
import { gate, openRig, type Rig } from "../support/rig.ts";

/** A relay as one process has it: started at once, ended by `stop`. */
function startRelay(rig: Rig, publisher: EventPublisher, replaced: { documents?: DocumentStore } = {}) {
  const documents = replaced.documents ?? rig.documents;
  const pauses: number[] = [];
  // Waiting is counted, not done: the next try comes at once.
  const system: System = {
    ...rig.system,
    sleep: async (ms) => {
      pauses.push(ms);
    },
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const follower = createFollower(documents);
  const stopping = new AbortController();
  const ended = relay({ documents, follower, system, log }, publisher, stopping.signal);
  return {
    pauses,
    async stop() {
      stopping.abort();
      follower.close();
      await ended;
    },
  };
}

/** A publisher that keeps what it gets, fails as it is told to, and says when it has all of so many events. */
function createPublisher(failing: (events: SluiceEvent[]) => boolean = () => false) {
  const memory = createMemoryPublisher("broker");
  const waiting: { count: number; open: () => void }[] = [];
  const publisher: EventPublisher = {
    ...memory,
    async publish(events) {
      if (failing(events)) throw new Error("the broker is down");
      await memory.publish(events);
      for (const { count, open } of waiting) if (memory.events.length >= count) open();
    },
  };
  const has = (count: number) => {
    const { opened, open } = gate();
    waiting.push({ count, open });
    if (memory.events.length >= count) open();
    return opened;
  };
  return { publisher, events: memory.events, has };
}

const allOf = (rig: Rig) => rig.documents.readEvents({ after: 0, limit: 1_000 });

async function uploads(rig: Rig, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await rig.upload(`document ${n}`);
}

describe("the relay", () => {
  test.each(["sqlite", "memory"] as const)(
    "publishes history, then what comes, in order (%s)",
    async (storage) => {
      const rig = await openRig({ storage });
      await uploads(rig, 0, 20);
      const { publisher, events, has } = createPublisher();
      const running = startRelay(rig, publisher);
      await has(20);
      await uploads(rig, 20, 25);
      await has(25);
      await running.stop();
      expect(events).toEqual(await allOf(rig));
    },
  );

  test("goes on where the one before it ended, after a restart too", async () => {
    const rig = await openRig();
    await uploads(rig, 0, 5);
    const first = createPublisher();
    const one = startRelay(rig, first.publisher);
    await first.has(5);
    await rig.until(async () => (await rig.documents.getCursor("publisher:broker")) === 5);
    await one.stop();
    await uploads(rig, 5, 8);
    const second = createPublisher();
    const two = startRelay(rig, second.publisher, { documents: (await rig.connect()).documents });
    await second.has(3);
    await two.stop();
    expect([...first.events, ...second.events]).toEqual(await allOf(rig));
  });

  test("publishes again what it could not note as published: at least once, under the same keys", async () => {
    const rig = await openRig({ storage: "memory" });
    await uploads(rig, 0, 5);
    let saves = 0;
    const documents: DocumentStore = {
      ...rig.documents,
      async saveCursor(name, sequence) {
        if (saves++ < 2) throw new Error("the disk is full");
        await rig.documents.saveCursor(name, sequence);
      },
    };
    const { publisher, events, has } = createPublisher();
    const running = startRelay(rig, publisher, { documents });
    await has(15);
    await running.stop();
    const all = await allOf(rig);
    expect(events).toEqual([...all, ...all, ...all]);
    expect(new Set(events.map((event) => event.idempotency_key)).size).toBe(5);
    expect(await rig.documents.getCursor("publisher:broker")).toBe(5);
  });

  test("a broker that is down delays, loses nothing, and is asked less and less often", async () => {
    const rig = await openRig({ storage: "memory" });
    await uploads(rig, 0, 5);
    let refusals = 0;
    const { publisher, events, has } = createPublisher(() => refusals++ < 12);
    const running = startRelay(rig, publisher);
    await has(5);
    await uploads(rig, 5, 10);
    await has(10);
    await running.stop();
    expect(events).toEqual(await allOf(rig));
    expect(running.pauses).toHaveLength(12);
    for (const [place, pause] of running.pauses.entries()) {
      const ceiling = Math.min(30_000, 250 * 2 ** (place + 1));
      expect(pause).toBeGreaterThanOrEqual(ceiling / 2);
      expect(pause).toBeLessThanOrEqual(ceiling);
    }
  });

  test("a broker that takes it again is asked at the old pace the next time", async () => {
    const rig = await openRig({ storage: "memory" });
    const refusing = new Set([1, 2, 3, 6]);
    let calls = 0;
    const { publisher, has } = createPublisher(() => refusing.has(++calls));
    const running = startRelay(rig, publisher);
    for (let n = 0; n < 3; n++) {
      await uploads(rig, n, n + 1);
      await has(n + 1);
    }
    await running.stop();
    expect(running.pauses).toHaveLength(4);
    expect(running.pauses[2]).toBeGreaterThanOrEqual(1_000);
    expect(running.pauses[3]).toBeLessThanOrEqual(500);
  });

  test("two publishers have their own places in the log", async () => {
    const rig = await openRig({ storage: "memory" });
    await uploads(rig, 0, 3);
    const up = createPublisher();
    const down = createPublisher(() => true);
    const running = [
      startRelay(rig, { ...up.publisher, name: "up" }),
      startRelay(rig, { ...down.publisher, name: "down" }),
    ];
    await up.has(3);
    await rig.upload("one more");
    await up.has(4);
    for (const each of running) await each.stop();
    expect(await rig.documents.getCursor("publisher:down")).toBe(0);
    expect(down.events).toEqual([]);
  });

  test("of two over one log, one publishes at a time, and the other goes on where it ended", async () => {
    const rig = await openRig();
    const other = await rig.connect();
    const { publisher, events, has } = createPublisher();
    const relays = [startRelay(rig, publisher), startRelay(rig, publisher, { documents: other.documents })];
    await uploads(rig, 0, 10);
    await has(10);
    await rig.until(async () => (await rig.documents.getCursor("publisher:broker")) === 10);
    for (const [place, each] of relays.entries()) {
      await each.stop();
      if (place === 1) break;
      await uploads(rig, 10, 20);
      await has(20);
    }
    expect(events).toEqual(await allOf(rig));
  });

  test("waits for the lead of one that died, and takes it when it lapses", async () => {
    const rig = await openRig({ storage: "memory" });
    const cursor = "publisher:broker";
    expect(await rig.documents.lead(cursor, "the dead one", 60_000)).toBe(true);
    let refused = 0;
    const documents: DocumentStore = {
      ...rig.documents,
      async lead(task, holder, ms) {
        const has = await rig.documents.lead(task, holder, ms);
        // Lapsed: what the clock would do in a minute.
        if (!has && ms > 0 && ++refused === 3) await rig.documents.lead(cursor, "the dead one", 0);
        return has;
      },
    };
    await uploads(rig, 0, 5);
    const { publisher, events, has } = createPublisher();
    const running = startRelay(rig, publisher, { documents });
    await has(5);
    await running.stop();
    expect(refused).toBe(3);
    expect(events).toEqual(await allOf(rig));
    expect(await rig.documents.lead(cursor, "somebody else", 1)).toBe(true);
  });

  test("a read of the log that fails once is made up for, without news", async () => {
    const rig = await openRig({ storage: "memory" });
    let fails = false;
    const documents: DocumentStore = {
      ...rig.documents,
      async readEvents(query) {
        if (!fails) return rig.documents.readEvents(query);
        fails = false;
        throw new Error("locked for too long");
      },
    };
    const { publisher, events, has } = createPublisher();
    const running = startRelay(rig, publisher, { documents });
    await uploads(rig, 0, 1);
    await has(1);
    fails = true;
    await uploads(rig, 1, 2);
    await has(2);
    await running.stop();
    expect(events).toEqual(await allOf(rig));
    expect(running.pauses).toHaveLength(1);
  });
});
