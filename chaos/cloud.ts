/** The cloud profile's services, and what goes wrong with them: PostgreSQL behind a proxy, S3 (Versity S3 Gateway), SQS (emulated), Kafka. */
import pg from "pg";
import type { SluiceEvent } from "../src/events.ts";
import { eventOf, makeTopic, readTopics } from "../test/adapters/kafka/topics.ts";
import { startAws } from "../test/services/aws.ts";
import { startKafka } from "../test/services/kafka.ts";
import { startPostgres } from "../test/services/postgres.ts";
import { startS3 } from "../test/services/s3.ts";
import { startToxiproxy } from "../test/services/toxiproxy.ts";
import type { Random } from "../test/simulation/random.ts";
import type { Ledger } from "./balance.ts";
import { openPostgresBooks } from "./books-postgres.ts";

export interface ServiceFault {
  name: string;
  /** How often it is chosen, against the others. */
  weight: number;
  /** Resolves when the service is well again. */
  run(random: Random): Promise<void>;
}

export interface Services {
  /** Settings for Sluice's processes. */
  env: Record<string, string>;
  faults: readonly ServiceFault[];
  openBooks(): Promise<Ledger>;
  /** Waits until everything of the log was handed to Kafka. @returns all that Kafka has, in its order */
  published(last_sequence: number, patience_ms: number): Promise<SluiceEvent[]>;
  stop(): Promise<void>;
}

const TOPIC = "sluice.events";

/** @param kafka_away_ms how long Kafka is frozen at a time */
export async function startServices({ kafka_away_ms }: { kafka_away_ms: number }): Promise<Services> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const service of started.reverse()) await service.stop();
  };
  const start = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const service = await starting;
    started.push(service);
    return service;
  };
  try {
    const postgres = await start(startPostgres({}, { vectors: true }));
    const proxy = await start(startToxiproxy(`127.0.0.1:${postgres.port}`));
    const aws = await start(startAws());
    const s3 = await start(startS3());
    const kafka = await start(startKafka());
    await makeTopic(kafka.brokers, { topic: TOPIC, partitions: 3 });
    const through = new URL(postgres.role_url);
    through.port = String(proxy.port);
    return {
      env: {
        ...aws.env,
        AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
        SLUICE_S3_BUCKET: await s3.bucket("files"),
        SLUICE_S3_ENDPOINT: s3.endpoint,
        SLUICE_PROFILE: "cloud",
        SLUICE_POSTGRES_URL: through.href,
        SLUICE_SQS_WAIT_SECONDS: "2",
        SLUICE_KAFKA_BROKERS: kafka.brokers.join(","),
        SLUICE_KAFKA_TOPIC: TOPIC,
      },
      faults: [
        {
          name: "PostgreSQL restarted",
          weight: 2,
          run: (random) => postgres.restart(random.chance(0.5) ? "fast" : "immediate"),
        },
        { name: "connections cut", weight: 4, run: (random) => proxy.cut(50 + random.below(500)) },
        {
          name: "answers swallowed",
          weight: 4,
          run: (random) => proxy.swallowAnswers(50 + random.below(500)),
        },
        { name: "S3 killed", weight: 2, run: () => s3.restart() },
        { name: "S3 frozen", weight: 1, run: (random) => whileFrozen(s3, 500 + random.below(4_000)) },
        // The emulator keeps its messages in memory: killed, it would lose what SQS does not lose.
        { name: "SQS frozen", weight: 2, run: (random) => whileFrozen(aws, 500 + random.below(4_000)) },
        { name: "Kafka frozen", weight: 1, run: () => whileFrozen(kafka, kafka_away_ms) },
        {
          name: "Kafka killed",
          weight: 1,
          async run() {
            await kafka.kill();
            await kafka.start();
          },
        },
      ],
      openBooks: () => openPostgresBooks(postgres.url),
      async published(last_sequence, patience_ms) {
        await untilRelayed(postgres.url, last_sequence, patience_ms);
        return (await readTopics(kafka.brokers, [TOPIC])).map(eventOf);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function whileFrozen(service: { pause(): void; resume(): void }, ms: number): Promise<void> {
  service.pause();
  await pause(ms);
  service.resume();
}

async function untilRelayed(url: string, last_sequence: number, patience_ms: number): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (const until = Date.now() + patience_ms; ; ) {
      const { rows } = await client.query(
        "SELECT sequence FROM sluice.cursors WHERE name = 'publisher:kafka'",
      );
      const relayed = Number(rows[0]?.sequence ?? 0);
      if (relayed >= last_sequence) return;
      if (Date.now() > until) throw new Error(`Kafka was handed events up to ${relayed} of ${last_sequence}`);
      await pause(200);
    }
  } finally {
    await client.end();
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
