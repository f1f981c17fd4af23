/**
 * For a service that reacts to Sluice's events: takes them from Kafka and has each one's effect exactly once, by an
 * inbox. Offsets are committed after the effect; whatever is delivered again, the inbox knows.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  Consumer,
  type Message,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
} from "@platformatic/kafka";
import { decodeEvent, type EncodedEvent, peekType } from "../../cloudevents.ts";
import { SluiceError } from "../../errors.ts";
import type { EventType, SluiceEvent } from "../../events.ts";
import type { Log } from "../../ports/log.ts";
import { type KafkaConnectionOptions, toClientOptions } from "./connection.ts";
import { describeFailure, isLoginRefused } from "./failure.ts";
import type { Inbox } from "./inbox.ts";

export interface ConsumeOptions<Tx, T extends EventType = EventType> extends KafkaConnectionOptions {
  /** The consumer group. A new one begins with the oldest event that the topics hold. */
  group: string;
  topics: string[];
  /** Shared by all instances of the group: a partition may move from one to another at any time. */
  inbox: Inbox<Tx>;
  /** Other types are passed over, those unknown to this version too. Default: all; an unknown type is poison. */
  types?: readonly T[];
  /** The effect: writes with `tx` only. Events of one document come in order. */
  handle(event: Extract<SluiceEvent, { event_type: T }>, tx: Tx): void | Promise<void>;
  /**
   * Told of a message that can't be read, or whose `handle` failed `max_attempts` times. When it returns, the message
   * is passed over; when it throws, consuming ends. It may be told again of the same message. Default: throws.
   */
  onPoison?(poison: PoisonMessage): void | Promise<void>;
  /** How often `handle` is tried with one event, the pauses doubling from 100 ms up to 5 s. Default 5. */
  max_attempts?: number;
  /** Told when brokers can't be reached; that is tried again for ever. */
  log: Pick<Log, "warn">;
  /** Ends consuming after the event in hand. */
  signal: AbortSignal;
}

export interface PoisonMessage extends EncodedEvent {
  topic: string;
  partition: number;
  offset: bigint;
  /** The document_id, where Sluice wrote the message. */
  key: string;
  error: unknown;
}

type TextMessage = Message<string, string, string, string>;

const CONNECT_MS = 3_000;
const REQUEST_MS = 10_000;
/** How long the group waits for an instance that died before others take its partitions. */
const SESSION_MS = 10_000;
const HEARTBEAT_MS = 2_000;
const FETCH_WAIT_MS = 500;
const RETRY_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Resolves when the signal fires. A broker that goes away is waited for.
 *
 * @throws TypeError when the options make no sense
 * @throws SluiceError `internal` when a message is poison or the login is refused; else what `onPoison` threw, or what
 *   the inbox threw each time. Nothing was passed over
 */
export async function consumeEvents<Tx, T extends EventType = EventType>(
  options: ConsumeOptions<Tx, T>,
): Promise<void> {
  const { signal, log, group } = options;
  const clientOptions = toClientOptions(options);
  if (group === "") throw new TypeError("group must not be empty");
  if (options.topics.length === 0) throw new TypeError("topics must name at least one topic");
  let failures = 0;
  while (!signal.aborted) {
    const consumer = new Consumer<string, string, string, string>({
      ...clientOptions,
      groupId: group,
      deserializers: { key: toText, value: toText, headerKey: toText, headerValue: toText },
      autocommit: false,
      connectTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTime: FETCH_WAIT_MS,
      // Its steps are nested, and so would be its tries: the loop around it makes them.
      retries: 1,
      retryDelay: RETRY_MS,
    });
    try {
      await consume(consumer, options, () => {
        failures = 0;
      });
    } catch (error) {
      if (error instanceof Fatal) throw error.cause;
      if (signal.aborted) return;
      if (isLoginRefused(error)) {
        const message = `brokers ${options.brokers.join(", ")} refuse this login: ${describeFailure(error)}`;
        throw new SluiceError("internal", message, { cause: error, retryable: false });
      }
      failures += 1;
      const pause_ms = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** failures);
      log.warn(
        { err: error, group, pause_ms },
        `consuming broke off (${describeFailure(error)}); trying again`,
      );
      await pause(pause_ms, signal);
    } finally {
      await close(consumer, options);
    }
  }
}

/** The group notices by itself when a member can't say goodbye. */
async function close(
  consumer: Consumer<string, string, string, string>,
  { log, group }: { log: Pick<Log, "warn">; group: string },
): Promise<void> {
  try {
    await consumer.close(true);
  } catch (error) {
    log.warn({ err: error, group }, "the consumer did not leave its group in order");
    await consumer.connections.close();
  }
}

/** Ends consuming, with its cause; every other error is one of connections, and tried again. */
class Fatal extends Error {}

async function consume<Tx, T extends EventType>(
  consumer: Consumer<string, string, string, string>,
  options: ConsumeOptions<Tx, T>,
  onProgress: () => void,
): Promise<void> {
  const { topics, signal } = options;
  const aborted = Promise.withResolvers<undefined>();
  let stream: Awaited<ReturnType<typeof consumer.consume>> | undefined;
  const stop = () => {
    aborted.resolve(undefined);
    stream?.close().catch(aborted.reject);
  };
  signal.addEventListener("abort", stop);
  let commitFailure: unknown;
  let committed: Promise<void> | undefined;
  try {
    const consuming = consumer.consume({
      topics,
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST,
    });
    stream = await Promise.race([consuming, aborted.promise]);
    for await (const message of stream ?? []) {
      if (signal.aborted) break;
      if (commitFailure !== undefined) throw commitFailure;
      // Read ahead before the partition went to another member, which handles it.
      if (!isAssigned(consumer, message)) continue;
      if (!(await take(message, options))) break;
      onProgress();
      // Not waited for: the client puts commits together, and the inbox covers what is not committed.
      committed = Promise.resolve(message.commit()).catch((error: unknown) => {
        commitFailure = error;
      });
    }
    await committed;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** @returns false when the signal fired before it was done with */
async function take<Tx, T extends EventType>(
  message: TextMessage,
  options: ConsumeOptions<Tx, T>,
): Promise<boolean> {
  const { inbox, types, handle, signal, max_attempts = 5 } = options;
  const { topic, partition, offset, key } = message;
  const encoded = { headers: Object.fromEntries(message.headers), body: message.value };
  const poison = async (error: unknown) => {
    try {
      if (options.onPoison) await options.onPoison({ ...encoded, topic, partition, offset, key, error });
      else {
        const place = `${topic}, partition ${partition}, offset ${offset}, key ${key}`;
        throw new SluiceError(
          "internal",
          `a message can't be handled (${place}): ${describeFailure(error)}`,
          {
            cause: error,
          },
        );
      }
    } catch (cause) {
      throw new Fatal("poison", { cause });
    }
  };

  if (types && !(types as readonly string[]).includes(peekType(encoded, "kafka") ?? "")) return true;
  let event: SluiceEvent;
  try {
    event = decodeEvent(encoded, "kafka");
  } catch (error) {
    await poison(error);
    return true;
  }
  for (let attempt = 1; ; attempt++) {
    let blame: "handle" | "inbox" = "inbox";
    try {
      await inbox.run(event.idempotency_key, (tx) => {
        blame = "handle";
        const result = handle(event as Extract<SluiceEvent, { event_type: T }>, tx);
        // Not `async`: an inbox may want effects that are done when they return.
        if (result instanceof Promise) {
          return result.then(() => {
            blame = "inbox";
          });
        }
        blame = "inbox";
      });
      return true;
    } catch (error) {
      if (attempt >= max_attempts) {
        // An inbox that fails says nothing about the message, which must not be passed over for it.
        if (blame === "inbox") throw new Fatal("inbox", { cause: error });
        await poison(error);
        return true;
      }
    }
    await pause(Math.min(LONGEST_PAUSE_MS, 50 * 2 ** attempt), signal);
    if (signal.aborted) return false;
  }
}

function isAssigned(
  consumer: { assignments: { topic: string; partitions: number[] }[] | null },
  of: TextMessage,
) {
  return (consumer.assignments ?? []).some(
    ({ topic, partitions }) => topic === of.topic && partitions.includes(of.partition),
  );
}

/** Resolves early when the signal fires. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function toText(data?: Buffer): string {
  return data?.toString("utf8") ?? "";
}
