/** Webhooks and their deliveries, in memory. */
import type { SluiceEvent } from "../../events.ts";
import type { StoredWebhook, WebhookStore } from "../../ports/webhook-store.ts";
import type { Delivery } from "../../webhook.ts";
import { type MemoryState, type Transaction, transact } from "./state.ts";

export function createMemoryWebhooks(state: MemoryState): WebhookStore {
  const own = (tenant_id: string, webhook_id: string): StoredWebhook | undefined => {
    const webhook = state.webhooks.get(webhook_id);
    return webhook?.tenant_id === tenant_id ? webhook : undefined;
  };
  const ofTenant = (tenant_id: string) =>
    [...state.webhooks.values()].filter((webhook) => webhook.tenant_id === tenant_id);
  const deliveriesOf = (webhook_id: string) =>
    [...state.deliveries.values()].filter((delivery) => delivery.webhook_id === webhook_id);
  // The event with sequence n is the nth of the log.
  const eventOf = ({ sequence }: Delivery) => structuredClone(state.events[sequence - 1] as SluiceEvent);

  /** Of the document's pending deliveries only the first has a time. */
  function order(tx: Transaction, webhook_id: string, document_id: string, now: string): void {
    const pending = deliveriesOf(webhook_id)
      .filter((delivery) => delivery.state === "pending" && delivery.document_id === document_id)
      .sort((a, b) => a.sequence - b.sequence);
    for (const [place, delivery] of pending.entries()) {
      const next_attempt_at = place === 0 ? (delivery.next_attempt_at ?? now) : null;
      if (next_attempt_at !== delivery.next_attempt_at) {
        tx.set(state.deliveries, delivery.delivery_id, { ...delivery, next_attempt_at });
      }
    }
  }

  function replayOne(tx: Transaction, delivery: Delivery, now: string): void {
    const { delivery_id, webhook_id, document_id } = delivery;
    tx.set(state.deliveries, delivery_id, {
      ...delivery,
      state: "pending",
      attempts: 0,
      next_attempt_at: now,
      finished_at: null,
    });
    order(tx, webhook_id, document_id, now);
  }

  const isDue = (delivery: Delivery, now: string) =>
    delivery.next_attempt_at !== null &&
    delivery.next_attempt_at <= now &&
    state.webhooks.get(delivery.webhook_id)?.enabled === true;

  return {
    add: async (webhook, most) =>
      transact(state, (tx) => {
        if (ofTenant(webhook.tenant_id).length >= most) return false;
        tx.set(state.webhooks, webhook.webhook_id, structuredClone(webhook));
        return true;
      }),

    list: async (tenant_id, only) =>
      ofTenant(tenant_id)
        .filter(({ webhook_id }) => only === undefined || webhook_id === only)
        .sort((a, b) => (a.webhook_id < b.webhook_id ? -1 : 1))
        .map((webhook) => {
          const { secret, previous_secret, previous_secret_until, position, failing_since, ...view } =
            structuredClone(webhook);
          const count = (wanted: Delivery["state"]) =>
            deliveriesOf(webhook.webhook_id).filter((delivery) => delivery.state === wanted).length;
          return { ...view, pending: count("pending"), failed: count("failed") };
        }),

    find: async (tenant_id, webhook_id) => structuredClone(own(tenant_id, webhook_id)),

    update: async (tenant_id, webhook_id, change) =>
      transact(state, (tx) => {
        const webhook = own(tenant_id, webhook_id);
        if (!webhook) return false;
        const enabling = change.enabled === true && !webhook.enabled;
        const forgotten = enabling ? { disabled_reason: null, failing_since: null } : {};
        tx.set(state.webhooks, webhook_id, { ...webhook, ...structuredClone(change), ...forgotten });
        if (!enabling) return true;
        for (const delivery of deliveriesOf(webhook_id)) {
          if (delivery.next_attempt_at === null) continue;
          const next_attempt_at = change.updated_at;
          tx.set(state.deliveries, delivery.delivery_id, { ...delivery, next_attempt_at });
        }
        return true;
      }),

    remove: async (tenant_id, webhook_id) =>
      transact(state, (tx) => {
        if (!own(tenant_id, webhook_id)) return false;
        tx.delete(state.webhooks, webhook_id);
        for (const { delivery_id } of deliveriesOf(webhook_id)) {
          tx.delete(state.deliveries, delivery_id);
          tx.delete(state.tries, delivery_id);
        }
        return true;
      }),

    any: async () => state.webhooks.size > 0,
    enabled: async () =>
      [...state.webhooks.values()]
        .filter(({ enabled }) => enabled)
        .map((webhook) => structuredClone(webhook)),

    enqueue: async ({ webhook_id, after, position, deliveries }) =>
      transact(state, (tx) => {
        const webhook = state.webhooks.get(webhook_id);
        if (!webhook?.enabled || webhook.position !== after) return false;
        tx.set(state.webhooks, webhook_id, { ...webhook, position });
        for (const given of deliveries) {
          tx.set(state.deliveries, given.delivery_id, {
            ...given,
            webhook_id,
            state: "pending",
            attempts: 0,
            next_attempt_at: null,
            status: null,
            error: null,
            finished_at: null,
          });
          order(tx, webhook_id, given.document_id, given.created_at);
        }
        return true;
      }),

    withDue: async (now) => [
      ...new Set(
        [...state.deliveries.values()]
          .filter((delivery) => isDue(delivery, now))
          .map(({ webhook_id }) => webhook_id),
      ),
    ],

    due: async (webhook_id, now, limit, besides) =>
      deliveriesOf(webhook_id)
        .filter((delivery) => isDue(delivery, now) && !besides.includes(delivery.document_id))
        .sort(
          (a, b) =>
            (a.next_attempt_at as string).localeCompare(b.next_attempt_at as string) ||
            a.sequence - b.sequence,
        )
        .slice(0, limit)
        .map((delivery) => ({ delivery: { ...delivery }, event: eventOf(delivery) })),

    settle: async (outcome) =>
      transact(state, (tx) => {
        const { delivery_id, webhook_id, attempts, now, disable } = outcome;
        const delivery = state.deliveries.get(delivery_id);
        const webhook = state.webhooks.get(webhook_id);
        if (!webhook || delivery?.state !== "pending" || delivery.attempts !== attempts) return false;
        const { status, error } = outcome.try;
        tx.set(state.tries, delivery_id, [...(state.tries.get(delivery_id) ?? []), { ...outcome.try }]);
        tx.set(state.deliveries, delivery_id, {
          ...delivery,
          state: outcome.state,
          attempts: attempts + 1,
          next_attempt_at: outcome.next_attempt_at,
          status,
          error,
          finished_at: outcome.state === "pending" ? null : now,
        });
        // A replay of an earlier one may have come meanwhile: then this one waits.
        order(tx, webhook_id, delivery.document_id, now);
        const told =
          error === null
            ? { last_succeeded_at: now, failing_since: null }
            : { last_failed_at: now, failing_since: webhook.failing_since ?? now };
        const disabled =
          disable !== undefined &&
          webhook.enabled &&
          (disable.failing_since === undefined ||
            (told.failing_since !== null && told.failing_since <= disable.failing_since));
        tx.set(state.webhooks, webhook_id, {
          ...webhook,
          ...told,
          ...(disabled ? { enabled: false, disabled_reason: disable.reason, updated_at: now } : {}),
        });
        return true;
      }),

    prune: async (before, limit) =>
      transact(state, (tx) => {
        const old = [...state.deliveries.values()]
          .filter(({ finished_at }) => finished_at !== null && finished_at < before)
          .slice(0, limit);
        for (const { delivery_id } of old) {
          tx.delete(state.deliveries, delivery_id);
          tx.delete(state.tries, delivery_id);
        }
        return old.length;
      }),

    pending: async () => [...state.deliveries.values()].filter((each) => each.state === "pending").length,

    listDeliveries: async ({ tenant_id, webhook_id, state: wanted, before, limit }) =>
      (own(tenant_id, webhook_id) ? deliveriesOf(webhook_id) : [])
        .filter((delivery) => wanted === undefined || delivery.state === wanted)
        .filter(({ sequence }) => before === undefined || sequence < before)
        .sort((a, b) => b.sequence - a.sequence)
        .slice(0, limit)
        .map((delivery) => ({ ...delivery })),

    getDelivery: async (tenant_id, webhook_id, delivery_id) => {
      const delivery = state.deliveries.get(delivery_id);
      if (!own(tenant_id, webhook_id) || delivery?.webhook_id !== webhook_id) return undefined;
      const tries = structuredClone(state.tries.get(delivery_id) ?? []);
      return { delivery: { ...delivery }, event: eventOf(delivery), tries: [...tries] };
    },

    replay: async (tenant_id, webhook_id, delivery_id, now) =>
      transact(state, (tx) => {
        const delivery = state.deliveries.get(delivery_id);
        if (!own(tenant_id, webhook_id) || delivery?.webhook_id !== webhook_id) return false;
        replayOne(tx, delivery, now);
        return true;
      }),

    replayFailed: async (tenant_id, webhook_id, now, limit) =>
      transact(state, (tx) => {
        if (!own(tenant_id, webhook_id)) return 0;
        const failed = deliveriesOf(webhook_id)
          .filter((delivery) => delivery.state === "failed")
          .sort((a, b) => a.sequence - b.sequence)
          .slice(0, limit);
        for (const delivery of failed) replayOne(tx, delivery, now);
        return failed.length;
      }),
  };
}
