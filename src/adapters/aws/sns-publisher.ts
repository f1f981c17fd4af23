/**
 * An EventPublisher to an SNS topic, which hands each event on to all who subscribe: queues, functions, addresses.
 * A FIFO topic keeps the order of a document's events and drops repetitions; a standard one promises neither.
 */
import { PublishBatchCommand, SNSClient } from "@aws-sdk/client-sns";
import type { EventPublisher } from "../../ports/event-publisher.ts";
import { type AwsConnectionOptions, toClientOptions } from "./connection.ts";
import { PUBLISH_MS, publishInRounds } from "./event-rounds.ts";

export interface SnsPublisherOptions extends AwsConnectionOptions {
  topic_arn: string;
  /** The CloudEvents source. Default "/sluice". */
  source?: string;
  /** Names the cursor; MUST stay the same over restarts. Default "sns". */
  name?: string;
}

export function createSnsPublisher(options: SnsPublisherOptions): EventPublisher {
  const { topic_arn: TopicArn, source, name = "sns" } = options;
  const fifo = TopicArn.endsWith(".fifo");
  const client = new SNSClient(toClientOptions(options, { answer_ms: PUBLISH_MS }));
  const target = `The topic ${TopicArn}`;
  return {
    name,
    async publish(events) {
      await publishInRounds(events, { source, target, needs: "sns:Publish" }, async (entries, signal) => {
        const PublishBatchRequestEntries = entries.map(({ Id, body, attributes, event }) => ({
          Id,
          Message: body,
          MessageAttributes: attributes,
          ...(fifo
            ? { MessageGroupId: event.document_id, MessageDeduplicationId: event.idempotency_key }
            : {}),
        }));
        const command = new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries });
        const { Failed = [] } = await client.send(command, { abortSignal: signal });
        return new Map(Failed.map(({ Id = "", Code, Message }) => [Id, `${Code}: ${Message}`]));
      });
    },
    close: async () => client.destroy(),
  };
}
