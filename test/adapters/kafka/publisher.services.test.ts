import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeEventPublisher } from "../../../contracts/event-publisher.ts";
import { newDocument, uploadedEvent } from "../../../contracts/samples.ts";
import { manualClock } from "../../../contracts/system.ts";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../../src/adapters/kafka/publisher.ts";
import { SluiceError } from "../../../src/errors.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import type { EventPublisher } from "../../../src/ports/event-publisher.ts";
import { type KafkaBroker, startKafka } from "../../services/kafka.ts";
import { eventOf, makeTopic, readTopics } from "./topics.ts";

const { system } = manualClock();
let kafka: KafkaBroker;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.stop());

const modes: [string, Partial<KafkaPublisherOptions>][] = [
  ["binary", { mode: "binary" }],
  ["structured", { mode: "structured" }],
  ...(["gzip", "snappy", "lz4", "zstd"] as const).map(
    (compression): [string, Partial<KafkaPublisherOptions>] => [compression, { compression }],
  ),
];
for (const [name, options] of modes) {
  describeEventPublisher(`Kafka, ${name}`, async () => {
    const topic = await makeTopic(kafka.brokers);
    const open = () => createKafkaPublisher({ brokers: kafka.brokers, topic, ...options });
    const opened = [open()];
    return {
      publisher: opened[0] as EventPublisher,
      received: async () => (await readTopics(kafka.brokers, [topic])).map(eventOf),
      restart: async () => {
        opened.push(open());
        return opened.at(-1) as EventPublisher;
      },
      close: async () => {
        for (const publisher of opened) await publisher.close();
      },
    };
  });
}

let sequence = 0;
/** Events of `documents` documents in turns, as the log would have them. */
function eventsOf(documents: number, each: number): SluiceEvent[] {
  const records = Array.from({ length: documents }, () => newDocument(system));
  return Array.from({ length: each }, () => records)
    .flat()
    .map((record) => {
      sequence += 1;
      return { ...uploadedEvent(system, record), sequence } as SluiceEvent;
    });
}
const idsByDocument = (events: SluiceEvent[]) =>
  Object.groupBy(
    // The first delivery counts; later ones are known by their idempotency key.
    [...new Map(events.map((event) => [event.idempotency_key, event])).values()],
    (event) => event.document_id,
  );
const withPublisher = async <T>(
  options: Partial<KafkaPublisherOptions>,
  use: (publisher: EventPublisher) => Promise<T>,
): Promise<T> => {
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, ...options });
  try {
    return await use(publisher);
  } finally {
    await publisher.close();
  }
};
/** Publishes until it is taken, as the relay does. */
async function insist(publisher: EventPublisher, events: SluiceEvent[]): Promise<Error[]> {
  const errors: Error[] = [];
  for (;;) {
    try {
      await publisher.publish(events);
      return errors;
    } catch (error) {
      errors.push(error as Error);
    }
  }
}

describe("messages", () => {
  test("have the document as key, on the partition that Java's clients would choose", async () => {
    const topic = await makeTopic(kafka.brokers, { partitions: 5 });
    const events = eventsOf(40, 1);
    await withPublisher({ topic }, (publisher) => publisher.publish(events));
    const read = await readTopics(kafka.brokers, [topic]);
    expect(read).toHaveLength(40);
    for (const { key, partition, ...message } of read) {
      expect(key).toBe(eventOf({ key, partition, ...message }).document_id);
      expect(partition).toBe((murmur2(Buffer.from(key)) & 0x7fffffff) % 5);
    }
  });

  test("go to a topic for each family where two are named", async () => {
    const [document, ingestion] = [await makeTopic(kafka.brokers), await makeTopic(kafka.brokers)];
    const [uploaded] = eventsOf(1, 1);
    const deleted = {
      ...(uploaded as SluiceEvent),
      event_id: "evt_2",
      idempotency_key: "second",
      event_type: "rag.ingestion.cancelled",
      data: { job_id: "job_1", version: 1, reason: "requested" },
    } as SluiceEvent;
    await withPublisher({ topic: { document, ingestion } }, (publisher) =>
      publisher.publish([uploaded as SluiceEvent, deleted]),
    );
    const read = await readTopics(kafka.brokers, [document, ingestion]);
    expect(read.map(({ topic, headers }) => [topic, headers.ce_type]).sort()).toEqual(
      [
        [document, "rag.document.uploaded"],
        [ingestion, "rag.ingestion.cancelled"],
      ].sort(),
    );
  });

  test("keep their order when one publish doesn't wait for the one before", async () => {
    const topic = await makeTopic(kafka.brokers);
    const events = eventsOf(3, 40);
    await withPublisher({ topic }, (publisher) =>
      Promise.all(
        Array.from({ length: 12 }, (_, place) =>
          publisher.publish(events.slice(place * 10, place * 10 + 10)),
        ),
      ),
    );
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(read).toHaveLength(120);
    expect(idsByDocument(read)).toEqual(idsByDocument(events));
  });

  test("carry the source that is configured", async () => {
    const topic = await makeTopic(kafka.brokers);
    await withPublisher({ topic, source: "/eu" }, (publisher) => publisher.publish(eventsOf(1, 1)));
    expect((await readTopics(kafka.brokers, [topic])).map(({ headers }) => headers.ce_source)).toEqual([
      "/eu",
    ]);
  });
});

describe("while the broker comes and goes", () => {
  test("a kill -9 in the middle of a stream loses nothing and keeps each document's order", async () => {
    const topic = await makeTopic(kafka.brokers);
    const events = eventsOf(7, 60);
    await withPublisher({ topic, timeout_ms: 5_000 }, async (publisher) => {
      let restarted: Promise<void> | undefined;
      for (let place = 0; place < events.length; place += 12) {
        // Not awaited: it dies while the next ones are being sent.
        if (place === 120) restarted = kafka.kill().then(() => kafka.start());
        await insist(publisher, events.slice(place, place + 12));
      }
      await restarted;
    });
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(idsByDocument(read)).toEqual(idsByDocument(events));
  });

  test("an orderly restart in the middle of a stream, too", async () => {
    const topic = await makeTopic(kafka.brokers);
    const events = eventsOf(7, 60);
    await withPublisher({ topic, timeout_ms: 5_000 }, async (publisher) => {
      let restarted: Promise<void> | undefined;
      for (let place = 0; place < events.length; place += 12) {
        if (place === 120) restarted = kafka.halt().then(() => kafka.start());
        await insist(publisher, events.slice(place, place + 12));
      }
      await restarted;
    });
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(idsByDocument(read)).toEqual(idsByDocument(events));
  });

  test("a broker that hangs fails the publish in time, and the next one succeeds when it goes on", async () => {
    const topic = await makeTopic(kafka.brokers);
    const [before, during, after] = [eventsOf(3, 1), eventsOf(3, 1), eventsOf(3, 1)];
    await withPublisher({ topic, timeout_ms: 2_000 }, async (publisher) => {
      await publisher.publish(before);
      kafka.pause();
      try {
        const start = performance.now();
        await expect(publisher.publish(during)).rejects.toThrow(/not taken by brokers .* within 2000 ms/);
        expect(performance.now() - start).toBeLessThan(4_000);
      } finally {
        kafka.resume();
      }
      await insist(publisher, during);
      await insist(publisher, after);
    });
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(idsByDocument(read)).toEqual(idsByDocument([...before, ...during, ...after]));
  });

  test("a broker that is away fails the publish in time, with its address; the same publisher goes on after", async () => {
    const topic = await makeTopic(kafka.brokers);
    const events = eventsOf(2, 2);
    await kafka.kill();
    await withPublisher({ topic, timeout_ms: 1_500 }, async (publisher) => {
      const start = performance.now();
      const error = await publisher.publish(events).catch((error: unknown) => error);
      expect(performance.now() - start).toBeLessThan(3_000);
      expect(error).toBeInstanceOf(SluiceError);
      expect(error).toMatchObject({ retryable: true });
      expect((error as Error).message).toContain(kafka.brokers[0]);
      expect((error as Error).message).toContain("ECONNREFUSED");
      await kafka.start();
      await insist(publisher, events);
    });
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(idsByDocument(read)).toEqual(idsByDocument(events));
  });
});

describe("what can't be published", () => {
  test("a topic that is missing is named, in time; once it is there, the same publisher goes on", async () => {
    const topic = `test.${randomUUID()}`;
    await withPublisher({ topic, timeout_ms: 10_000 }, async (publisher) => {
      const start = performance.now();
      await expect(publisher.publish(eventsOf(1, 1))).rejects.toThrow(`topic ${topic} is missing`);
      expect(performance.now() - start).toBeLessThan(5_000);
      await makeTopic(kafka.brokers, { topic });
      await insist(publisher, eventsOf(1, 1));
    });
    expect(await readTopics(kafka.brokers, [topic])).toHaveLength(1);
  });

  test("an event that is too large is named with its document, and is not tried again by itself", async () => {
    const topic = await makeTopic(kafka.brokers, {
      partitions: 1,
      configs: { "max.message.bytes": "20000" },
    });
    const events = eventsOf(1, 4);
    const large = events[2] as SluiceEvent;
    (large.data as { filename: string }).filename = "x".repeat(30_000);
    await withPublisher({ topic }, async (publisher) => {
      const error = await publisher.publish(events).catch((error: unknown) => error);
      expect(error).toMatchObject({ retryable: false });
      expect((error as Error).message).toContain(`event ${large.event_id} of document ${large.document_id}`);
      expect((error as Error).message).toContain(topic);
    });
  });

  test("what waits behind a publish that fails is not published ahead of it", async () => {
    const topic = await makeTopic(kafka.brokers, {
      partitions: 1,
      configs: { "max.message.bytes": "20000" },
    });
    const [first, second] = eventsOf(1, 2) as [SluiceEvent, SluiceEvent];
    const { filename } = first.data as { filename: string };
    (first.data as { filename: string }).filename = "x".repeat(30_000);
    await withPublisher({ topic }, async (publisher) => {
      const results = await Promise.allSettled([publisher.publish([first]), publisher.publish([second])]);
      expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      (first.data as { filename: string }).filename = filename;
      await publisher.publish([first, second]);
    });
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(read.map(({ event_id }) => event_id)).toEqual([first.event_id, second.event_id]);
  });

  test("events that are too large only together go in parts", async () => {
    const topic = await makeTopic(kafka.brokers, {
      partitions: 1,
      configs: { "max.message.bytes": "20000" },
    });
    const events = eventsOf(3, 100);
    await withPublisher({ topic }, (publisher) => publisher.publish(events));
    const read = (await readTopics(kafka.brokers, [topic])).map(eventOf);
    expect(read.length).toBeGreaterThanOrEqual(events.length);
    expect(idsByDocument(read)).toEqual(idsByDocument(events));
  });

  test("a batch of the relay's size with long names goes through an ordinary topic", async () => {
    const topic = await makeTopic(kafka.brokers, { partitions: 1 });
    const events = eventsOf(4, 128);
    for (const event of events) (event.data as { filename: string }).filename = "x".repeat(8_000);
    await withPublisher({ topic }, (publisher) => publisher.publish(events));
    expect(await readTopics(kafka.brokers, [topic])).toHaveLength(events.length);
  });

  test("a closed publisher publishes nothing", async () => {
    const publisher = createKafkaPublisher({ brokers: kafka.brokers });
    await publisher.close();
    await expect(publisher.publish(eventsOf(1, 1))).rejects.toMatchObject({ code: "shutting_down" });
  });
});

describe("a login", () => {
  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)("by %s", async (mechanism) => {
    const topic = await makeTopic(kafka.brokers);
    const events = eventsOf(2, 2);
    const options = { topic, brokers: kafka.sasl_brokers, sasl: { mechanism, ...kafka.login } };
    await withPublisher(options, (publisher) => publisher.publish(events));
    expect(await readTopics(kafka.brokers, [topic])).toHaveLength(4);
    const wrong = { ...options, sasl: { ...options.sasl, password: "hush-hush" } };
    const error = await withPublisher(wrong, (publisher) => publisher.publish(events)).catch(
      (error) => error,
    );
    expect(error).toBeInstanceOf(SluiceError);
    expect(error.message).toMatch(/authentication/i);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hush-hush");
  });
});

/** Of Kafka's own clients: org.apache.kafka.common.utils.Utils.murmur2. */
function murmur2(data: Buffer): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const whole = data.length - (data.length % 4);
  for (let place = 0; place < whole; place += 4) {
    let k = Math.imul(data.readInt32LE(place), m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = data.length - whole;
  if (rest > 2) h ^= (data[whole + 2] as number) << 16;
  if (rest > 1) h ^= (data[whole + 1] as number) << 8;
  if (rest > 0) h = Math.imul(h ^ (data[whole] as number), m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
