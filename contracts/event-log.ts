/** The part of the DocumentStore contract that is about the event log. */
import { expect } from "vitest";
import type { SluiceEvent } from "../src/events.ts";
import type { EventQuery } from "../src/ports/document-store.ts";
import { newDocument, newEventFor, uploadCommit, uploadedEvent } from "./samples.ts";
import { type StorageHarness, type StorageTest, upload, watchLatency } from "./storage.ts";

export function describeEventLog(check: StorageTest): void {
  numbering(check);
  reading(check);
  watching(check);
  cursors(check);
}

function numbering(check: StorageTest): void {
  check("events are numbered in the order written, and commit returns the last number", async (h) => {
    expect(await h.documents.lastSequence()).toBe(0);
    const record = newDocument(h.system);
    const commit = uploadCommit(h.system, record);
    const started = newEventFor(h.system, record, "rag.ingestion.started", {
      job_id: record.job_id,
      version: 1,
      attempt: 1,
      worker_id: "wrk_a",
    });
    commit.events?.push(started);
    const sequence = await h.documents.commit([commit]);
    const events = await h.documents.readEvents({ after: 0, limit: 10 });
    expect(events).toEqual(
      commit.events?.map((event, place) => ({ ...event, sequence: events[place]!.sequence })),
    );
    expect(events[1]!.sequence).toBeGreaterThan(events[0]!.sequence);
    expect(sequence).toBe(events[1]!.sequence);
    expect(await h.documents.lastSequence()).toBe(sequence);
    await upload(h);
    expect(await h.documents.lastSequence()).toBeGreaterThan(sequence);
  });

  check("a commit without events returns 0 and moves the log nowhere", async (h) => {
    await upload(h);
    const before = await h.documents.lastSequence();
    expect(await h.documents.commit([{ tenant_id: "t1", enqueue: [] }])).toBe(0);
    expect(await h.documents.lastSequence()).toBe(before);
  });

  const follow = async (h: StorageHarness, writers: StorageHarness[]) => {
    const records = Array.from({ length: 60 }, () => newDocument(h.system));
    let writing = true;
    const seen: SluiceEvent[] = [];
    const reader = (async () => {
      let after = 0;
      for (;;) {
        const last = !writing;
        const events = await h.documents.readEvents({ after, limit: 7 });
        seen.push(...events);
        after = events.at(-1)?.sequence ?? after;
        if (events.length === 0) {
          if (last) return;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    })();
    await Promise.all(
      records.map((record, place) =>
        writers[place % writers.length]!.documents.commit([uploadCommit(h.system, record)]),
      ),
    );
    writing = false;
    await reader;
    expect(seen.map((event) => event.document_id).sort()).toEqual(
      records.map((record) => record.document_id).sort(),
    );
    const sequences = seen.map((event) => event.sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(new Set(sequences).size).toBe(records.length);
  };

  check("whoever reads by sequence while others write misses no event", (h) => follow(h, [h]));

  check.needing(
    "shared",
    "whoever reads by sequence while two processes write misses no event",
    async (h, more) => follow(h, [h, await more.second()]),
  );
}

function reading(check: StorageTest): void {
  check("events are read by each filter, alone and together", async (h) => {
    const a = await upload(h);
    const b = await upload(h, { collection: "other", correlation_id: a.correlation_id });
    const c = await upload(h, { tenant_id: "t2" });
    const ids = async (query: Partial<EventQuery>) =>
      (await h.documents.readEvents({ after: 0, limit: 100, ...query })).map((event) => event.document_id);
    const [idA, idB, idC] = [a.document_id, b.document_id, c.document_id];
    expect(await ids({})).toEqual([idA, idB, idC]);
    expect(await ids({ tenant_id: "t1" })).toEqual([idA, idB]);
    expect(await ids({ document_id: idB })).toEqual([idB]);
    expect(await ids({ correlation_id: a.correlation_id })).toEqual([idA, idB]);
    expect(await ids({ collection: "default" })).toEqual([idA, idC]);
    expect(await ids({ tenant_id: "t1", collection: "default", correlation_id: a.correlation_id })).toEqual([
      idA,
    ]);
    expect(await ids({ tenant_id: "t2", document_id: idA })).toEqual([]);
    expect(await ids({ tenant_id: "nobody" })).toEqual([]);
  });

  check("events are read in pages, by what comes after a sequence", async (h) => {
    for (let count = 0; count < 12; count += 1) await upload(h, { tenant_id: count % 3 === 0 ? "t2" : "t1" });
    const all = await h.documents.readEvents({ after: 0, limit: 100, tenant_id: "t1" });
    expect(all).toHaveLength(8);
    const paged: SluiceEvent[] = [];
    for (;;) {
      const after = paged.at(-1)?.sequence ?? 0;
      const page = await h.documents.readEvents({ after, limit: 3, tenant_id: "t1" });
      if (page.length === 0) break;
      paged.push(...page);
    }
    expect(paged).toEqual(all);
    expect(await h.documents.readEvents({ after: await h.documents.lastSequence(), limit: 5 })).toEqual([]);
  });
}

function watching(check: StorageTest): void {
  const round = (watcher: StorageHarness, writer: StorageHarness) => async () => {
    const after = await watcher.documents.lastSequence();
    return {
      act: () => upload(writer),
      seen: async () => (await watcher.documents.readEvents({ after, limit: 1 })).length > 0,
    };
  };

  check("a watcher hears of new events within 100 ms", async (h) => {
    expect(await watchLatency((call) => h.documents.watchEvents(call), round(h, h))).toBeLessThan(100);
  });

  check.needing("shared", "a watcher hears of another process's events within 100 ms", async (h, more) => {
    const other = await more.second();
    expect(await watchLatency((call) => h.documents.watchEvents(call), round(h, other))).toBeLessThan(100);
    expect(await watchLatency((call) => other.documents.watchEvents(call), round(other, h))).toBeLessThan(
      100,
    );
  });

  check("several watchers all hear, and one that ended is not called again", async (h) => {
    let calls = 0;
    const stop = h.documents.watchEvents(() => {
      calls += 1;
    });
    stop();
    const both = (call: () => void) => {
      let others = 0;
      const arrived = () => {
        others += 1;
        if (others >= 2) call();
      };
      const stops = [h.documents.watchEvents(arrived), h.documents.watchEvents(arrived)];
      return () => {
        for (const end of stops) end();
      };
    };
    expect(await watchLatency(both, round(h, h))).toBeLessThan(100);
    expect(calls).toBe(0);
  });
}

function cursors(check: StorageTest): void {
  check("a hold lasts until the latest time that anybody asked for, each name's its own", async (h) => {
    expect(await h.documents.heldUntil("a")).toBe(0);
    await h.documents.hold("a", 5_000);
    await h.documents.hold("a", 3_000);
    await h.documents.hold("b", 1_000);
    expect([await h.documents.heldUntil("a"), await h.documents.heldUntil("b")]).toEqual([5_000, 1_000]);
  });

  const lead = (one: StorageHarness, holder: string, ms = 1_000) => one.documents.lead("relay", holder, ms);

  check("a task has one holder at a time, as long as it asks again", async (h) => {
    expect([await lead(h, "a"), await lead(h, "b"), await h.documents.lead("other", "b", 1_000)]).toEqual([
      true,
      false,
      true,
    ]);
    h.advance(900);
    expect([await lead(h, "a"), await lead(h, "b")]).toEqual([true, false]);
    h.advance(1_100);
    expect([await lead(h, "b"), await lead(h, "a")]).toEqual([true, false]);
  });

  check("a task given up is free at once; nobody gives up another's", async (h) => {
    expect(await lead(h, "a")).toBe(true);
    expect([await lead(h, "b", 0), await lead(h, "b")]).toEqual([false, false]);
    expect([await lead(h, "a", 0), await lead(h, "b")]).toEqual([false, true]);
  });

  check("a holder who died before the clock was set back by an hour leaves the task no later", async (h) => {
    const noticed = () => h.queue.claim("wrk_a", 1, 30_000);
    await noticed();
    expect(await lead(h, "a")).toBe(true);
    h.advance(-3_600_000);
    await noticed();
    expect(await lead(h, "b")).toBe(false);
    h.advance(1_100);
    expect(await lead(h, "b")).toBe(true);
  });

  check.needing("shared", "of two processes that ask for a task at once, one gets it", async (h, more) => {
    const other = await more.second();
    for (let round = 0; round < 10; round += 1) {
      const won = await Promise.all([lead(h, "a"), lead(other, "b")]);
      expect(won.filter(Boolean)).toHaveLength(1);
      h.advance(2_000);
    }
  });

  check("a cursor is 0 until it is saved, and each name has its own", async (h) => {
    expect(await h.documents.getCursor("kafka")).toBe(0);
    await h.documents.saveCursor("kafka", 7);
    await h.documents.saveCursor("webhooks", 3);
    await h.documents.saveCursor("kafka", 9);
    expect(await h.documents.getCursor("kafka")).toBe(9);
    expect(await h.documents.getCursor("webhooks")).toBe(3);
  });

  check.needing(
    "durable",
    "events and cursors are there after closing and opening again",
    async (h, more) => {
      await upload(h);
      await upload(h);
      const events = await h.documents.readEvents({ after: 0, limit: 10 });
      await h.documents.saveCursor("kafka", 5);
      const again = await more.reopen();
      expect(events).toHaveLength(2);
      expect(await again.documents.readEvents({ after: 0, limit: 10 })).toEqual(events);
      expect(await again.documents.getCursor("kafka")).toBe(5);
    },
  );

  check("an event keeps every field, also one without a cause and one with odd text", async (h) => {
    const record = newDocument(h.system, { filename: 'naïve 😀 \u0007 "quoted".txt' });
    const event = { ...uploadedEvent(h.system, record), causation_id: "evt_cause" };
    await h.documents.commit([{ tenant_id: "t1", events: [event] }]);
    const [read] = await h.documents.readEvents({ after: 0, limit: 1 });
    expect(read).toEqual({ ...event, sequence: read?.sequence });
  });
}
