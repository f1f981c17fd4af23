import { afterAll, beforeAll, expect, test } from "vitest";
import { checkKafka, type KafkaCheckOptions } from "../../../src/adapters/kafka/check.ts";
import type { ServiceCheck } from "../../../src/ports/service-check.ts";
import { type KafkaBroker, startKafka } from "../../services/kafka.ts";
import { makeTopic } from "./topics.ts";

let kafka: KafkaBroker;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.stop());
async function check(options: Partial<KafkaCheckOptions>): Promise<ServiceCheck[]> {
  const results: ServiceCheck[] = [];
  for await (const result of checkKafka({ brokers: kafka.brokers, ...options })) results.push(result);
  return results;
}

test("says how many brokers and partitions there are, and that one replica is little", async () => {
  const topic = await makeTopic(kafka.brokers);
  expect(await check({ topic })).toEqual([
    { name: "kafka", ok: true, message: `1 broker at ${kafka.brokers}` },
    { name: "kafka", ok: true, message: "this login may write" },
    {
      name: "kafka",
      ok: true,
      message: `topic ${topic}: 3 partitions, 1 replica, min.insync.replicas 1: what one broker alone has acknowledged is lost with it`,
      fix: expect.stringContaining("min.insync.replicas 2"),
    },
  ]);
});

test("names the topics that are missing, with the command that makes them", async () => {
  const document = await makeTopic(kafka.brokers);
  const results = await check({ topic: { document, ingestion: "nowhere" } });
  expect(results.filter(({ ok }) => !ok)).toEqual([
    {
      name: "kafka",
      ok: false,
      message: "topic nowhere is missing",
      fix: expect.stringContaining("--create --topic nowhere"),
    },
  ]);
});

test("a topic that wants more replicas in sync than it has can't be written to", async () => {
  const topic = await makeTopic(kafka.brokers, { configs: { "min.insync.replicas": "2" } });
  expect((await check({ topic })).at(-1)).toMatchObject({
    ok: false,
    message: expect.stringContaining("no write can succeed"),
  });
});

test("brokers that aren't there, and logins that aren't known, are told apart", async () => {
  const [away] = await check({ brokers: ["127.0.0.1:1"] });
  expect(away).toMatchObject({ ok: false, fix: expect.stringContaining("SLUICE_KAFKA_BROKERS") });
  const sasl = { mechanism: "scram-sha-256", username: "sluice", password: "hush-hush" } as const;
  const [wrong] = await check({ brokers: kafka.sasl_brokers, sasl });
  expect(wrong).toMatchObject({ ok: false, fix: expect.stringContaining("SLUICE_KAFKA_SASL_MECHANISM") });
  expect(JSON.stringify(wrong)).not.toContain("hush-hush");
});
