import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { manualClock, newDocument, newEventFor } from "../../contracts/index.ts";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import type { DocumentRecord } from "../../src/document.ts";
import type { SluiceEvent } from "../../src/events.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import { createFollower, type Follower, type FollowFilter } from "../../src/progress/follow.ts";
import { gate, openRig } from "../support/rig.ts";

const { system } = manualClock();

function openMemory() {
  const { documents } = createMemoryStorage({ system, embedder_id: "test@1" });
  return { documents, follower: createFollower(documents) };
}

/** Documents of two tenants and two collections, whose events can be told apart. */
const subjects: DocumentRecord[] = ["t1", "t2"].flatMap((tenant_id) =>
  ["a", "b"].map((collection) => newDocument(system, { tenant_id, collection })),
);

function progressOf(subject: DocumentRecord, done: number) {
  const { job_id, version } = subject;
  const data = { job_id, version, stage: "embedding", done, total: null } as const;
  return newEventFor(system, subject, "rag.ingestion.progressed", data);
}

/** Writes `count` events in commits of their own, each of another document in turn. */
async function write(documents: DocumentStore, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const subject = subjects[n % subjects.length]!;
    await documents.commit([{ tenant_id: subject.tenant_id, events: [progressOf(subject, n)] }]);
  }
}

/** Many events in few commits. */
async function writeMany(documents: DocumentStore, count: number): Promise<void> {
  for (let done = 0; done < count; done += 500) {
    const events = Array.from({ length: Math.min(500, count - done) }, (_, n) =>
      progressOf(subjects[(done + n) % subjects.length]!, done + n),
    );
    await documents.commit([{ tenant_id: "t1", events }]);
  }
}

/** A reader that keeps what it is given until it has an event with `last` or a later sequence. */
function reader(follower: Follower, filter: FollowFilter, after: number) {
  const stopping = new AbortController();
  const got: SluiceEvent[] = [];
  let reached = gate();
  let target = Number.POSITIVE_INFINITY;
  const ended = (async () => {
    for await (const events of follower.follow(filter, after, stopping.signal)) {
      got.push(...events);
      if ((got.at(-1)?.sequence ?? 0) >= target) reached.open();
    }
  })();
  return {
    got,
    /** Resolves when it has an event of this place or a later one. */
    until(sequence: number): Promise<void> {
      reached = gate();
      target = sequence;
      if ((got.at(-1)?.sequence ?? 0) >= target) reached.open();
      return reached.opened;
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

const sequences = (events: SluiceEvent[]) => events.map((event) => event.sequence);

function fits(event: SluiceEvent, filter: FollowFilter): boolean {
  return Object.entries(filter).every(([field, value]) => event[field as keyof FollowFilter] === value);
}

describe("following", () => {
  test("gives history first, then live, and nothing twice", async () => {
    const { documents, follower } = openMemory();
    await write(documents, 10);
    const one = reader(follower, {}, 4);
    await one.until(10);
    await write(documents, 3);
    await one.until(13);
    await one.stop();
    expect(sequences(one.got)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  test("from the end of the log gives only what comes", async () => {
    const { documents, follower } = openMemory();
    await write(documents, 3);
    const one = reader(follower, {}, 3);
    await write(documents, 1);
    await one.until(4);
    await one.stop();
    expect(sequences(one.got)).toEqual([4]);
  });

  const filters: fc.Arbitrary<FollowFilter> = fc.oneof(
    fc.constant({}),
    fc.constantFrom("t1", "t2", "t3").map((tenant_id) => ({ tenant_id })),
    fc.constantFrom("a", "b").map((collection) => ({ collection })),
    fc.constantFrom(...subjects).map(({ document_id }) => ({ document_id })),
    fc.constantFrom(...subjects).map(({ correlation_id }) => ({ correlation_id })),
    fc.constantFrom(...subjects).map(({ tenant_id, collection }) => ({ tenant_id, collection })),
  );
  /** Steps that writer and readers take in turn: a commit of some events, or a reader that joins. */
  const steps = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ write: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }) }) },
      { weight: 1, arbitrary: fc.record({ join: filters, back: fc.nat(40) }) },
      { weight: 1, arbitrary: fc.record({ wait: fc.nat(3) }) },
    ),
    { minLength: 5, maxLength: 40 },
  );

  test("whoever joins when, wherever and for whatever, gets each fitting event once and in order", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        const { documents, follower } = openMemory();
        const readers: { filter: FollowFilter; after: number; one: ReturnType<typeof reader> }[] = [];
        const commits: Promise<number>[] = [];
        for (const step of plan) {
          if ("write" in step) {
            const events = step.write.map((place) => progressOf(subjects[place]!, 0));
            commits.push(documents.commit([{ tenant_id: "t1", events }]));
          } else if ("join" in step) {
            const after = Math.max(0, (await documents.lastSequence()) - step.back);
            readers.push({ filter: step.join, after, one: reader(follower, step.join, after) });
          } else {
            for (let turn = 0; turn < step.wait; turn++) await Promise.resolve();
          }
        }
        await Promise.all(commits);
        const all = await documents.readEvents({ after: 0, limit: 1_000 });
        for (const { filter, after, one } of readers) {
          const expected = all.filter((event) => event.sequence > after && fits(event, filter));
          if (expected.length > 0) await one.until(expected.at(-1)!.sequence);
          await one.stop();
          expect(one.got).toEqual(expected);
        }
        follower.close();
      }),
      { numRuns: 60 },
    );
  });

  test("beside concurrent writers on SQLite, in this process and another, nothing is missed or doubled", async () => {
    const rig = await openRig();
    const other = await rig.connect();
    const readers = [
      reader(rig.follower, {}, 0),
      reader(rig.follower, { tenant_id: "t1" }, 0),
      reader(rig.follower, { collection: "b" }, 30),
    ];
    const filters: FollowFilter[] = [{}, { tenant_id: "t1" }, { collection: "b" }];
    await Promise.all([
      write(rig.documents, 60),
      write(other.documents, 60),
      ...[0, 1, 2, 3].map(() => writeMany(other.documents, 20)),
    ]);
    const late = reader(rig.follower, {}, 50);
    const all = await rig.documents.readEvents({ after: 0, limit: 1_000 });
    expect(all).toHaveLength(200);
    for (const [place, one] of readers.entries()) {
      const expected = all.filter(
        (event) => event.sequence > [0, 0, 30][place]! && fits(event, filters[place]!),
      );
      await one.until(expected.at(-1)!.sequence);
      await one.stop();
      expect(one.got).toEqual(expected);
    }
    await late.until(200);
    await late.stop();
    expect(late.got).toEqual(all.slice(50));
  });

  test("events that another process writes arrive while it waits", async () => {
    const rig = await openRig();
    const other = await rig.connect();
    const one = reader(rig.follower, {}, 0);
    for (let n = 1; n <= 5; n++) {
      await write(other.documents, 1);
      await one.until(n);
    }
    await one.stop();
    expect(sequences(one.got)).toEqual([1, 2, 3, 4, 5]);
  });

  test("over more events than are kept in memory, from any place, slow readers too", async () => {
    const { documents, follower } = openMemory();
    await writeMany(documents, 100);
    const eager = reader(follower, {}, 0);
    await eager.until(100);
    // A reader that stays at its first batch while the window moves past it.
    const stopping = new AbortController();
    const slow = follower.follow({ collection: "a" }, 100, stopping.signal);
    await writeMany(documents, 10);
    const slowGot = [...((await slow.next()).value as SluiceEvent[])];
    for (let round = 0; round < 10; round++) {
      await writeMany(documents, 1_000);
      await eager.until(110 + (round + 1) * 1_000);
    }
    const all = await documents.readEvents({ after: 0, limit: 20_000 });
    expect(all).toHaveLength(10_110);
    const lastOfA = all.findLast((event) => event.collection === "a")!.sequence;
    while (slowGot.at(-1)!.sequence < lastOfA) slowGot.push(...((await slow.next()).value as SluiceEvent[]));
    stopping.abort();
    expect(sequences(slowGot)).toEqual(
      sequences(all.filter((event) => event.sequence > 100 && event.collection === "a")),
    );
    await eager.stop();
    expect(sequences(eager.got)).toEqual(sequences(all));
    for (const after of [0, 5_000, 6_013, 6_014, 6_015, 10_109]) {
      const late = reader(follower, { tenant_id: "t2" }, after);
      const expected = all.filter((event) => event.sequence > after && event.tenant_id === "t2");
      await late.until(expected.at(-1)!.sequence);
      await late.stop();
      expect(sequences(late.got)).toEqual(sequences(expected));
    }
  });

  test("many readers at the end of the log share its reads", async () => {
    const { documents } = openMemory();
    let reads = 0;
    const follower = createFollower({
      ...documents,
      readEvents: (query) => {
        reads++;
        return documents.readEvents(query);
      },
    });
    const readers = Array.from({ length: 100 }, () => reader(follower, { tenant_id: "t1" }, 0));
    await write(documents, 1);
    await Promise.all(readers.map((one) => one.until(1)));
    reads = 0;
    for (let n = 0; n < 10; n++) {
      await write(documents, 1);
      await Promise.all(readers.map((one) => one.until(n + 2)));
    }
    for (const one of readers) await one.stop();
    expect(reads).toBeLessThanOrEqual(40);
  });

  test("ends at once when the signal fires, whatever it waits for", async () => {
    const { documents, follower } = openMemory();
    const waiting = reader(follower, {}, 0);
    await write(documents, 1);
    await waiting.until(1);
    await waiting.stop();
    expect(await follower.follow({}, 0, AbortSignal.abort()).next()).toEqual({
      done: true,
      value: undefined,
    });
  });

  test("ends for all when the follower is closed, and calls nobody after", async () => {
    const { documents } = openMemory();
    let watching = 0;
    const follower = createFollower({
      ...documents,
      watchEvents: (listener) => {
        watching++;
        const end = documents.watchEvents(listener);
        return () => {
          watching--;
          end();
        };
      },
    });
    const iterators = [0, 0, 5].map((after) => follower.follow({}, after, new AbortController().signal));
    const ends = iterators.map((one) => one.next());
    expect(watching).toBe(1);
    follower.close();
    for (const end of ends) expect((await end).done).toBe(true);
    expect(watching).toBe(0);
  });

  test("hands a failed read on to its readers; who follows next misses nothing, though nothing new happens", async () => {
    const { documents } = openMemory();
    let fails = false;
    const follower = createFollower({
      ...documents,
      readEvents: (query) => (fails ? Promise.reject(new Error("locked")) : documents.readEvents(query)),
    });
    const stopping = new AbortController();
    const one = follower.follow({}, 0, stopping.signal);
    const first = one.next();
    await write(documents, 1);
    expect(sequences((await first).value as SluiceEvent[])).toEqual([1]);
    fails = true;
    const second = one.next();
    await write(documents, 1);
    await expect(second).rejects.toThrow("locked");
    fails = false;
    const again = follower.follow({}, 1, stopping.signal);
    expect(sequences((await again.next()).value as SluiceEvent[])).toEqual([2]);
    stopping.abort();
  });

  test("two that begin at the same moment both get everything, however slowly the store answers", async () => {
    const { documents } = openMemory();
    await write(documents, 2);
    const slowly: (() => void)[] = [];
    const follower = createFollower({
      ...documents,
      lastSequence: async () => {
        const last = await documents.lastSequence();
        await new Promise<void>((resolve) => slowly.push(resolve));
        return last;
      },
    });
    const readers = [reader(follower, {}, 0), reader(follower, {}, 0)];
    await write(documents, 1);
    await expect.poll(() => slowly.length).toBe(1);
    slowly[0]?.();
    for (const one of readers) await one.until(3);
    await write(documents, 1);
    for (const one of readers) {
      await one.until(4);
      await one.stop();
    }
  });
});
