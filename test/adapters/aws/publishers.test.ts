/** The SQS and SNS event publishers over an emulator (fauxqs). */
import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeEventPublisher, manualClock, newDocument, uploadedEvent } from "../../../contracts/index.ts";
import { checkSns, checkSqsEvents } from "../../../src/adapters/aws/messaging-check.ts";
import { createSnsPublisher } from "../../../src/adapters/aws/sns-publisher.ts";
import { createSqsPublisher } from "../../../src/adapters/aws/sqs-publisher.ts";
import { fromCloudEvent } from "../../../src/cloudevents.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import { type AwsServer, startAws } from "../../services/aws.ts";

let aws: AwsServer;
let sqs: SQSClient;
let sns: SNSClient;
let made = 0;

beforeAll(async () => {
  aws = await startAws();
  sqs = new SQSClient({ ...aws.connection, useQueueUrlAsEndpoint: false });
  sns = new SNSClient(aws.connection);
});
afterAll(async () => {
  sqs.destroy();
  sns.destroy();
  await aws.stop();
});

interface Received {
  body: string;
  attributes: Record<string, string>;
}

async function makeQueue(fifo: boolean): Promise<{ url: string; arn: string; read(): Promise<Received[]> }> {
  made += 1;
  const { QueueUrl: url = "" } = await sqs.send(
    new CreateQueueCommand({
      QueueName: `events-${made}${fifo ? ".fifo" : ""}`,
      ...(fifo ? { Attributes: { FifoQueue: "true" } } : {}),
    }),
  );
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }),
  );
  const read: Received[] = [];
  return {
    url,
    arn: Attributes?.QueueArn ?? "",
    async read() {
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: url,
            MaxNumberOfMessages: 10,
            MessageAttributeNames: ["All"],
          }),
        );
        if (Messages.length === 0) return read;
        for (const { Body = "", MessageAttributes = {} } of Messages) {
          const attributes = Object.fromEntries(
            Object.entries(MessageAttributes).map(([key, { StringValue = "" }]) => [key, StringValue]),
          );
          read.push({ body: Body, attributes });
        }
        // A FIFO queue gives a group's next ones only when these are gone.
        await sqs.send(
          new DeleteMessageBatchCommand({
            QueueUrl: url,
            Entries: Messages.map(({ ReceiptHandle }, place) => ({ Id: String(place), ReceiptHandle })),
          }),
        );
      }
    },
  };
}

async function makeTopic(fifo: boolean, queue_arn: string): Promise<string> {
  made += 1;
  const { TopicArn = "" } = await sns.send(
    new CreateTopicCommand({
      Name: `events-${made}${fifo ? ".fifo" : ""}`,
      ...(fifo ? { Attributes: { FifoTopic: "true" } } : {}),
    }),
  );
  await sns.send(
    new SubscribeCommand({
      TopicArn,
      Protocol: "sqs",
      Endpoint: queue_arn,
      Attributes: { RawMessageDelivery: "true" },
    }),
  );
  return TopicArn;
}

const eventIn = ({ body }: Received): SluiceEvent => fromCloudEvent(JSON.parse(body));

for (const kind of ["FIFO", "standard"] as const) {
  const fifo = kind === "FIFO";
  describeEventPublisher(`SQS, ${kind} queue (emulated)`, async () => {
    const queue = await makeQueue(fifo);
    const create = () => createSqsPublisher({ ...aws.connection, queue_url: queue.url });
    const publisher = create();
    return {
      publisher,
      received: async () => (await queue.read()).map(eventIn),
      restart: async () => create(),
      close: () => publisher.close(),
    };
  });

  describeEventPublisher(`SNS, ${kind} topic (emulated)`, async () => {
    const queue = await makeQueue(fifo);
    const topic_arn = await makeTopic(fifo, queue.arn);
    const create = () => createSnsPublisher({ ...aws.connection, topic_arn });
    const publisher = create();
    return {
      publisher,
      received: async () => (await queue.read()).map(eventIn),
      restart: async () => create(),
      close: () => publisher.close(),
    };
  });
}

const { system } = manualClock();
function eventsOf(count: number): SluiceEvent[] {
  const record = newDocument(system);
  return Array.from({ length: count }, (_, place) => ({
    ...uploadedEvent(system, record),
    sequence: place + 1,
  }));
}

describe("what receivers get", () => {
  test("a CloudEvent, and attributes to filter by", async () => {
    const queue = await makeQueue(false);
    const publisher = createSqsPublisher({ ...aws.connection, queue_url: queue.url, source: "/here" });
    const [event] = eventsOf(1) as [SluiceEvent];
    await publisher.publish([event]);
    const [message] = (await queue.read()) as [Received];
    expect(JSON.parse(message.body)).toMatchObject({
      specversion: "1.0",
      id: event.event_id,
      source: "/here",
      type: event.event_type,
      subject: event.document_id,
      idempotencykey: event.idempotency_key,
    });
    expect(message.attributes).toEqual({
      type: event.event_type,
      tenantid: event.tenant_id,
      collection: event.collection,
    });
    expect(eventIn(message)).toEqual(event);
    await publisher.close();
  });

  test("a FIFO queue drops what is published again within five minutes", async () => {
    const queue = await makeQueue(true);
    const publisher = createSqsPublisher({ ...aws.connection, queue_url: queue.url });
    const events = eventsOf(3);
    await publisher.publish(events);
    await publisher.publish(events);
    expect((await queue.read()).map(eventIn).map(({ event_id }) => event_id)).toEqual(
      events.map(({ event_id }) => event_id),
    );
    await publisher.close();
  });

  test("200 documents' events go together, larger ones in more batches", async () => {
    const queue = await makeQueue(true);
    const publisher = createSqsPublisher({ ...aws.connection, queue_url: queue.url });
    const events = Array.from({ length: 200 }, () => eventsOf(2)).flat();
    for (const event of events.slice(0, 40))
      (event.data as { filename: string }).filename = "x".repeat(50_000);
    await publisher.publish(events);
    expect((await queue.read()).length).toBe(400);
    await publisher.close();
  });
});

describe("what can't be published", () => {
  test("no such queue, no such topic, nobody there: an error that names it and is tried again", async () => {
    const nowhere = { ...aws.connection, endpoint: "http://127.0.0.1:9" };
    const queue_url = "http://127.0.0.1:9/000000000000/none";
    const topic_arn = "arn:aws:sns:us-east-1:000000000000:none";
    for (const [publisher, said] of [
      [createSqsPublisher({ ...aws.connection, queue_url }), /none did not take events: .*QueueDoesNotExist/],
      [createSnsPublisher({ ...aws.connection, topic_arn }), /none did not take events: .*NotFound/],
      [createSqsPublisher({ ...nowhere, queue_url }), /none did not take events: .*ECONNREFUSED/],
      [createSnsPublisher({ ...nowhere, topic_arn }), /none did not take events: .*ECONNREFUSED/],
    ] as const) {
      const published = publisher.publish(eventsOf(1));
      await expect(published).rejects.toThrow(said);
      await expect(published).rejects.toMatchObject({ code: "internal", retryable: true });
      await publisher.close();
    }
  });

  test("a service that answers nobody is not waited for longer than the relay leads", async () => {
    const queue = await makeQueue(false);
    const publisher = createSqsPublisher({ ...aws.connection, queue_url: queue.url });
    const [first, second] = [eventsOf(1), eventsOf(1)];
    await publisher.publish(first);
    aws.pause();
    try {
      await expect(publisher.publish(second)).rejects.toThrow(/no answer within 7000 ms/);
    } finally {
      aws.resume();
    }
    await publisher.publish(second);
    await publisher.close();
  });
});

test("doctor: queue and topic, there or not", async () => {
  const queue = await makeQueue(false);
  const topic_arn = await makeTopic(false, queue.arn);
  const all = async (checks: AsyncIterable<{ ok: boolean; message: string; fix?: string }>) => {
    const found = [];
    for await (const { ok, message, fix } of checks) found.push([ok, message, fix]);
    return found;
  };
  expect(await all(checkSqsEvents({ ...aws.connection, queue_url: queue.url }))).toEqual([
    [true, expect.stringContaining("standard"), undefined],
    [true, expect.stringContaining("out of order"), expect.stringContaining("FIFO")],
  ]);
  expect(await all(checkSqsEvents({ ...aws.connection, queue_url: `${queue.url}-none` }))).toEqual([
    [
      false,
      expect.stringContaining("QueueDoesNotExist"),
      expect.stringContaining("SLUICE_SQS_EVENTS_QUEUE_URL"),
    ],
  ]);
  expect(await all(checkSns({ ...aws.connection, topic_arn }))).toEqual([
    [true, expect.stringContaining("1 subscriptions"), undefined],
  ]);
  expect(await all(checkSns({ ...aws.connection, topic_arn: `${topic_arn}-none` }))).toEqual([
    [false, expect.stringContaining("NotFound"), expect.stringContaining("SLUICE_SNS_TOPIC_ARN")],
  ]);
});
