import type { SluiceEvent } from "../events.ts";
import type { Delivery, DeliveryState, DeliveryTry, Webhook, WebhookView } from "../webhook.ts";

/** A webhook with what only its sender knows. */
export interface StoredWebhook extends Webhook {
  secret: string;
  /** Signs beside `secret` until then (ISO 8601). */
  previous_secret: string | null;
  previous_secret_until: string | null;
  /** Sequence up to which every event that it wants has a delivery, or had one. */
  position: number;
  /** First failure since the last success (ISO 8601); null: the last request succeeded, or there was none. */
  failing_since: string | null;
  last_succeeded_at: string | null;
  last_failed_at: string | null;
}

/** What of a stored webhook can be changed; the rest is kept. */
export type StoredWebhookChange = Partial<
  Pick<
    StoredWebhook,
    | "url"
    | "description"
    | "event_types"
    | "collection"
    | "enabled"
    | "secret"
    | "previous_secret"
    | "previous_secret_until"
  >
> & { updated_at: string };

/** What a webhook is to get next, up to a place in the log. */
export interface NewDeliveries {
  webhook_id: string;
  /** The webhook's position as its reader knows it. */
  after: number;
  /** Its position from then on. */
  position: number;
  /** Ascending by sequence, all of them greater than `after`. */
  deliveries: Pick<
    Delivery,
    "delivery_id" | "event_id" | "event_type" | "document_id" | "sequence" | "created_at"
  >[];
}

/** A delivery whose time has come. */
export interface DueDelivery {
  delivery: Delivery;
  event: SluiceEvent;
}

/** What came of one request. */
export interface DeliveryOutcome {
  delivery_id: string;
  webhook_id: string;
  /** `attempts` of the delivery before this request. */
  attempts: number;
  try: DeliveryTry;
  state: DeliveryState;
  /** Where `state` is `pending` (ISO 8601). */
  next_attempt_at: string | null;
  /** ISO 8601. */
  now: string;
  /** The webhook gets nothing more, for this reason; with `failing_since` only if it has failed from then on, or longer. */
  disable?: { reason: string; failing_since?: string };
}

export interface DeliveryQuery {
  tenant_id: string;
  webhook_id: string;
  state?: DeliveryState;
  /** Only deliveries of events with a smaller sequence. */
  before?: number;
  limit: number;
}

/**
 * Webhooks, what they are still to get, and what came of it, in the same database as the events. A tenant MUST NOT see
 * or change what is another's. What is written MUST survive a power cut when it resolves.
 *
 * Of the pending deliveries of one document to one webhook only the one with the smallest sequence has a
 * `next_attempt_at`: the others wait for it. MUST hold after every call, whoever else writes at the same time.
 */
export interface WebhookStore {
  /** @returns false, and nothing written, when the tenant has `most` of them already */
  add(webhook: StoredWebhook, most: number): Promise<boolean>;
  /** Of one tenant, ascending by id. @param webhook_id only this one */
  list(tenant_id: string, webhook_id?: string): Promise<WebhookView[]>;
  /** With its secret: not for answers. */
  find(tenant_id: string, webhook_id: string): Promise<StoredWebhook | undefined>;
  /**
   * Enabling one that was not MUST forget why it was disabled and since when it failed, and make due what waits first
   * for each document.
   * @returns false when there is no such webhook
   */
  update(tenant_id: string, webhook_id: string, change: StoredWebhookChange): Promise<boolean>;
  /** With its deliveries. @returns false when there is no such webhook */
  remove(tenant_id: string, webhook_id: string): Promise<boolean>;

  /** Whether there is any webhook at all. MUST be cheap: it is asked every second. */
  any(): Promise<boolean>;
  /** Of all tenants, those that are enabled. */
  enabled(): Promise<StoredWebhook[]>;
  /**
   * Adds deliveries and moves the webhook's position, in one transaction.
   * @returns false, and nothing written, unless the webhook is there, enabled, and stands at `after`
   */
  enqueue(batch: NewDeliveries): Promise<boolean>;
  /** Enabled webhooks that have a delivery due at `now` (ISO 8601). */
  withDue(now: string): Promise<string[]>;
  /**
   * Deliveries of a webhook that are due, those due for longest first; none while it is disabled.
   * @param besides documents whose deliveries are left out: those that are under way
   */
  due(webhook_id: string, now: string, limit: number, besides: string[]): Promise<DueDelivery[]>;
  /**
   * Keeps a try and what comes of it, in one transaction: the delivery's next attempt or its end, when the webhook
   * succeeded or failed last, whether it is disabled, and where the delivery has ended, the document's next one is due.
   * @returns false, and nothing written, when the delivery is no longer pending with that number of attempts
   */
  settle(outcome: DeliveryOutcome): Promise<boolean>;
  /** Drops deliveries, with their tries, that ended before a time (ISO 8601). @returns how many, at most `limit` */
  prune(before: string, limit: number): Promise<number>;
  /** Deliveries of all tenants that are still to be made. */
  pending(): Promise<number>;

  /** Descending by sequence. */
  listDeliveries(query: DeliveryQuery): Promise<Delivery[]>;
  /** With its event and its tries, oldest first. */
  getDelivery(
    tenant_id: string,
    webhook_id: string,
    delivery_id: string,
  ): Promise<{ delivery: Delivery; event: SluiceEvent; tries: DeliveryTry[] } | undefined>;
  /**
   * Makes a delivery pending again, in whatever state it is, its attempts from zero; due at `now` (ISO 8601) unless an
   * earlier one of the document is pending. @returns false when there is no such delivery
   */
  replay(tenant_id: string, webhook_id: string, delivery_id: string, now: string): Promise<boolean>;
  /** The same for failed ones, those with the smallest sequence first. @returns how many, at most `limit` */
  replayFailed(tenant_id: string, webhook_id: string, now: string, limit: number): Promise<number>;
}
