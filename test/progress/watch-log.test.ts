import { expect, onTestFinished, test } from "vitest";
import { newDocument, newEventFor } from "../../contracts/index.ts";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { createFollower } from "../../src/progress/follow.ts";
import { watchLog } from "../../src/progress/watch-log.ts";
import { createClock } from "../support/clock.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function open() {
  const clock = createClock();
  const { documents } = createMemoryStorage({ system: clock.system, embedder_id: "test@1" });
  const subject = newDocument(clock.system);
  const write = async (count: number) => {
    const { job_id, version } = subject;
    const data = { job_id, version, stage: "embedding", done: 1, total: null } as const;
    const events = Array.from({ length: count }, () =>
      newEventFor(clock.system, subject, "rag.ingestion.progressed", data),
    );
    await documents.commit([{ tenant_id: "t1", events }]);
  };
  const stopping = new AbortController();
  onTestFinished(() => stopping.abort());
  return { clock, documents, write, signal: stopping.signal };
}

/** What `observe` was told, and a promise of when it was told of an event. */
function collect() {
  const told: [number, boolean][] = [];
  let wanted = Number.POSITIVE_INFINITY;
  let reach = () => {};
  return {
    told,
    observe: ({ sequence }: SluiceEvent, is_new: boolean) => {
      told.push([sequence, is_new]);
      if (sequence >= wanted) reach();
    },
    until: (sequence: number) =>
      new Promise<void>((resolve) => {
        wanted = sequence;
        reach = resolve;
        if (told.some(([seen]) => seen >= sequence)) resolve();
      }),
  };
}

test("tells of the last 20,000 events before the start and of every one after, each once and which is which", async () => {
  const { clock, documents, write, signal } = open();
  for (let batch = 0; batch < 21; batch++) await write(1_000);
  const follower = createFollower(documents);
  const { told, observe, until } = collect();
  const watching = watchLog({ documents, follower, system: clock.system, log: silent }, signal, observe);
  await until(21_000);
  await write(2);
  await until(21_002);
  expect(told.map(([sequence]) => sequence)).toEqual(Array.from({ length: 20_002 }, (_, n) => 1_001 + n));
  expect(told.filter(([, is_new]) => is_new).map(([sequence]) => sequence)).toEqual([21_001, 21_002]);
  follower.close();
  await watching;
});

test("goes on where it was when the storage was away", async () => {
  const { clock, documents, write, signal } = open();
  await write(3);
  const away = { left: 0 };
  const follower = createFollower(documents);
  const broken: typeof follower = {
    ...follower,
    async *follow(filter, after, stop) {
      for await (const batch of follower.follow(filter, after, stop)) {
        yield batch;
        if (away.left-- > 0) throw new Error("the storage is away");
      }
    },
  };
  const { told, observe, until } = collect();
  away.left = 1;
  const pause = clock.nextSleep(1_000);
  const watching = watchLog(
    { documents, follower: broken, system: clock.system, log: silent },
    signal,
    observe,
  );
  await pause;
  await write(1);
  clock.advance(1_000);
  await until(4);
  expect(told).toEqual([
    [1, false],
    [2, false],
    [3, false],
    [4, true],
  ]);
  follower.close();
  await watching;
});
