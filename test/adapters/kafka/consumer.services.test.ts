import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Producer, stringSerializers } from "@platformatic/kafka";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newDocument, uploadedEvent } from "../../../contracts/samples.ts";
import { manualClock } from "../../../contracts/system.ts";
import {
  type ConsumeOptions,
  consumeEvents,
  type PoisonMessage,
} from "../../../src/adapters/kafka/consumer.ts";
import { createSqliteInbox, type Inbox } from "../../../src/adapters/kafka/inbox.ts";
import { createKafkaPublisher } from "../../../src/adapters/kafka/publisher.ts";
import { toCloudEvent } from "../../../src/cloudevents.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import { type KafkaBroker, startKafka } from "../../services/kafka.ts";
import { makeTopic } from "./topics.ts";

const { system } = manualClock();
let kafka: KafkaBroker;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.stop());

let folder: string;
let database: DatabaseSync;
let topic: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-consumer-"));
  database = openDatabase();
  topic = await makeTopic(kafka.brokers);
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});
function openDatabase(): DatabaseSync {
  const opened = new DatabaseSync(join(folder, "service.db"), { timeout: 5_000 });
  opened.exec("CREATE TABLE IF NOT EXISTS effects (document_id TEXT, event_id TEXT)");
  return opened;
}

let sequence = 0;
function eventsOf(documents: number, each: number): SluiceEvent[] {
  const records = Array.from({ length: documents }, () => newDocument(system));
  return Array.from({ length: each }, () => records)
    .flat()
    .map((record) => {
      sequence += 1;
      return { ...uploadedEvent(system, record), sequence } as SluiceEvent;
    });
}
async function publish(events: SluiceEvent[]): Promise<void> {
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic });
  try {
    await publisher.publish(events);
  } finally {
    await publisher.close();
  }
}
/** Sends something that isn't from Sluice. */
async function sendRaw(value: string, headers: Record<string, string> = {}): Promise<void> {
  const producer = new Producer({
    clientId: "test",
    bootstrapBrokers: kafka.brokers,
    serializers: stringSerializers,
  });
  try {
    await producer.send({ messages: [{ topic, key: "raw", value, headers }] });
  } finally {
    await producer.close();
  }
}
const write = (event: SluiceEvent, tx: DatabaseSync) => {
  tx.prepare("INSERT INTO effects VALUES (?, ?)").run(event.document_id, event.event_id);
};
const effects = (): { document_id: string; event_id: string }[] =>
  database
    .prepare("SELECT document_id, event_id FROM effects ORDER BY rowid")
    .all()
    .map((row) => ({ document_id: String(row.document_id), event_id: String(row.event_id) }));
const idsByDocument = (events: { document_id: string; event_id: string }[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(events, (event) => event.document_id)).map(([document_id, own]) => [
      document_id,
      own?.map(({ event_id }) => event_id),
    ]),
  );

interface Running {
  /** Resolves when so many events were taken, effects and repetitions together. */
  taken(count: number): Promise<void>;
  /** Resolves when so many had their effect. */
  applied(count: number): Promise<void>;
  stop(): Promise<void>;
  ended: Promise<void>;
  warnings: string[];
}
/** Consumes until stopped. */
function consume(options: Partial<ConsumeOptions<DatabaseSync>> = {}, connection = database): Running {
  const stopping = new AbortController();
  const warnings: string[] = [];
  let taken = 0;
  let applied = 0;
  let waiting: { isDone(): boolean; resolve(): void }[] = [];
  const inner = options.inbox ?? createSqliteInbox({ database: connection });
  const inbox: Inbox<DatabaseSync> = {
    async run(key, effect) {
      const ran = await inner.run(key, effect);
      taken += 1;
      if (ran) applied += 1;
      for (const one of waiting) if (one.isDone()) one.resolve();
      waiting = waiting.filter((one) => !one.isDone());
      return ran;
    },
  };
  const ended = consumeEvents<DatabaseSync>({
    brokers: kafka.brokers,
    group: "service",
    topics: [topic],
    handle: write,
    log: { warn: (_fields, message) => void warnings.push(message) },
    signal: stopping.signal,
    ...options,
    inbox,
  });
  const until = (isDone: () => boolean) =>
    Promise.race([
      new Promise<void>((resolve) => {
        if (isDone()) resolve();
        else waiting.push({ isDone, resolve });
      }),
      ended.then(() => {
        throw new Error("consuming ended");
      }),
    ]);
  return {
    taken: (wanted) => until(() => taken >= wanted),
    applied: (wanted) => until(() => applied >= wanted),
    stop: async () => {
      stopping.abort();
      await ended;
    },
    ended,
    warnings,
  };
}
const newGroup = () => `service-${randomUUID()}`;

describe("each event has its effect exactly once", () => {
  test("though it is published twice", async () => {
    const events = eventsOf(3, 10);
    await publish(events);
    await publish(events);
    const running = consume({ group: newGroup() });
    await running.taken(60);
    await running.stop();
    expect(idsByDocument(effects())).toEqual(idsByDocument(events));
    expect(running.warnings).toEqual([]);
  });

  test("though all offsets are forgotten", async () => {
    const events = eventsOf(3, 10);
    await publish(events);
    for (const group of [newGroup(), newGroup()]) {
      const running = consume({ group });
      await running.taken(30);
      await running.stop();
    }
    expect(idsByDocument(effects())).toEqual(idsByDocument(events));
  });

  test("though the service ends between effect and offset", async () => {
    const events = eventsOf(1, 5);
    await publish(events);
    const group = newGroup();
    const inner = createSqliteInbox({ database });
    const dying: Inbox<DatabaseSync> = {
      async run(key, effect) {
        await inner.run(key, effect);
        throw new Error("the power is out");
      },
    };
    await expect(consume({ group, inbox: dying, max_attempts: 1 }).ended).rejects.toThrow("the power is out");
    expect(effects()).toHaveLength(1);
    const running = consume({ group });
    await running.taken(5);
    await running.stop();
    expect(idsByDocument(effects())).toEqual(idsByDocument(events));
  });

  test("though its handler fails at first", async () => {
    const events = eventsOf(2, 3);
    await publish(events);
    const seen = new Set<string>();
    const running = consume({
      group: newGroup(),
      handle(event, tx) {
        write(event, tx);
        if (seen.has(event.event_id)) return;
        seen.add(event.event_id);
        throw new Error("not yet");
      },
    });
    await running.taken(6);
    await running.stop();
    expect(idsByDocument(effects())).toEqual(idsByDocument(events));
  });

  test("though the broker is killed meanwhile", async () => {
    const [before, after] = [eventsOf(3, 20), eventsOf(3, 20)];
    await publish(before);
    const running = consume({ group: newGroup() });
    await running.taken(60);
    await kafka.kill();
    await kafka.start();
    await publish(after);
    await running.applied(120);
    await running.stop();
    expect(idsByDocument(effects())).toEqual(idsByDocument([...before, ...after]));
  });

  test("by two instances that share the inbox, one of which leaves", async () => {
    const [before, after] = [eventsOf(9, 10), eventsOf(9, 10)];
    const group = newGroup();
    const other = openDatabase();
    try {
      const [first, second] = [consume({ group }), consume({ group }, other)];
      await publish(before);
      await Promise.race([first.taken(1), second.taken(1)]);
      await first.stop();
      await publish(after);
      // Whatever the first one left, and all that came after.
      await second.taken(after.length);
      const complete = consume({ group: newGroup() });
      await complete.taken(180);
      await complete.stop();
      await second.stop();
    } finally {
      other.close();
    }
    const found = effects();
    expect(found).toHaveLength(180);
    expect(new Set(found.map(({ event_id }) => event_id)).size).toBe(180);
  });
});

describe("offsets", () => {
  test("are committed after the effect: the next start goes on where this one ended", async () => {
    const group = newGroup();
    const [before, after] = [eventsOf(2, 5), eventsOf(2, 5)];
    await publish(before);
    const first = consume({ group });
    await first.taken(10);
    await first.stop();
    await publish(after);
    const handled: string[] = [];
    const second = consume({
      group,
      // Its own inbox, which knows nothing: what is handled shows where it began.
      inbox: createSqliteInbox({ database, consumer: "second" }),
      handle: (event) => void handled.push(event.event_id),
    });
    await second.taken(10);
    await second.stop();
    expect(handled.sort()).toEqual(after.map(({ event_id }) => event_id).sort());
  });
});

describe("a message that can't be handled", () => {
  test("ends consuming with its place, and is met again", async () => {
    await sendRaw("hello");
    const group = newGroup();
    for (const _ of [1, 2]) {
      await expect(consume({ group }).ended).rejects.toThrow(
        /can't be handled \(test\..*, partition \d, offset 0, key raw\): there is no CloudEvent/,
      );
    }
  });

  test("is handed to onPoison, and passed over when that returns", async () => {
    const [event] = eventsOf(1, 1) as [SluiceEvent];
    const { data: _, ...broken } = toCloudEvent(event);
    await sendRaw("hello");
    await sendRaw(JSON.stringify(broken), { "content-type": "application/cloudevents+json" });
    const poison: PoisonMessage[] = [];
    const both = Promise.withResolvers<void>();
    const running = consume({
      group: newGroup(),
      onPoison(message) {
        if (poison.push(message) === 2) both.resolve();
      },
    });
    await publish([event]);
    await Promise.all([running.taken(1), both.promise]);
    await running.stop();
    expect(poison.map(({ key, body }) => ({ key, body }))).toEqual([
      { key: "raw", body: "hello" },
      { key: "raw", body: JSON.stringify(broken) },
    ]);
    expect(String(poison[1]?.error)).toContain("data");
    expect(effects()).toHaveLength(1);
  });

  test("because its handler always fails is handed on after max_attempts, without an effect", async () => {
    const [bad, good] = [eventsOf(1, 1)[0] as SluiceEvent, eventsOf(1, 1)[0] as SluiceEvent];
    await publish([bad, good]);
    const poison: PoisonMessage[] = [];
    let tries = 0;
    const told = Promise.withResolvers<void>();
    const running = consume({
      group: newGroup(),
      max_attempts: 3,
      handle(event, tx) {
        write(event, tx);
        if (event.event_id !== bad.event_id) return;
        tries += 1;
        throw new Error("never");
      },
      onPoison(message) {
        poison.push(message);
        told.resolve();
      },
    });
    await Promise.all([running.taken(1), told.promise]);
    await running.stop();
    expect(tries).toBe(3);
    expect(poison).toMatchObject([{ topic, key: bad.document_id, error: new Error("never") }]);
    expect(effects().map(({ event_id }) => event_id)).toEqual([good.event_id]);
  });

  test("of a type that isn't asked for is passed over, unread", async () => {
    const [event] = eventsOf(1, 1) as [SluiceEvent];
    await sendRaw("{}", { ce_specversion: "1.0", ce_type: "rag.document.painted" });
    await publish([event]);
    const running = consume({ group: newGroup(), types: ["rag.document.uploaded"] });
    await running.taken(1);
    await running.stop();
    expect(effects()).toHaveLength(1);
  });
});

describe("a broker that isn't there", () => {
  test("is waited for, with a warning; the signal still ends consuming", async () => {
    await kafka.kill();
    const warned = Promise.withResolvers<string>();
    const running = consume({ log: { warn: (_fields, message) => warned.resolve(message) } });
    expect(await warned.promise).toContain("trying again");
    await running.stop();
    await kafka.start();
  });

  test("is not, when it refuses the login", async () => {
    const sasl = { mechanism: "plain", username: "sluice", password: "hush-hush" } as const;
    const { ended } = consume({ brokers: kafka.sasl_brokers, sasl });
    await expect(ended).rejects.toThrow(/refuse this login: .*authentication/i);
  });
});
