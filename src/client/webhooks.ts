/** Webhooks and what was delivered to them. */
import type { EventType } from "../events.ts";
import type { PageQuery } from "./documents.ts";
import type { CallOptions, Http } from "./http.ts";

export interface Webhook {
  webhook_id: string;
  tenant_id: string;
  url: string;
  description: string;
  /** Null: all but rag.ingestion.progressed. */
  event_types: EventType[] | null;
  /** Null: of every collection. */
  collection: string | null;
  enabled: boolean;
  disabled_reason: string | null;
  created_at: string;
  updated_at: string;
}

export interface ListedWebhook extends Webhook {
  pending: number;
  failed: number;
  last_succeeded_at: string | null;
  last_failed_at: string | null;
}

/** `secret` is told this once, and when it is rotated. */
export interface NewWebhook extends Webhook {
  secret: string;
}

export interface WebhookRequest {
  url: string;
  description?: string | undefined;
  event_types?: EventType[] | null | undefined;
  collection?: string | null | undefined;
}

export interface WebhookTest {
  /** Of the receiver's answer; null when none came. */
  status: number | null;
  error: string | null;
  duration_ms: number;
}

export type DeliveryState = "pending" | "succeeded" | "failed";

export interface Delivery {
  delivery_id: string;
  webhook_id: string;
  event_id: string;
  event_type: EventType;
  document_id: string;
  sequence: number;
  state: DeliveryState;
  attempts: number;
  next_attempt_at: string | null;
  status: number | null;
  error: string | null;
  created_at: string;
  finished_at: string | null;
}

export interface DeliveryDetails extends Delivery {
  /** As it is sent. */
  body: string;
  tries: {
    at: string;
    duration_ms: number;
    status: number | null;
    error: string | null;
    response: string | null;
  }[];
}

const pathOf = (webhook_id: string) => `/v1/webhooks/${encodeURIComponent(webhook_id)}`;
const deliveryPath = (webhook_id: string, delivery_id: string) =>
  `${pathOf(webhook_id)}/deliveries/${encodeURIComponent(delivery_id)}`;

export function webhookMethods(http: Http) {
  return {
    listWebhooks: ({ signal }: CallOptions = {}) =>
      http.json<{ webhooks: ListedWebhook[] }>("GET", "/v1/webhooks", { signal }),
    createWebhook: (request: WebhookRequest, { signal }: CallOptions = {}) =>
      http.json<NewWebhook>("POST", "/v1/webhooks", { json: request, signal }),
    getWebhook: (webhook_id: string, { signal }: CallOptions = {}) =>
      http.json<Webhook>("GET", pathOf(webhook_id), { signal }),
    /** Changes what is named and leaves the rest. */
    updateWebhook: (
      webhook_id: string,
      change: Partial<WebhookRequest> & { enabled?: boolean | undefined },
      { signal }: CallOptions = {},
    ) => http.json<Webhook>("PATCH", pathOf(webhook_id), { json: change, signal }),
    async deleteWebhook(webhook_id: string, { signal }: CallOptions = {}): Promise<void> {
      await http.request("DELETE", pathOf(webhook_id), { signal });
    },
    /** The old secret signs too for 24 hours. */
    rotateWebhookSecret: (webhook_id: string, { signal }: CallOptions = {}) =>
      http.json<{ secret: string }>("POST", `${pathOf(webhook_id)}/rotate_secret`, { signal }),
    /** One signed request, now. */
    testWebhook: (webhook_id: string, { signal }: CallOptions = {}) =>
      http.json<WebhookTest>("POST", `${pathOf(webhook_id)}/test`, { signal }),
    /** Newest first. */
    listDeliveries: (
      webhook_id: string,
      query: PageQuery & { state?: DeliveryState | undefined } = {},
      { signal }: CallOptions = {},
    ) =>
      http.json<{ deliveries: Delivery[]; next_cursor: string | null }>(
        "GET",
        `${pathOf(webhook_id)}/deliveries`,
        { query: { ...query }, signal },
      ),
    getDelivery: (webhook_id: string, delivery_id: string, { signal }: CallOptions = {}) =>
      http.json<DeliveryDetails>("GET", deliveryPath(webhook_id, delivery_id), { signal }),
    replayDelivery: (webhook_id: string, delivery_id: string, { signal }: CallOptions = {}) =>
      http.json<Delivery>("POST", `${deliveryPath(webhook_id, delivery_id)}/replay`, { signal }),
    /** Delivers everything again that failed for good. */
    replayFailedDeliveries: (webhook_id: string, { signal }: CallOptions = {}) =>
      http.json<{ replayed: number }>("POST", `${pathOf(webhook_id)}/replay`, {
        json: { state: "failed" },
        signal,
      }),
  };
}
