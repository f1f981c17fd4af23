/**
 * One webhook's way: takes events from the log into deliveries, and makes those that are due. Each webhook has a lane of
 * its own, and in it each document: what is slow or fails there holds up nobody else.
 */
import type { SluiceEvent } from "../events.ts";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";
import type { DeliveryOutcome, DueDelivery, StoredWebhook, WebhookStore } from "../ports/webhook-store.ts";
import type { Follower } from "../progress/follow.ts";
import { wants } from "../webhook.ts";
import { bodyOf, headersOf } from "./message.ts";
import type { Sender, WebhookAnswer } from "./request.ts";
import { GIVE_UP_MS, retryDelay } from "./schedule.ts";

/** Requests to one webhook at a time, each of another document. */
const MAX_IN_FLIGHT = 8;
/** Deliveries written in one transaction. */
const BATCH = 256;
/** Events that a webhook doesn't want are passed over so often before that is written: read again after a change of hands. */
const SAVE_EVERY = 1_000;
/** After the database failed: the receiver is not called again at once. */
const PAUSE_MS = 5_000;
const GONE = 410;

/** How deliveries ended, or their tries: `retried` will be made again. */
export type DeliveryCounts = Record<"succeeded" | "retried" | "failed", number>;

export interface LaneDependencies {
  store: WebhookStore;
  follower: Follower;
  system: System;
  log: Log;
  sender: Sender;
  /** `source` of the CloudEvents. */
  event_source: string;
  counts: DeliveryCounts;
  /** Whether this process leads, now. */
  leads(): boolean;
  /** Nothing more is begun. */
  ending: AbortSignal;
  /** What is under way is cut off. */
  cut: AbortSignal;
}

export interface Lane {
  /** The webhook as it is stored now, enabled. */
  update(webhook: StoredWebhook): void;
  /** It is disabled or gone: nothing more is taken in. What is under way ends by itself. */
  pause(): void;
  /** Something may be due. */
  wake(): void;
  /** Whether nothing is under way. */
  idle(): boolean;
  /** Resolves when nothing is under way any more. */
  ended(): Promise<void>;
}

export function createLane(dependencies: LaneDependencies, first: StoredWebhook): Lane {
  const { store, follower, system, log, sender, event_source, counts, leads, ending, cut } = dependencies;
  const { webhook_id } = first;
  let webhook = first;
  let following: { stop: AbortController; end: Promise<void> } | undefined;
  /** By document. */
  const inFlight = new Map<string, Promise<void>>();
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  const iso = (ms = system.now()) => new Date(ms).toISOString();
  const maySend = () => !ending.aborted && leads();

  async function takeIn(signal: AbortSignal): Promise<void> {
    let stored = webhook.position;
    let unsaved = 0;
    for await (const events of follower.follow({ tenant_id: webhook.tenant_id }, stored, signal)) {
      for (let from = 0; from < events.length; from += BATCH) {
        const part = events.slice(from, from + BATCH);
        const wanted = part.filter((event) => wants(webhook, event));
        unsaved += part.length;
        if (wanted.length === 0 && unsaved < SAVE_EVERY) continue;
        const position = (part.at(-1) as SluiceEvent).sequence;
        const created_at = iso();
        const deliveries = wanted.map(({ event_id, event_type, document_id, sequence }) => ({
          delivery_id: system.newId("dlv"),
          event_id,
          event_type,
          document_id,
          sequence,
          created_at,
        }));
        // Dying before this, the events are read again; after it, they have their deliveries. There is nothing between.
        if (!(await store.enqueue({ webhook_id, after: stored, position, deliveries }))) return;
        stored = position;
        unsaved = 0;
        if (deliveries.length > 0) wake();
      }
    }
  }

  function follow(): void {
    const stop = new AbortController();
    const own = {
      stop,
      end: takeIn(AbortSignal.any([ending, stop.signal]))
        .catch((error: unknown) => {
          log.warn({ err: error, webhook_id }, "events for a webhook could not be taken in; trying again");
        })
        .finally(() => {
          if (following === own) following = undefined;
        }),
    };
    following = own;
  }

  function wake(): void {
    lookAgain = true;
    looking ??= look()
      .catch((error: unknown) => {
        log.warn({ err: error, webhook_id }, "deliveries of a webhook could not be read; trying again");
      })
      .finally(() => {
        looking = undefined;
        // Woken just as the look ended.
        if (lookAgain) wake();
      });
  }

  /** Begins what is due, one delivery of each document at a time. */
  async function look(): Promise<void> {
    while (lookAgain) {
      lookAgain = false;
      if (!maySend() || inFlight.size >= MAX_IN_FLIGHT) return;
      // What is in flight is due as well, until its outcome is stored.
      const free = MAX_IN_FLIGHT - inFlight.size;
      const due = await store.due(webhook_id, iso(), free, [...inFlight.keys()]);
      for (const each of due) {
        const { document_id } = each.delivery;
        if (!maySend() || inFlight.size >= MAX_IN_FLIGHT) return;
        if (inFlight.has(document_id)) continue;
        const end = deliver(each)
          .catch(async (error: unknown) => {
            // Sent, and its outcome not stored: it is due as before, and will be sent again.
            log.warn({ err: error, webhook_id, document_id }, "what came of a delivery could not be stored");
            await system.sleep(PAUSE_MS, ending);
          })
          .finally(() => {
            inFlight.delete(document_id);
            if (!ending.aborted) wake();
          });
        inFlight.set(document_id, end);
      }
    }
  }

  async function deliver({ delivery, event }: DueDelivery): Promise<void> {
    const { delivery_id } = delivery;
    const at = system.now();
    const body = bodyOf(event, event_source);
    const headers = headersOf(webhook, event.event_id, body, at);
    const answer = await sender.post(webhook.url, headers, body, cut);
    if (answer.stopped) return;
    const outcome = outcomeOf(delivery.attempts + 1, answer);
    // Dying before this repeats the request: at least once, under the same webhook-id.
    const counted = await store.settle({
      delivery_id,
      webhook_id,
      attempts: delivery.attempts,
      try: {
        at: iso(at),
        duration_ms: answer.duration_ms,
        status: answer.status,
        error: answer.error,
        response: answer.response,
      },
      now: iso(),
      ...outcome,
    });
    // Replayed meanwhile, or removed with its webhook.
    if (!counted) return;
    counts[outcome.state === "pending" ? "retried" : outcome.state] += 1;
    if (outcome.state === "failed") log.warn({ webhook_id, delivery_id }, "a delivery was given up");
  }

  function outcomeOf(
    attempts: number,
    { error, status, retry_after_ms }: WebhookAnswer,
  ): Pick<DeliveryOutcome, "state" | "next_attempt_at" | "disable"> {
    if (error === null) return { state: "succeeded", next_attempt_at: null };
    const now = system.now();
    const delay = retryDelay(attempts, system.random(), retry_after_ms);
    const days = GIVE_UP_MS / 86_400_000;
    return {
      ...(delay === undefined
        ? { state: "failed", next_attempt_at: null }
        : { state: "pending", next_attempt_at: iso(now + delay) }),
      disable:
        status === GONE
          ? { reason: "The receiver answered 410 Gone: it wants no more." }
          : {
              reason: `Nothing was taken for ${days} days; the last trouble: ${error}`,
              failing_since: iso(now - GIVE_UP_MS),
            },
    };
  }

  return {
    update(stored) {
      webhook = stored;
      if (!following && !ending.aborted) follow();
    },
    pause: () => following?.stop.abort(),
    wake,
    idle: () => !following && !looking && inFlight.size === 0,
    async ended() {
      while (following || looking || inFlight.size > 0) {
        await Promise.all([following?.end, looking, ...inFlight.values()]);
      }
    },
  };
}
