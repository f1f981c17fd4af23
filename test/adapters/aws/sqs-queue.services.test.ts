/** The SQS job queue: jobs in a real PostgreSQL, messages in an emulator of SQS (fauxqs). */
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll } from "vitest";
import {
  contractEmbedder,
  describeJobQueue,
  type ManualClock,
  manualClock,
  type StorageGaps,
  type StorageHarness,
} from "../../../contracts/index.ts";
import { createSqsQueue } from "../../../src/adapters/aws/sqs-queue.ts";
import { openPostgresStorage } from "../../../src/adapters/postgres/storage.ts";
import { type AwsServer, startAws } from "../../services/aws.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";

let aws: AwsServer;
let postgres: PostgresServer;
let sqs: SQSClient;
let made = 0;
const log = { debug() {}, info() {}, warn() {}, error() {} };

beforeAll(async () => {
  [aws, postgres] = await Promise.all([startAws(), startPostgres({ fsync: "off" })]);
  sqs = new SQSClient({ ...aws.connection, useQueueUrlAsEndpoint: false });
});
afterAll(async () => {
  sqs.destroy();
  await Promise.all([aws.stop(), postgres.stop()]);
});

/** A storage whose queue is driven by hand: what is due is sent before each claim, and nobody waits for messages. */
function open(fifo: boolean): () => Promise<StorageHarness> {
  async function connect(schema: string, queue_url: string, clock: ManualClock): Promise<StorageHarness> {
    const storage = await openPostgresStorage({
      url: postgres.url,
      schema,
      system: clock.system,
      embedder: contractEmbedder,
      own_clock: true,
      pool_size: 6,
      vectors: false,
      broker: true,
    });
    const queue = createSqsQueue({
      ...aws.connection,
      queue_url,
      wait_seconds: 0,
      max_delay_seconds: 0,
      inner: storage.queue,
      dispatch: storage.dispatch,
      system: clock.system,
      log,
    });
    const close = async () => {
      await queue.close();
      await storage.close();
    };
    return {
      ...storage,
      queue: {
        ...queue,
        async claim(...given) {
          await queue.dispatchDue();
          return queue.claim(...given);
        },
      },
      system: clock.system,
      advance: clock.advance,
      reopen: async () => {
        await close();
        return connect(schema, queue_url, clock);
      },
      second: () => connect(schema, queue_url, clock),
      close,
    };
  }

  return async () => {
    made += 1;
    const name = `jobs-${made}`;
    const { QueueUrl = "" } = await sqs.send(
      new CreateQueueCommand({
        QueueName: fifo ? `${name}.fifo` : name,
        ...(fifo ? { Attributes: { FifoQueue: "true" } } : {}),
      }),
    );
    return connect(`test_${made}`, QueueUrl, manualClock());
  };
}

const gaps: StorageGaps = {
  turns: "SQS decides who is next; on AWS fair queues keep a tenant's backlog from delaying others",
  order: "a standard queue has none, and a FIFO queue one for each document",
  next_ready: "claim waits at SQS itself",
  embedder_change: "vectors are not what this is about",
};

describeJobQueue("SQS, standard queue (emulated), jobs in PostgreSQL", open(false), gaps);
describeJobQueue("SQS, FIFO queue (emulated), jobs in PostgreSQL", open(true), gaps);
