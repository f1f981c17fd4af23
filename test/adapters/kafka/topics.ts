/** What tests of Kafka share: making topics, and reading all that a topic holds. */
import { randomUUID } from "node:crypto";
import { Admin, Consumer, MessagesStreamModes } from "@platformatic/kafka";
import { decodeEvent, type EncodedEvent } from "../../../src/cloudevents.ts";
import type { SluiceEvent } from "../../../src/events.ts";

export interface ReadMessage extends EncodedEvent {
  topic: string;
  partition: number;
  offset: bigint;
  key: string;
}

/** Makes a topic, by default of a name that no other test has. */
export async function makeTopic(
  brokers: string[],
  {
    topic = `test.${randomUUID()}`,
    partitions = 3,
    configs = {},
  }: { topic?: string; partitions?: number; configs?: Record<string, string> } = {},
): Promise<string> {
  const admin = new Admin({ clientId: "test", bootstrapBrokers: brokers });
  try {
    await admin.createTopics({
      topics: [topic],
      partitions,
      replicas: 1,
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    });
    return topic;
  } finally {
    await admin.close();
  }
}

/** Everything that the topics hold now, in order within each partition. */
export async function readTopics(brokers: string[], topics: string[]): Promise<ReadMessage[]> {
  const consumer = new Consumer<string, string, string, string>({
    clientId: "test",
    groupId: `reader-${randomUUID()}`,
    bootstrapBrokers: brokers,
    deserializers: textDeserializers,
    maxWaitTime: 100,
  });
  try {
    const ends = await consumer.listOffsets({ topics });
    const starts = await consumer.listOffsets({ topics, timestamp: -2n });
    const left = new Map<string, bigint>();
    for (const [topic, partitions] of ends) {
      partitions.forEach((end, partition) => {
        if (end > (starts.get(topic)?.[partition] ?? 0n)) left.set(`${topic}:${partition}`, end);
      });
    }
    const read: ReadMessage[] = [];
    if (left.size === 0) return read;
    const stream = await consumer.consume({ topics, mode: MessagesStreamModes.EARLIEST, autocommit: false });
    for await (const { topic, partition, offset, key, value, headers } of stream) {
      read.push({ topic, partition, offset, key, body: value, headers: Object.fromEntries(headers) });
      const place = `${topic}:${partition}`;
      if (offset + 1n >= (left.get(place) ?? 0n)) left.delete(place);
      if (left.size === 0) break;
    }
    return read;
  } finally {
    await consumer.close(true);
  }
}

export const eventOf = (message: ReadMessage): SluiceEvent => decodeEvent(message, "kafka");

const text = (data?: Buffer) => data?.toString("utf8") ?? "";
const textDeserializers = { key: text, value: text, headerKey: text, headerValue: text };
