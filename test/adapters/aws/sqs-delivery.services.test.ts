/** What happens to jobs when messages are lost, doubled, late or given up on. PostgreSQL, and SQS emulated (fauxqs). */
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { contractEmbedder, newJob } from "../../../contracts/index.ts";
import { checkSqsQueue } from "../../../src/adapters/aws/messaging-check.ts";
import { createSqsQueue, type SqsQueue, type SqsQueueOptions } from "../../../src/adapters/aws/sqs-queue.ts";
import { createSystem } from "../../../src/adapters/node/system.ts";
import { openPostgresStorage, type PostgresStorage } from "../../../src/adapters/postgres/storage.ts";
import type { ServiceCheck } from "../../../src/ports/service-check.ts";
import { type AwsServer, startAws } from "../../services/aws.ts";
import { type PostgresServer, startPostgres } from "../../services/postgres.ts";

const system = createSystem();
const LEASE_MS = 2_000;
let aws: AwsServer;
let postgres: PostgresServer;
let sqs: SQSClient;
let made = 0;
const lines: string[] = [];
const say = (...given: unknown[]) => void lines.push(String(given.at(-1)));
const log = { debug() {}, info: say, warn: say, error: say };

beforeAll(async () => {
  [aws, postgres] = await Promise.all([startAws(), startPostgres({ fsync: "off" })]);
  sqs = new SQSClient({ ...aws.connection, useQueueUrlAsEndpoint: false });
});
afterAll(async () => {
  sqs.destroy();
  await Promise.all([aws.stop(), postgres.stop()]);
});

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const part of opened.splice(0).reverse()) await part.close();
  lines.length = 0;
});

async function makeQueue(attributes: Record<string, string> = {}) {
  made += 1;
  const { QueueUrl = "" } = await sqs.send(
    new CreateQueueCommand({ QueueName: `delivery-${made}`, Attributes: attributes }),
  );
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  return { url: QueueUrl, arn: Attributes?.QueueArn ?? "" };
}

async function open(options: Partial<SqsQueueOptions> & { queue_url: string }) {
  made += 1;
  const storage = await openPostgresStorage({
    url: postgres.url,
    schema: `delivery_${made}`,
    system,
    embedder: contractEmbedder,
    vectors: false,
    broker: true,
    pool_size: 4,
  });
  opened.push(storage);
  return { storage, queue: join(storage, options) };
}

/** Another process's queue over the same jobs. */
function join(storage: PostgresStorage, options: Partial<SqsQueueOptions> & { queue_url: string }): SqsQueue {
  const queue = createSqsQueue({
    ...aws.connection,
    wait_seconds: 1,
    inner: storage.queue,
    dispatch: storage.dispatch,
    system,
    log,
    ...options,
  });
  opened.push(queue);
  queue.start();
  return queue;
}

const counts = async (QueueUrl: string) => {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
  );
  return {
    waiting: Number(Attributes.ApproximateNumberOfMessages),
    hidden: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
    delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
  };
};

const nothing = { waiting: 0, hidden: 0, delayed: 0 };
const poll = (look: () => unknown) => expect.poll(look, { timeout: 20_000, interval: 50 });

async function claimOne(queue: SqsQueue, worker_id = "wrk_a") {
  for (;;) {
    const [claimed] = await queue.claim(worker_id, 1, LEASE_MS);
    if (claimed) return claimed;
  }
}

const presence = { worker_id: "wrk_a", pid: 1, host: "here", started_at: new Date().toISOString() };

describe("the usual way", () => {
  test("a job comes by message, which is hidden while it runs and gone when it is over", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    const job = newJob(system);
    await storage.queue.enqueue([job]);
    const claimed = await claimOne(queue);
    expect(claimed.job_id).toBe(job.job_id);
    expect(await counts(url)).toEqual({ ...nothing, hidden: 1 });
    await queue.complete(claimed);
    await queue.release?.(claimed);
    await poll(() => counts(url)).toEqual(nothing);
  });

  test("a message says which job, and nothing of what is in it", async () => {
    const { url } = await makeQueue();
    const { storage } = await open({ queue_url: url });
    const job = newJob(system, { payload: { document_id: "doc_secret", text: "x".repeat(300_000) } });
    await storage.queue.enqueue([job]);
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 5 }),
    );
    expect(JSON.parse(Messages[0]?.Body ?? "")).toEqual({
      v: 1,
      job_id: job.job_id,
      tenant_id: job.tenant_id,
    });
  });

  test("500 jobs, three processes: each is run once, and no message is left", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    const queues = [queue, join(storage, { queue_url: url }), join(storage, { queue_url: url })];
    await storage.queue.enqueue(Array.from({ length: 500 }, () => newJob(system)));
    const run: string[] = [];
    await Promise.all(
      queues.map(async (each, place) => {
        while (run.length < 500) {
          const claimed = await each.claim(`wrk_${place}`, 10, 60_000);
          run.push(...claimed.map(({ job_id }) => job_id));
          for (const one of claimed) {
            await each.complete(one);
            await each.release?.(one);
          }
        }
      }),
    );
    expect(new Set(run).size).toBe(500);
    expect(run.length).toBe(500);
    await poll(() => counts(url)).toEqual(nothing);
  }, 60_000);

  test("a job whose tenant has enough running is looked at again, and taken when there is room", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    await storage.queue.enqueue([newJob(system), newJob(system)]);
    const most = { max_running_per_tenant: 1 };
    const first = await claimOne(queue);
    await poll(() => counts(url)).toMatchObject({ hidden: 1 });
    expect(await queue.claim("wrk_a", 1, 60_000, most)).toEqual([]);
    await queue.complete(first);
    await poll(async () => (await queue.claim("wrk_a", 1, 60_000, most)).length).toBe(1);
  });
});

describe("delays", () => {
  test("up to 15 minutes ahead the message waits in SQS, longer ones in the database", async () => {
    const { url } = await makeQueue();
    const { storage } = await open({ queue_url: url });
    await storage.queue.enqueue([
      newJob(system, { delay_seconds: 600 }),
      newJob(system, { delay_seconds: 3_600 }),
    ]);
    await poll(() => counts(url)).toEqual({ ...nothing, delayed: 1 });
    const next = await storage.dispatch.nextDispatchAt(900_000);
    expect((next ?? 0) - system.now()).toBeGreaterThan(2_600_000);
    expect((next ?? 0) - system.now()).toBeLessThanOrEqual(2_700_000);
  });

  test("a delayed job comes when its time has come, also where its message came too early", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    const job = newJob(system, { delay_seconds: 2 });
    const due = system.now() + 2_000;
    await storage.queue.enqueue([job]);
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: url,
        MessageBody: JSON.stringify({ v: 1, job_id: job.job_id, tenant_id: job.tenant_id }),
      }),
    );
    expect((await claimOne(queue)).job_id).toBe(job.job_id);
    expect(system.now()).toBeGreaterThanOrEqual(due - 50);
  });
});

describe("what goes wrong", () => {
  test("messages that are lost are sent again", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url, again_ms: 500 });
    const job = newJob(system);
    await storage.queue.enqueue([job]);
    await poll(() => counts(url)).toMatchObject({ waiting: 1 });
    await sqs.send(new PurgeQueueCommand({ QueueUrl: url }));
    expect((await claimOne(queue)).job_id).toBe(job.job_id);
  });

  test("a message that comes twice, or after its job has ended, runs nothing and is deleted", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    const job = newJob(system);
    await storage.queue.enqueue([job]);
    const claimed = await claimOne(queue);
    const again = () =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: JSON.stringify({ v: 1, job_id: job.job_id, tenant_id: job.tenant_id }),
        }),
      );
    await again();
    await again();
    expect(await queue.claim("wrk_b", 5, LEASE_MS)).toEqual([]);
    await queue.complete(claimed);
    await queue.release?.(claimed);
    await again();
    expect(await queue.claim("wrk_b", 5, LEASE_MS)).toEqual([]);
    await poll(() => counts(url)).toEqual(nothing);
    expect((await queue.get(job.job_id))?.attempts).toBe(1);
  });

  test("a message that names no job is left to the redrive policy", async () => {
    const dead = await makeQueue();
    const { url } = await makeQueue({
      VisibilityTimeout: "1",
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 2 }),
    });
    const { queue } = await open({ queue_url: url, wait_seconds: 0 });
    for (const MessageBody of ["not json", '{"v":2,"job_id":"job_x"}', "[]", "null"]) {
      await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
    }
    await poll(async () => {
      expect(await queue.claim("wrk_a", 10, 1_000)).toEqual([]);
      return (await counts(dead.url)).waiting;
    }).toBe(4);
  });

  test("a long run keeps its message hidden, as long as it beats", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    await storage.queue.enqueue([newJob(system)]);
    const claimed = await claimOne(queue);
    const end = system.now() + 3 * LEASE_MS;
    while (system.now() < end) {
      expect(await queue.heartbeat(presence, [claimed], LEASE_MS)).toEqual([]);
      expect(await counts(url)).toEqual({ ...nothing, hidden: 1 });
      await system.sleep(LEASE_MS / 4);
    }
  });

  test("a worker that dies: its message comes again, means nothing, and its job goes on by its lease", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    const job = newJob(system);
    await storage.queue.enqueue([job]);
    const lost = await claimOne(queue, "wrk_dead");
    await poll(async () => (await queue.expired(5)).map(({ job_id }) => job_id)).toEqual([job.job_id]);
    await queue.retry(lost, null, system.now());
    const again = await claimOne(queue, "wrk_b");
    expect([again.job_id, again.job.attempts]).toEqual([job.job_id, 2]);
  });

  test("what the redrive policy gave up on is handed out as a lost attempt, and leaves the dead letters", async () => {
    const dead = await makeQueue();
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url, dead_letter_queue_url: dead.url });
    const job = newJob(system, { delay_seconds: 0 });
    await storage.queue.enqueue([job]);
    await poll(() => counts(url)).toMatchObject({ waiting: 1 });
    // As if it had been received too often: in one queue no more, in the other.
    await sqs.send(new PurgeQueueCommand({ QueueUrl: url }));
    for (const MessageBody of [
      JSON.stringify({ v: 1, job_id: job.job_id, tenant_id: job.tenant_id }),
      "somebody else's",
    ]) {
      await sqs.send(new SendMessageCommand({ QueueUrl: dead.url, MessageBody }));
    }
    await poll(async () => (await queue.expired(5)).map(({ job_id, job }) => [job_id, job.attempts])).toEqual(
      [[job.job_id, 1]],
    );
    await poll(() => counts(dead.url)).toEqual({ ...nothing, hidden: 1 });
    expect(lines.join()).toContain("dead letters that name no job");
  });

  test("SQS away: jobs are kept and leases renewed; back again, it goes on by itself", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    await storage.queue.enqueue([newJob(system)]);
    const running = await claimOne(queue);
    aws.pause();
    const later = newJob(system);
    try {
      await storage.queue.enqueue([later]);
      const began = system.monotonic();
      while (system.monotonic() - began < 2 * LEASE_MS) {
        expect(await queue.heartbeat(presence, [running], LEASE_MS)).toEqual([]);
        await system.sleep(LEASE_MS / 4);
      }
    } finally {
      aws.resume();
    }
    await queue.complete(running);
    await queue.release?.(running);
    await poll(async () =>
      (await queue.claim("wrk_a", 1, LEASE_MS).catch(() => [])).map(({ job_id }) => job_id),
    ).toEqual([later.job_id]);
  }, 90_000);

  test("the database away: messages go back, and nothing is lost", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url });
    const broken = join(storage, {
      queue_url: url,
      dispatch: { ...storage.dispatch, claimJobs: () => Promise.reject(new Error("the database is away")) },
    });
    const job = newJob(system);
    await storage.queue.enqueue([job]);
    await poll(() => broken.claim("wrk_a", 1, 60_000).catch((error) => error.message)).toBe(
      "the database is away",
    );
    // Not after the 60 seconds that the message was hidden for.
    expect((await claimOne(queue)).job_id).toBe(job.job_id);
  });

  test("a stop in the middle of a long poll ends it at once, and what it brings goes back", async () => {
    const { url } = await makeQueue();
    const { storage, queue } = await open({ queue_url: url, wait_seconds: 5 });
    const stop = new AbortController();
    const began = system.monotonic();
    const waiting = queue.claim("wrk_a", 1, 60_000, { signal: stop.signal });
    stop.abort();
    expect(await waiting).toEqual([]);
    expect(system.monotonic() - began).toBeLessThan(4_000);
    const job = newJob(system);
    await storage.queue.enqueue([job]);
    expect((await claimOne(queue, "wrk_b")).job_id).toBe(job.job_id);
  });
});

describe("doctor", () => {
  const ask = async (options: Omit<Parameters<typeof checkSqsQueue>[0], "region" | "max_attempts">) => {
    const found: ServiceCheck[] = [];
    for await (const check of checkSqsQueue({ ...aws.connection, max_attempts: 5, ...options }))
      found.push(check);
    return found.map(({ ok, message, fix }) => [ok, message, ...(fix ? [fix] : [])]);
  };
  const has = (part: string) => expect.stringContaining(part);

  test("a queue without a redrive policy, one that gives up soon, one that is as it should be", async () => {
    const dead = await makeQueue({ MessageRetentionPeriod: "1209600" });
    const redrive = (maxReceiveCount: number) => ({
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount }),
    });
    expect(await ask({ queue_url: (await makeQueue()).url })).toEqual([
      [true, has("standard")],
      [true, has("no redrive policy"), has("maxReceiveCount 15")],
    ]);
    expect(await ask({ queue_url: (await makeQueue(redrive(3))).url })).toEqual([
      [true, has("standard")],
      [true, has("gives up after 3"), has("15")],
      [true, has("nobody looks"), has("SLUICE_SQS_DEAD_LETTER_QUEUE_URL")],
    ]);
    const { url } = await makeQueue(redrive(50));
    expect(await ask({ queue_url: url, dead_letter_queue_url: dead.url })).toEqual([
      [true, has("standard")],
      [true, has("after 50 receives")],
      [true, has("standard")],
    ]);
    const other = await makeQueue({ MessageRetentionPeriod: "86400" });
    expect(await ask({ queue_url: url, dead_letter_queue_url: other.url })).toEqual([
      [true, has("standard")],
      [true, has("after 50 receives")],
      [false, has("names"), has("same queue")],
      [true, has("standard")],
      [true, has("kept for 1 days"), has("14 days")],
    ]);
  });

  test("no queue, nobody there", async () => {
    expect(await ask({ queue_url: "http://127.0.0.1/000000000000/none" })).toEqual([
      [false, has("QueueDoesNotExist"), has("SLUICE_SQS_QUEUE_URL")],
    ]);
    expect(await ask({ endpoint: "http://127.0.0.1:9", queue_url: "http://127.0.0.1:9/0/none" })).toEqual([
      [false, has("ECONNREFUSED"), has("endpoint")],
    ]);
  });
});
