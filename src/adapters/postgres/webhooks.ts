/** Webhooks and their deliveries on PostgreSQL. */
import type { SluiceEvent } from "../../events.ts";
import type { StoredWebhook, WebhookStore } from "../../ports/webhook-store.ts";
import type { Delivery, DeliveryTry, WebhookView } from "../../webhook.ts";
import type { Connection } from "./connection.ts";
import { toJson } from "./values.ts";

type DeliveryRow = Delivery & { tenant_id: string };

export function createPostgresWebhooks({ read, write }: Connection): WebhookStore {
  async function call<T>(ask: typeof read, text: string, values: unknown[] = []): Promise<T> {
    const [row] = await ask<{ answer: T }>(`SELECT $S.${text} AS answer`, values);
    return row?.answer as T;
  }

  return {
    add: (webhook, most) =>
      call(write, "add_webhook_1($1, $2, $3)", [webhook.tenant_id, toJson(webhook), most]),

    async list(tenant_id, webhook_id) {
      const rows = await read<StoredWebhook & { pending: number; failed: number }>(
        "SELECT (webhook).*, pending, failed FROM $S.list_webhooks_1($1, $2)",
        [tenant_id, webhook_id],
      );
      return rows.map(toView);
    },
    async find(tenant_id, webhook_id) {
      const text = "SELECT * FROM $S.find_webhook_1($1, $2)";
      return (await read<StoredWebhook>(text, [tenant_id, webhook_id]))[0];
    },
    update: (tenant_id, webhook_id, change) =>
      call(write, "update_webhook_1($1, $2, $3)", [tenant_id, webhook_id, toJson(change)]),
    remove: (tenant_id, webhook_id) => call(write, "remove_webhook_1($1, $2)", [tenant_id, webhook_id]),

    any: () => call(read, "any_webhook_1()"),
    enabled: () => read<StoredWebhook>("SELECT * FROM $S.enabled_webhooks_1()"),
    enqueue: ({ webhook_id, after, position, deliveries }) =>
      call(write, "enqueue_deliveries_1($1, $2, $3, $4)", [webhook_id, after, position, toJson(deliveries)]),
    async withDue(now) {
      const rows = await read<{ webhook_id: string }>(
        "SELECT * FROM $S.webhooks_with_due_1($1) AS webhook_id",
        [now],
      );
      return rows.map(({ webhook_id }) => webhook_id);
    },
    async due(webhook_id, now, limit, besides) {
      const rows = await read<{ delivery: DeliveryRow; event: SluiceEvent }>(
        "SELECT * FROM $S.due_deliveries_1($1, $2, $3, $4)",
        [webhook_id, now, limit, besides],
      );
      return rows.map(({ delivery, event }) => ({ delivery: toDelivery(delivery), event }));
    },
    settle: (outcome) => call(write, "settle_delivery_1($1)", [toJson(outcome)]),
    prune: (before, limit) => call(write, "prune_deliveries_1($1, $2)", [before, limit]),
    pending: () => call(read, "count_pending_1()"),

    async listDeliveries({ tenant_id, webhook_id, state, before, limit }) {
      const rows = await read<DeliveryRow>("SELECT * FROM $S.list_deliveries_1($1, $2, $3, $4, $5)", [
        tenant_id,
        webhook_id,
        state,
        before,
        limit,
      ]);
      return rows.map(toDelivery);
    },
    async getDelivery(tenant_id, webhook_id, delivery_id) {
      const [row] = await read<{ delivery: DeliveryRow; event: SluiceEvent; tries: DeliveryTry[] }>(
        "SELECT * FROM $S.get_delivery_1($1, $2, $3)",
        [tenant_id, webhook_id, delivery_id],
      );
      return row && { ...row, delivery: toDelivery(row.delivery) };
    },
    replay: (tenant_id, webhook_id, delivery_id, now) =>
      call(write, "replay_delivery_1($1, $2, $3, $4)", [tenant_id, webhook_id, delivery_id, now]),
    replayFailed: (tenant_id, webhook_id, now, limit) =>
      call(write, "replay_failed_1($1, $2, $3, $4)", [tenant_id, webhook_id, now, limit]),
  };
}

function toView(row: StoredWebhook & { pending: number; failed: number }): WebhookView {
  const { secret, previous_secret, previous_secret_until, position, failing_since, ...view } = row;
  return view;
}

function toDelivery({ tenant_id: _, ...delivery }: DeliveryRow): Delivery {
  return delivery;
}
