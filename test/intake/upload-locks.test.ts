import { expect, test } from "vitest";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import { createUploadLocks } from "../../src/intake/upload-locks.ts";
import { createClock } from "../support/clock.ts";

const RENEW_MS = 1_500;
const ASK_MS = 100;

/** Two processes over one storage, whose time stands still. */
function openTwo() {
  const clock = createClock();
  const { system } = clock;
  const { documents } = createMemoryStorage({ system, embedder_id: "test@1" });
  const away = { here: false };
  const lead: typeof documents.lead = async (...given) => {
    if (away.here) throw new Error("the database is away");
    return documents.lead(...given);
  };
  return {
    clock,
    away,
    here: createUploadLocks({ system, documents: { lead } }),
    there: createUploadLocks({ system, documents }),
  };
}

/** Lets what waits for promises only go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function pass(clock: ReturnType<typeof createClock>, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += ASK_MS) {
    clock.advance(ASK_MS);
    await settle();
  }
}

test("a newcomer in the same process asks the holder to leave, and has it then", async () => {
  const { here } = openTwo();
  const order: string[] = [];
  const first = await here.take("a", () => {
    order.push("asked");
    void first().then(() => order.push("left"));
  });
  const second = await here.take("a", () => {});
  expect(order).toEqual(["asked", "left"]);
  await second();
});

test("a newcomer at another node does, and the holder hears of it when it renews", async () => {
  const { clock, here, there } = openTwo();
  let asked = 0;
  const first = await here.take("a", () => {
    asked += 1;
    if (asked === 1) void first();
  });
  let has = false;
  const second = there.take("a", () => {});
  void second.then(() => {
    has = true;
  });
  await pass(clock, RENEW_MS - ASK_MS);
  expect([asked, has]).toEqual([0, false]);
  await pass(clock, 3 * ASK_MS);
  expect([asked, has]).toEqual([1, true]);
  await (await second)();
});

test("one held undisturbed stays held, however long", async () => {
  const { clock, here, there } = openTwo();
  let asked = 0;
  const release = await here.take("a", () => {
    asked += 1;
  });
  await pass(clock, 60_000);
  expect(asked).toBe(0);
  expect(await there.tryTake("a")).toBeUndefined();
  expect(await here.tryTake("a")).toBeUndefined();
  await release();
  const again = await there.tryTake("a");
  expect(again).toBeDefined();
  await again?.();
  expect(asked).toBe(0);
});

test("of a process that died it is free after six seconds", async () => {
  const { clock, away, here, there } = openTwo();
  await here.take("a", () => {});
  // It never renews, nor gives back.
  away.here = true;
  let has = false;
  const second = there.take("a", () => {});
  void second.then(() => {
    has = true;
  });
  await pass(clock, 5_900);
  expect(has).toBe(false);
  await pass(clock, 300);
  expect(has).toBe(true);
  await (await second)();
});

test("who can't renew leaves when another may have it, not before", async () => {
  const { clock, away, here } = openTwo();
  let asked = 0;
  await here.take("a", () => {
    asked += 1;
  });
  away.here = true;
  await pass(clock, 5_900);
  expect(asked).toBe(0);
  await pass(clock, 300);
  expect(asked).toBeGreaterThan(0);
});

test("a holder that does not leave: refused after a while, with the time to come again", async () => {
  const { clock, here, there } = openTwo();
  const release = await here.take("a", () => {});
  const refused = there.take("a", () => {});
  const outcome = expect(refused).rejects.toMatchObject({ code: "upload_in_use", retry_after_ms: 2_000 });
  await pass(clock, 16_000);
  await outcome;
  await release();
  await (await there.take("a", () => {}))();
});

test("a waiter whose signal fires lets go, and leaves nothing taken", async () => {
  const { clock, here, there } = openTwo();
  const release = await here.take("a", () => {});
  const abort = new AbortController();
  const waiting = there.take("a", () => {}, abort.signal);
  const outcome = expect(waiting).rejects.toThrow("gone");
  await pass(clock, ASK_MS);
  abort.abort(new Error("gone"));
  await outcome;
  await release();
  await (await here.take("a", () => {}))();
});
