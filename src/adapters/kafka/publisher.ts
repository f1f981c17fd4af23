/**
 * An EventPublisher to Kafka: one message for each event, keyed by document, as a CloudEvent.
 *
 * The producer is idempotent and waits for all in-sync replicas. One publish runs at a time, and within it one
 * request at a time for each partition, so nothing can overtake; a document's events go to one partition.
 */
import { compatibilityPartitioner, ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { encodeBinary, encodeStructured, toCloudEvent } from "../../cloudevents.ts";
import { SluiceError } from "../../errors.ts";
import type { SluiceEvent } from "../../events.ts";
import type { EventPublisher } from "../../ports/event-publisher.ts";
import { type KafkaConnectionOptions, toClientOptions } from "./connection.ts";
import { describeFailure, isLoginRefused, isProtocolError, isTopicMissing } from "./failure.ts";

export interface KafkaPublisherOptions extends KafkaConnectionOptions {
  /**
   * One topic for all events, or one for each family: `rag.document.*` and `rag.ingestion.*`. Kafka keeps order
   * within a topic only. They must exist. Default "sluice.events".
   */
  topic?: KafkaTopics;
  /** CloudEvents mode: attributes as headers, or all in one JSON object. Default "binary". */
  mode?: "binary" | "structured";
  /** Default "none". */
  compression?: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  /** The CloudEvents source. Default "/sluice". */
  source?: string;
  /** Milliseconds that one publish may take, tries included. Less than the relay leads for. Default 7,000. */
  timeout_ms?: number;
  /** Names the cursor; MUST stay the same over restarts. Default "kafka". */
  name?: string;
}

export type KafkaTopics = string | { document: string; ingestion: string };

interface Message {
  topic: string;
  key: string;
  value: string;
  headers: Record<string, string>;
  /** The event's, for errors. */
  event_id: string;
  bytes: number;
}

export const DEFAULT_TOPIC = "sluice.events";
const DEFAULT_TIMEOUT_MS = 7_000;
const CONNECT_MS = 3_000;
const RETRY_MS = 200;
/** Tries before a topic counts as missing: brokers learn of a new one a moment apart. */
const TOPIC_TRIES = 4;
/** Sent together. A broker takes 1 MiB for one partition unless told otherwise. */
const BATCH_BYTES = 512 * 1024;
/** What a record costs besides its texts, and each of its headers. */
const RECORD_BYTES = 64;
const HEADER_BYTES = 8;

/**
 * Nothing is connected before the first publish. A publish that fails leaves no connection behind; the next one makes
 * new ones, and so finds a broker that came back.
 *
 * `publish` throws SluiceError `internal` within `timeout_ms`: retryable when brokers can't be reached, a topic is
 * missing or too few replicas are in sync; not so when a message is larger than the topic takes or the login may not
 * write. Its message names the topic, or the document.
 *
 * @throws TypeError when the options make no sense
 */
export function createKafkaPublisher(options: KafkaPublisherOptions): EventPublisher {
  const { topic = DEFAULT_TOPIC, mode = "binary", compression = "none", name = "kafka" } = options;
  const { timeout_ms = DEFAULT_TIMEOUT_MS, source } = options;
  const clientOptions = toClientOptions(options);
  for (const one of topicsOf(topic)) {
    if (!/^[\w.-]{1,249}$/.test(one))
      throw new TypeError(`topic: ${JSON.stringify(one)} is no name of a topic`);
  }
  if (name === "") throw new TypeError("name must not be empty");
  if (!(timeout_ms > 0)) throw new TypeError("timeout_ms must be more than 0");

  let producer: Producer<string, string, string, string> | undefined;
  /** Told of every error that the client would pass over to try again. */
  let onRetry: (error: Error) => void = () => {};
  let turn: Promise<void> = Promise.resolve();
  let closed = false;

  const open = () =>
    new Producer<string, string, string, string>({
      ...clientOptions,
      serializers: stringSerializers,
      idempotent: true,
      acks: ProduceAcks.ALL,
      compression,
      // Java's partitioner; the library's own default places keys elsewhere than all other clients do.
      partitioner: compatibilityPartitioner,
      autocreateTopics: false,
      connectTimeout: Math.min(CONNECT_MS, timeout_ms),
      requestTimeout: timeout_ms,
      timeout: timeout_ms,
      retries: true,
      retryDelay: (_client, _operation, _attempt, _retries, error) => {
        onRetry(error);
        return RETRY_MS;
      },
    });

  /** Ends it without waiting: towards a broker that hangs, closing may take for ever. */
  const discard = () => {
    // Whatever closing meets, the connections are given up; what mattered was thrown by publish.
    producer?.close(true).catch(() => {});
    producer = undefined;
  };

  const toMessage = (event: SluiceEvent): Message => {
    const cloud = toCloudEvent(event, source === undefined ? {} : { source });
    const { headers, body } = mode === "binary" ? encodeBinary(cloud, "kafka") : encodeStructured(cloud);
    const key = event.document_id;
    let bytes = RECORD_BYTES + key.length + Buffer.byteLength(body);
    for (const [header, value] of Object.entries(headers)) {
      bytes += HEADER_BYTES + header.length + Buffer.byteLength(value);
    }
    const { event_id } = event;
    return { topic: topicOf(topic, event), key, value: body, headers, event_id, bytes };
  };

  /** Sends them; those that are too large together go in halves, until the one that is too large alone is known. */
  async function send(messages: Message[], live: () => void): Promise<void> {
    live();
    producer ??= open();
    try {
      await producer.send({
        messages: messages.map(({ topic, key, value, headers }) => ({ topic, key, value, headers })),
      });
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      if (messages.length === 1) throw tooLarge(messages[0] as Message, error);
      const half = messages.length >> 1;
      await send(messages.slice(0, half), live);
      await send(messages.slice(half), live);
    }
  }

  async function publish(events: SluiceEvent[]): Promise<void> {
    if (closed) throw new SluiceError("shutting_down", "the Kafka publisher is closed");
    const over = Promise.withResolvers<never>();
    let last: Error | undefined;
    let missing = 0;
    let given_up = false;
    onRetry = (error) => {
      last = error;
      missing = isTopicMissing(error) ? missing + 1 : 0;
      if (missing >= TOPIC_TRIES || isLoginRefused(error)) over.reject(error);
    };
    const limit = setTimeout(() => over.reject(last ?? new Error("no answer")), timeout_ms);
    const live = () => {
      if (given_up) throw new Error("given up");
    };
    const sendAll = async () => {
      for (const batch of batches(events.map(toMessage))) await send(batch, live);
    };
    try {
      await Promise.race([sendAll(), over.promise]);
    } catch (error) {
      given_up = true;
      discard();
      throw error instanceof SluiceError
        ? error
        : publishFailed(error, { events, options, topic, timeout_ms });
    } finally {
      clearTimeout(limit);
      onRetry = () => {};
    }
  }

  return {
    name,
    publish(events) {
      if (events.length === 0) return Promise.resolve();
      const result = turn.then(() => publish(events));
      turn = result;
      // Those that wait behind one that failed fail with it: their events come after the ones that are missing now.
      result.catch(() => {
        if (turn === result) turn = Promise.resolve();
      });
      return result;
    },
    async close() {
      closed = true;
      await Promise.allSettled([turn]);
      const closing = producer;
      producer = undefined;
      await closing?.close();
    },
  };
}

export function topicsOf(topic: KafkaTopics): string[] {
  return typeof topic === "string" ? [topic] : [...new Set([topic.document, topic.ingestion])];
}

function topicOf(topic: KafkaTopics, { event_type }: SluiceEvent): string {
  if (typeof topic === "string") return topic;
  return event_type.startsWith("rag.document.") ? topic.document : topic.ingestion;
}

function* batches(messages: Message[]): Generator<Message[]> {
  let batch: Message[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (batch.length > 0 && bytes + message.bytes > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += message.bytes;
  }
  if (batch.length > 0) yield batch;
}

function isTooLarge(error: unknown): boolean {
  return isProtocolError(error, "MESSAGE_TOO_LARGE") || isProtocolError(error, "RECORD_LIST_TOO_LARGE");
}

function tooLarge({ key, topic, event_id, bytes }: Message, cause: unknown): SluiceError {
  return new SluiceError(
    "internal",
    `event ${event_id} of document ${key} has about ${bytes} bytes, more than topic ${topic} takes: raise its max.message.bytes`,
    { cause, retryable: false },
  );
}

function publishFailed(
  cause: unknown,
  at: { events: SluiceEvent[]; options: KafkaPublisherOptions; topic: KafkaTopics; timeout_ms: number },
): SluiceError {
  const topics = topicsOf(at.topic).join(", ");
  const first = at.events[0] as SluiceEvent;
  const what = `${at.events.length} events from sequence ${first.sequence} on (document ${first.document_id})`;
  const where = `brokers ${at.options.brokers.join(", ")}`;
  const why = describeFailure(cause);
  if (isTopicMissing(cause)) {
    return new SluiceError("internal", `${what}: topic ${topics} is missing at ${where}; create it`, {
      cause,
    });
  }
  const refused = ["TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"].some((id) =>
    isProtocolError(cause, id),
  );
  if (refused) {
    const message = `${what}: this login may not write to topic ${topics} at ${where}: ${why}`;
    return new SluiceError("internal", message, { cause, retryable: false });
  }
  return new SluiceError("internal", `${what} not taken by ${where} within ${at.timeout_ms} ms: ${why}`, {
    cause,
  });
}
