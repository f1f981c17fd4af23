import { expect, test } from "vitest";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../../src/adapters/kafka/publisher.ts";

const brokers = ["127.0.0.1:9092"];
test.each<[string, Partial<KafkaPublisherOptions>, RegExp]>([
  ["no broker", { brokers: [] }, /at least one broker/],
  ["a broker without a port", { brokers: ["kafka"] }, /"kafka" is not host:port/],
  ["a broker as a URL", { brokers: ["kafka://a:9092"] }, /is not host:port/],
  ["an empty topic", { topic: "" }, /no name of a topic/],
  ["a topic with a space", { topic: { document: "a", ingestion: "b c" } }, /"b c" is no name of a topic/],
  ["an empty name", { name: "" }, /name must not be empty/],
  ["no time", { timeout_ms: 0 }, /timeout_ms/],
  [
    "an unknown mechanism",
    { sasl: { mechanism: "gssapi" as "plain", username: "a", password: "b" } },
    /sasl\.mechanism must be one of plain/,
  ],
])("%s is refused at once", (_, options, reason) => {
  expect(() => createKafkaPublisher({ brokers, ...options })).toThrow(reason);
});

test("a publisher is named kafka, connects to nothing before it publishes, and can be closed", async () => {
  const publisher = createKafkaPublisher({ brokers: ["[::1]:9092", "kafka-0.internal:9092"] });
  expect(publisher.name).toBe("kafka");
  await publisher.publish([]);
  await publisher.close();
  await publisher.close();
});
