/** What a tenant does with its webhooks: make, look at, change, try, replay. */
import { SluiceError } from "../errors.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";
import type { StoredWebhook } from "../ports/webhook-store.ts";
import type {
  Delivery,
  DeliveryDetail,
  DeliveryState,
  Webhook,
  WebhookChange,
  WebhookInput,
  WebhookTest,
  WebhookView,
} from "../webhook.ts";
import { type AddressPolicy, urlTrouble } from "./address.ts";
import type { DeliveryCounts } from "./lane.ts";
import { bodyOf, headersOf } from "./message.ts";
import type { Sender } from "./request.ts";
import { newSecret } from "./sign.ts";

export const MAX_WEBHOOKS_PER_TENANT = 100;
/** After a rotation the old secret signs too, so that receivers have time to learn the new one. */
const ROTATION_MS = 24 * 3_600_000;
const REPLAY_BATCH = 500;

export interface WebhooksDependencies {
  documents: DocumentStore;
  system: System;
  sender: Sender;
  /** `source` of the CloudEvents. */
  event_source: string;
  policy: AddressPolicy;
  counts: Readonly<DeliveryCounts>;
}

/** Every method throws `not_found` where the tenant has no such webhook or delivery, and what the storage throws. */
export interface Webhooks {
  list(tenant_id: string): Promise<WebhookView[]>;
  get(tenant_id: string, webhook_id: string): Promise<WebhookView>;
  /** It gets what happens from now on. @throws SluiceError invalid_request, webhook_limit */
  create(tenant_id: string, input: WebhookInput): Promise<Webhook & { secret: string }>;
  /** @throws SluiceError invalid_request */
  update(tenant_id: string, webhook_id: string, change: WebhookChange): Promise<WebhookView>;
  remove(tenant_id: string, webhook_id: string): Promise<void>;
  /** The old secret signs beside the new one for a day. */
  rotateSecret(tenant_id: string, webhook_id: string): Promise<{ secret: string }>;
  /** One signed request, now; also of a disabled webhook. Nothing is stored. */
  test(tenant_id: string, webhook_id: string, signal: AbortSignal): Promise<WebhookTest>;
  listDeliveries(
    tenant_id: string,
    webhook_id: string,
    query: { state?: DeliveryState; before?: number; limit: number },
  ): Promise<Delivery[]>;
  getDelivery(tenant_id: string, webhook_id: string, delivery_id: string): Promise<DeliveryDetail>;
  /** Makes it once more, its attempts from zero: at once, or after earlier ones of its document that are pending. */
  replay(tenant_id: string, webhook_id: string, delivery_id: string): Promise<Delivery>;
  replayFailed(tenant_id: string, webhook_id: string): Promise<{ replayed: number }>;
  /** Of all tenants: how many are pending; and what came of those that this process made. */
  stats(): Promise<{ pending: number; counts: Readonly<DeliveryCounts> }>;
}

export function createWebhooks(dependencies: WebhooksDependencies): Webhooks {
  const { documents, system, sender, event_source, policy, counts } = dependencies;
  const store = documents.webhooks;
  const iso = (later_ms = 0) => new Date(system.now() + later_ms).toISOString();

  async function mustFind(tenant_id: string, webhook_id: string): Promise<StoredWebhook> {
    const webhook = await store.find(tenant_id, webhook_id);
    if (!webhook) throw noWebhook(webhook_id);
    return webhook;
  }

  async function mustView(tenant_id: string, webhook_id: string): Promise<WebhookView> {
    const [webhook] = await store.list(tenant_id, webhook_id);
    if (!webhook) throw noWebhook(webhook_id);
    return webhook;
  }

  async function mustDetail(tenant_id: string, webhook_id: string, delivery_id: string) {
    const found = await store.getDelivery(tenant_id, webhook_id, delivery_id);
    if (!found) throw noDelivery(webhook_id, delivery_id);
    return found;
  }

  function checkUrl(url: string): void {
    const trouble = urlTrouble(url, policy);
    if (trouble !== undefined) throw new SluiceError("invalid_request", `url: ${trouble}`);
  }

  return {
    list: (tenant_id) => store.list(tenant_id),
    get: mustView,

    async create(tenant_id, { url, description = "", event_types = null, collection = null }) {
      checkUrl(url);
      const now = iso();
      const shown: Webhook = {
        webhook_id: system.newId("whk"),
        tenant_id,
        url,
        description,
        event_types,
        collection,
        enabled: true,
        disabled_reason: null,
        created_at: now,
        updated_at: now,
      };
      const secret = newSecret();
      const added = await store.add(
        {
          ...shown,
          secret,
          previous_secret: null,
          previous_secret_until: null,
          position: await documents.lastSequence(),
          failing_since: null,
          last_succeeded_at: null,
          last_failed_at: null,
        },
        MAX_WEBHOOKS_PER_TENANT,
      );
      if (!added) {
        throw new SluiceError("webhook_limit", `There are ${MAX_WEBHOOKS_PER_TENANT} webhooks already.`);
      }
      return { ...shown, secret };
    },

    async update(tenant_id, webhook_id, change) {
      if (change.url !== undefined) checkUrl(change.url);
      const known = await store.update(tenant_id, webhook_id, { ...change, updated_at: iso() });
      if (!known) throw noWebhook(webhook_id);
      return mustView(tenant_id, webhook_id);
    },

    async remove(tenant_id, webhook_id) {
      if (!(await store.remove(tenant_id, webhook_id))) throw noWebhook(webhook_id);
    },

    async rotateSecret(tenant_id, webhook_id) {
      const { secret: previous_secret } = await mustFind(tenant_id, webhook_id);
      const secret = newSecret();
      const previous_secret_until = iso(ROTATION_MS);
      const known = await store.update(tenant_id, webhook_id, {
        secret,
        previous_secret,
        previous_secret_until,
        updated_at: iso(),
      });
      if (!known) throw noWebhook(webhook_id);
      return { secret };
    },

    async test(tenant_id, webhook_id, signal) {
      const webhook = await mustFind(tenant_id, webhook_id);
      const now = system.now();
      const id = system.newId("evt");
      const body = JSON.stringify({
        specversion: "1.0",
        id,
        source: event_source,
        type: "sluice.webhook.test",
        subject: webhook_id,
        time: new Date(now).toISOString(),
        datacontenttype: "application/json",
        tenantid: tenant_id,
        data: { webhook_id },
      });
      const answer = await sender.post(webhook.url, headersOf(webhook, id, body, now), body, signal);
      const { status, error, duration_ms } = answer;
      return { status, error, duration_ms };
    },

    async listDeliveries(tenant_id, webhook_id, query) {
      await mustFind(tenant_id, webhook_id);
      return store.listDeliveries({ tenant_id, webhook_id, ...query });
    },

    async getDelivery(tenant_id, webhook_id, delivery_id) {
      const { delivery, event, tries } = await mustDetail(tenant_id, webhook_id, delivery_id);
      return { ...delivery, body: bodyOf(event, event_source), tries };
    },

    async replay(tenant_id, webhook_id, delivery_id) {
      const known = await store.replay(tenant_id, webhook_id, delivery_id, iso());
      if (!known) throw noDelivery(webhook_id, delivery_id);
      return (await mustDetail(tenant_id, webhook_id, delivery_id)).delivery;
    },

    async replayFailed(tenant_id, webhook_id) {
      await mustFind(tenant_id, webhook_id);
      const now = iso();
      let replayed = 0;
      for (;;) {
        const some = await store.replayFailed(tenant_id, webhook_id, now, REPLAY_BATCH);
        replayed += some;
        if (some < REPLAY_BATCH) return { replayed };
      }
    },

    stats: async () => ({ pending: await store.pending(), counts }),
  };
}

function noWebhook(webhook_id: string): SluiceError {
  return new SluiceError("not_found", `There is no webhook ${webhook_id}.`);
}

function noDelivery(webhook_id: string, delivery_id: string): SluiceError {
  return new SluiceError("not_found", `There is no delivery ${delivery_id} of ${webhook_id}.`);
}
