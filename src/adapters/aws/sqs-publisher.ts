/**
 * An EventPublisher to an SQS queue. In a FIFO queue, events of a document stay in order and those sent again within
 * five minutes are dropped; a standard queue promises neither: receivers order by `sequence` and know repetitions by
 * `idempotencykey`.
 */
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { EventPublisher } from "../../ports/event-publisher.ts";
import { type AwsConnectionOptions, toClientOptions } from "./connection.ts";
import { PUBLISH_MS, publishInRounds } from "./event-rounds.ts";

export interface SqsPublisherOptions extends AwsConnectionOptions {
  queue_url: string;
  /** The CloudEvents source. Default "/sluice". */
  source?: string;
  /** Names the cursor; MUST stay the same over restarts. Default "sqs". */
  name?: string;
}

export function createSqsPublisher(options: SqsPublisherOptions): EventPublisher {
  const { queue_url: QueueUrl, source, name = "sqs" } = options;
  const fifo = QueueUrl.endsWith(".fifo");
  const client = new SQSClient({
    ...toClientOptions(options, { answer_ms: PUBLISH_MS }),
    useQueueUrlAsEndpoint: options.endpoint === undefined,
  });
  const target = `The queue ${QueueUrl}`;
  return {
    name,
    async publish(events) {
      await publishInRounds(events, { source, target, needs: "sqs:SendMessage" }, async (entries, signal) => {
        const Entries = entries.map(({ Id, body, attributes, event }) => ({
          Id,
          MessageBody: body,
          MessageAttributes: attributes,
          ...(fifo
            ? { MessageGroupId: event.document_id, MessageDeduplicationId: event.idempotency_key }
            : {}),
        }));
        const command = new SendMessageBatchCommand({ QueueUrl, Entries });
        const { Failed = [] } = await client.send(command, { abortSignal: signal });
        return new Map(Failed.map(({ Id = "", Code, Message }) => [Id, `${Code}: ${Message}`]));
      });
    },
    close: async () => client.destroy(),
  };
}
