/** What `sluice doctor` asks Kafka, changing nothing there. */
import { Admin, ConfigResourceTypes, Producer } from "@platformatic/kafka";
import type { ServiceCheck } from "../../ports/service-check.ts";
import { type KafkaConnectionOptions, toClientOptions } from "./connection.ts";
import { describeFailure, isLoginRefused, isTopicMissing } from "./failure.ts";
import { DEFAULT_TOPIC, type KafkaTopics, topicsOf } from "./publisher.ts";

export interface KafkaCheckOptions extends KafkaConnectionOptions {
  /** As the publisher's. */
  topic?: KafkaTopics;
}

const name = "kafka";
const CHECK_MS = 5_000;

/** Whether brokers answer, this login may write, and each topic is there and survives the loss of a broker. */
export async function* checkKafka(options: KafkaCheckOptions): AsyncGenerator<ServiceCheck, void, void> {
  const connection = {
    ...toClientOptions(options),
    connectTimeout: CHECK_MS,
    requestTimeout: CHECK_MS,
    timeout: CHECK_MS,
    retries: 1,
    retryDelay: 200,
  };
  const admin = new Admin(connection);
  try {
    const { brokers } = await admin.metadata({ topics: [] });
    yield {
      name,
      ok: true,
      message: `${brokers.size} broker${brokers.size === 1 ? "" : "s"} at ${options.brokers}`,
    };
    yield await checkLogin(connection);
    for (const topic of topicsOf(options.topic ?? DEFAULT_TOPIC)) yield await checkTopic(admin, topic);
  } catch (error) {
    yield {
      name,
      ok: false,
      message: `${options.brokers} can't be asked: ${describeFailure(error)}`,
      fix: isLoginRefused(error)
        ? "Check SLUICE_KAFKA_SASL_MECHANISM, …_USERNAME and …_PASSWORD."
        : "Check SLUICE_KAFKA_BROKERS, SLUICE_KAFKA_TLS, and that this machine reaches the addresses that the brokers advertise.",
    };
  } finally {
    await admin.close();
  }
}

/** An idempotent producer's id is given only to who may write. */
async function checkLogin(connection: ConstructorParameters<typeof Producer>[0]): Promise<ServiceCheck> {
  const producer = new Producer({ ...connection, idempotent: true });
  try {
    await producer.initIdempotentProducer({});
    return { name, ok: true, message: "this login may write" };
  } catch (error) {
    return {
      name,
      ok: false,
      message: `an idempotent producer is refused: ${describeFailure(error)}`,
      fix: "Give the login the right WRITE on the topics.",
    };
  } finally {
    await producer.close();
  }
}

async function checkTopic(admin: Admin, topic: string): Promise<ServiceCheck> {
  let partitions: { replicas: number[] }[];
  try {
    partitions =
      (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic)?.partitions ?? [];
  } catch (error) {
    const missing = isTopicMissing(error);
    return {
      name,
      ok: false,
      message: missing ? `topic ${topic} is missing` : `topic ${topic}: ${describeFailure(error)}`,
      fix: missing
        ? `kafka-topics.sh --bootstrap-server … --create --topic ${topic} --partitions 6 --replication-factor 3 --config min.insync.replicas=2`
        : `Give the login the rights DESCRIBE and WRITE on topic ${topic}.`,
    };
  }
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  const has = `topic ${topic}: ${partitions.length} partition${partitions.length === 1 ? "" : "s"}, ${replicas} replica${replicas === 1 ? "" : "s"}`;
  const in_sync = await minInSync(admin, topic);
  if (typeof in_sync === "string") {
    return {
      name,
      ok: true,
      message: `${has}; its settings can't be read (${in_sync})`,
      fix: `Give the login the right DESCRIBE_CONFIGS on topic ${topic}, so that its durability can be checked.`,
    };
  }
  const message = `${has}, min.insync.replicas ${in_sync}`;
  if (in_sync > replicas) {
    return {
      name,
      ok: false,
      message: `${message}: no write can succeed`,
      fix: `Set min.insync.replicas of ${topic} to at most ${replicas}, or give it more replicas.`,
    };
  }
  if (replicas === 1 || in_sync === 1) {
    return {
      name,
      ok: true,
      message: `${message}: what one broker alone has acknowledged is lost with it`,
      fix: "Better, with three brokers or more: 3 replicas and min.insync.replicas 2.",
    };
  }
  if (in_sync === replicas) {
    return {
      name,
      ok: true,
      message: `${message}: no event goes out while any of its brokers is down`,
      fix: `Better: min.insync.replicas ${replicas - 1}.`,
    };
  }
  return { name, ok: true, message };
}

/** Or why it can't be known. */
async function minInSync(admin: Admin, topic: string): Promise<number | string> {
  try {
    const [found] = await admin.describeConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configurationKeys: ["min.insync.replicas"],
        },
      ],
    });
    return Number(found?.configs.find((config) => config.name === "min.insync.replicas")?.value ?? 1);
  } catch (error) {
    return describeFailure(error);
  }
}
