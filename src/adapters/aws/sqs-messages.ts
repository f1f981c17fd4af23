/** The messages that stand for jobs, and what is done with them: a job's id, never what it works on. */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { type AwsConnectionOptions, toClientOptions } from "./connection.ts";

/** What SQS takes in one batch, and gives in one answer. */
export const BATCH = 10;

export interface JobMessage {
  receipt: string;
  /** Undefined when the message is none of Sluice's. */
  job_id: string | undefined;
}

export function encodeMessage(job_id: string, tenant_id: string): string {
  return JSON.stringify({ v: 1, job_id, tenant_id });
}

function decodeMessage(body: string | undefined): string | undefined {
  try {
    const { v, job_id } = JSON.parse(body ?? "") as { v?: unknown; job_id?: unknown };
    return v === 1 && typeof job_id === "string" ? job_id : undefined;
  } catch {
    // Not JSON: somebody else's.
    return undefined;
  }
}

/** @param wait_seconds of the longest wait for an answer */
export function createSqsClient(options: AwsConnectionOptions, wait_seconds = 0): SQSClient {
  return new SQSClient({
    ...toClientOptions(options, { answer_ms: 10_000 + wait_seconds * 1_000 }),
    // The queue's URL names a host that an emulator, or a tunnel, need not be reached under.
    useQueueUrlAsEndpoint: options.endpoint === undefined,
  });
}

export interface Messages {
  /** Up to ten, hidden from everybody else for `visibility_seconds`. */
  receive(limit: number, wait_seconds: number, visibility_seconds: number): Promise<JobMessage[]>;
  /** Messages that can't be deleted come again, and are found to mean nothing. */
  remove(receipts: string[]): Promise<void>;
  hide(receipts: string[], visibility_seconds: number): Promise<void>;
}

export function createMessages(client: SQSClient, QueueUrl: string): Messages {
  return {
    async receive(limit, WaitTimeSeconds, VisibilityTimeout) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: Math.min(limit, BATCH),
          WaitTimeSeconds,
          VisibilityTimeout,
        }),
      );
      return Messages.map(({ ReceiptHandle = "", Body }) => ({
        receipt: ReceiptHandle,
        job_id: decodeMessage(Body),
      }));
    },
    async remove(receipts) {
      await inBatches(receipts, (Entries) =>
        client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })),
      );
    },
    async hide(receipts, VisibilityTimeout) {
      await inBatches(receipts, (entries) => {
        const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout }));
        return client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
      });
    },
  };
}

async function inBatches(
  receipts: string[],
  send: (entries: { Id: string; ReceiptHandle: string }[]) => Promise<unknown>,
): Promise<void> {
  const sending: Promise<unknown>[] = [];
  for (let from = 0; from < receipts.length; from += BATCH) {
    const batch = receipts.slice(from, from + BATCH);
    sending.push(send(batch.map((ReceiptHandle, place) => ({ Id: String(place), ReceiptHandle }))));
  }
  await Promise.all(sending);
}
