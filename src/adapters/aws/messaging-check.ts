/** What `sluice doctor` asks SQS and SNS, changing nothing there. */
import { GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { ServiceCheck } from "../../ports/service-check.ts";
import { type AwsConnectionOptions, codeOf, describeAwsError, fixFor } from "./connection.ts";
import { createSqsClient } from "./sqs-messages.ts";

export interface SqsCheckOptions extends AwsConnectionOptions {
  queue_url: string;
  dead_letter_queue_url?: string;
  /** Of jobs: messages are hidden for as long, whatever the queue's own setting. */
  max_attempts: number;
}

/** Receives that happen without a fault: a worker that stops puts a message back, a database may be away for a while. */
const SPARE_RECEIVES = 10;
const DAY_SECONDS = 86_400;

type Attributes = Record<string, string>;

/** Whether the queues are there, this process may use them, and what SQS gives up on is kept. */
export async function* checkSqsQueue(options: SqsCheckOptions): AsyncGenerator<ServiceCheck, void, void> {
  const { queue_url, dead_letter_queue_url, max_attempts } = options;
  const client = createSqsClient(options);
  try {
    const queue = yield* attributesOf(client, queue_url, "SLUICE_SQS_QUEUE_URL");
    if (queue) yield* checkRedrive(queue, dead_letter_queue_url, max_attempts + SPARE_RECEIVES);
    if (dead_letter_queue_url) {
      const dead = yield* attributesOf(client, dead_letter_queue_url, "SLUICE_SQS_DEAD_LETTER_QUEUE_URL");
      if (dead) yield* checkRetention(dead, queue);
    }
  } finally {
    client.destroy();
  }
}

/** Of a queue that events are published to. */
export async function* checkSqsEvents(
  options: AwsConnectionOptions & { queue_url: string },
): AsyncGenerator<ServiceCheck, void, void> {
  const client = createSqsClient(options);
  try {
    const queue = yield* attributesOf(client, options.queue_url, "SLUICE_SQS_EVENTS_QUEUE_URL");
    if (queue && queue.FifoQueue !== "true") {
      yield {
        name: "sqs",
        ok: true,
        message: "events go to a standard queue: they may arrive out of order, and twice",
        fix: "Use a FIFO queue where receivers rely on the order of a document's events.",
      };
    }
  } finally {
    client.destroy();
  }
}

export async function* checkSns(
  options: AwsConnectionOptions & { topic_arn: string },
): AsyncGenerator<ServiceCheck, void, void> {
  const { GetTopicAttributesCommand, SNSClient } = await import("@aws-sdk/client-sns");
  const { toClientOptions } = await import("./connection.ts");
  const name = "sns";
  const client = new SNSClient({ ...toClientOptions(options, { answer_ms: 5_000 }), maxAttempts: 2 });
  try {
    const { Attributes } = await client.send(new GetTopicAttributesCommand({ TopicArn: options.topic_arn }));
    const confirmed = Attributes?.SubscriptionsConfirmed;
    const subscribed = confirmed === undefined ? "" : ` with ${confirmed} subscriptions`;
    yield { name, ok: true, message: `the topic ${options.topic_arn} is there${subscribed}` };
  } catch (error) {
    const missing = codeOf(error).startsWith("NotFound");
    const fix = missing
      ? "Make the topic, or correct SLUICE_SNS_TOPIC_ARN."
      : fixFor(error, "sns:GetTopicAttributes and sns:Publish");
    const message = `the topic ${options.topic_arn} can't be asked: ${describeAwsError(error)}`;
    yield { name, ok: false, message, ...(fix ? { fix } : {}) };
  } finally {
    client.destroy();
  }
}

async function* attributesOf(
  client: SQSClient,
  QueueUrl: string,
  setting: string,
): AsyncGenerator<ServiceCheck, Attributes | undefined, void> {
  const name = "sqs";
  try {
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
    );
    const kind = Attributes.FifoQueue === "true" ? "FIFO" : "standard";
    const waiting = Attributes.ApproximateNumberOfMessages ?? "0";
    yield { name, ok: true, message: `${QueueUrl} is there: ${kind}, about ${waiting} messages waiting` };
    return Attributes;
  } catch (error) {
    const missing = /NonExistentQueue|QueueDoesNotExist/.test(codeOf(error));
    const fix = missing
      ? `Make the queue, or correct ${setting}.`
      : fixFor(
          error,
          "sqs:GetQueueAttributes, sqs:SendMessage, sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility",
        );
    yield {
      name,
      ok: false,
      message: `${QueueUrl} can't be asked: ${describeAwsError(error)}`,
      ...(fix ? { fix } : {}),
    };
    return undefined;
  }
}

function* checkRedrive(
  queue: Attributes,
  dead_letter_queue_url: string | undefined,
  least: number,
): Generator<ServiceCheck, void, void> {
  const name = "sqs";
  const policy = JSON.parse(queue.RedrivePolicy ?? "{}") as {
    deadLetterTargetArn?: string;
    maxReceiveCount?: number | string;
  };
  const target = policy.deadLetterTargetArn?.split(":").at(-1);
  if (!target) {
    yield {
      name,
      ok: true,
      message: "the queue has no redrive policy: a message that nobody can take is tried until it expires",
      fix: `Give it a dead-letter queue with maxReceiveCount ${least} or more.`,
    };
    return;
  }
  if (Number(policy.maxReceiveCount) < least) {
    yield {
      name,
      ok: true,
      message: `the redrive policy gives up after ${policy.maxReceiveCount} receives`,
      fix: `Raise maxReceiveCount to ${least} or more: workers that stop put messages back.`,
    };
  } else
    yield { name, ok: true, message: `after ${policy.maxReceiveCount} receives messages go to ${target}` };
  if (!dead_letter_queue_url) {
    yield {
      name,
      ok: true,
      message: `nobody looks into the dead-letter queue ${target}`,
      fix: "Set SLUICE_SQS_DEAD_LETTER_QUEUE_URL: then its jobs are retried, or listed among the dead.",
    };
  } else if (dead_letter_queue_url.split("/").at(-1) !== target) {
    yield {
      name,
      ok: false,
      message: `the redrive policy names ${target}, not ${dead_letter_queue_url}`,
      fix: "Let SLUICE_SQS_DEAD_LETTER_QUEUE_URL and the queue's redrive policy name the same queue.",
    };
  }
}

function* checkRetention(
  dead: Attributes,
  queue: Attributes | undefined,
): Generator<ServiceCheck, void, void> {
  const days = Number(dead.MessageRetentionPeriod ?? 0) / DAY_SECONDS;
  const live = Number(queue?.MessageRetentionPeriod ?? 0) / DAY_SECONDS;
  // A message keeps its age when it is moved.
  if (days <= live) {
    yield {
      name: "sqs",
      ok: true,
      message: `dead letters are kept for ${days} days, counted from when they were first sent`,
      fix: "Raise the dead-letter queue's MessageRetentionPeriod to 14 days.",
    };
  }
}
