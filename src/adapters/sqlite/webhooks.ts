/** Webhooks on SQLite: reads on a connection of this thread, writes through the writer (`write-webhooks.ts`). */
import type { DatabaseSync } from "node:sqlite";
import type { StoredWebhook, WebhookStore } from "../../ports/webhook-store.ts";
import type { Delivery, DeliveryTry, WebhookView } from "../../webhook.ts";
import { conditions, type Row, toEvent } from "./rows.ts";
import { statements } from "./schema.ts";
import type { WebhookWrite } from "./write-webhooks.ts";
import type { Writer } from "./writer.ts";

const COUNT = "(SELECT count(*) FROM deliveries AS d WHERE d.webhook_id = webhooks.webhook_id AND d.state =";

export function createSqliteWebhooks(db: DatabaseSync, writer: Writer): WebhookStore {
  const sql = statements(db);
  const all = (text: string, ...values: (string | number)[]) => sql(text).all(...values) as Row[];
  const write = <T>(change: WebhookWrite) => writer.write<T>({ op: "webhooks", change });
  const isOwn = (tenant_id: string, webhook_id: string) =>
    sql("SELECT 1 FROM webhooks WHERE webhook_id = ? AND tenant_id = ?").get(webhook_id, tenant_id) !==
    undefined;
  const eventOf = (sequence: number) =>
    toEvent(sql("SELECT * FROM events WHERE sequence = ?").get(sequence) as Row);

  return {
    add: (webhook, most) => write<boolean>({ act: "add", webhook, most }),

    async list(tenant_id, webhook_id) {
      const { where, values } = conditions({ "tenant_id = ?": tenant_id, "webhook_id = ?": webhook_id });
      return all(
        `SELECT *, ${COUNT} 'pending') AS pending, ${COUNT} 'failed') AS failed FROM webhooks
         WHERE ${where} ORDER BY webhook_id`,
        ...values,
      ).map(toView);
    },

    async find(tenant_id, webhook_id) {
      const row = sql("SELECT * FROM webhooks WHERE webhook_id = ? AND tenant_id = ?").get(
        webhook_id,
        tenant_id,
      );
      return row && toWebhook(row as Row);
    },

    update: (tenant_id, webhook_id, change) =>
      write<boolean>({ act: "update", tenant_id, webhook_id, change }),
    remove: (tenant_id, webhook_id) => write<boolean>({ act: "remove", tenant_id, webhook_id }),

    any: async () => sql("SELECT 1 FROM webhooks LIMIT 1").get() !== undefined,
    enabled: async () => all("SELECT * FROM webhooks WHERE enabled = 1").map(toWebhook),
    enqueue: (batch) => write<boolean>({ act: "enqueue", batch }),

    async withDue(now) {
      return all(
        `SELECT webhook_id FROM webhooks WHERE enabled = 1 AND EXISTS (SELECT 1 FROM deliveries AS d
           WHERE d.webhook_id = webhooks.webhook_id AND d.next_attempt_at <= ?)`,
        now,
      ).map(({ webhook_id }) => webhook_id as string);
    },

    async due(webhook_id, now, limit, besides) {
      return all(
        `SELECT deliveries.* FROM deliveries JOIN webhooks USING (webhook_id)
         WHERE webhook_id = ? AND enabled = 1 AND next_attempt_at <= ?
           AND document_id NOT IN (SELECT value FROM json_each(?))
         ORDER BY next_attempt_at, sequence LIMIT ?`,
        webhook_id,
        now,
        JSON.stringify(besides),
        limit,
      ).map((row) => ({ delivery: toDelivery(row), event: eventOf(row.sequence as number) }));
    },

    settle: (outcome) => write<boolean>({ act: "settle", outcome }),
    prune: (before, limit) => write<number>({ act: "prune", before, limit }),

    async pending() {
      return sql("SELECT count(*) AS pending FROM deliveries WHERE state = 'pending'").get()
        ?.pending as number;
    },

    async listDeliveries({ tenant_id, webhook_id, state, before, limit }) {
      if (!isOwn(tenant_id, webhook_id)) return [];
      const { where, values } = conditions({ "webhook_id = ?": webhook_id, "sequence < ?": before });
      // Spelled out, so that the planner sees which index is of that state.
      const inState = state === undefined ? "" : `AND state = '${state}'`;
      return all(
        `SELECT * FROM deliveries WHERE ${where} ${inState} ORDER BY sequence DESC LIMIT ?`,
        ...values,
        limit,
      ).map(toDelivery);
    },

    async getDelivery(tenant_id, webhook_id, delivery_id) {
      const row = sql("SELECT * FROM deliveries WHERE delivery_id = ? AND webhook_id = ?").get(
        delivery_id,
        webhook_id,
      );
      if (!row || !isOwn(tenant_id, webhook_id)) return undefined;
      const tries = all(
        "SELECT at, duration_ms, status, error, response FROM delivery_tries WHERE delivery_id = ? ORDER BY place",
        delivery_id,
      );
      return {
        delivery: toDelivery(row as Row),
        event: eventOf(row.sequence as number),
        tries: tries.map((each) => ({ ...each }) as unknown as DeliveryTry),
      };
    },

    replay: (tenant_id, webhook_id, delivery_id, now) =>
      write<boolean>({ act: "replay", tenant_id, webhook_id, delivery_id, now }),
    replayFailed: (tenant_id, webhook_id, now, limit) =>
      write<number>({ act: "replay_failed", tenant_id, webhook_id, now, limit }),
  };
}

function toWebhook({ enabled, event_types, ...rest }: Row): StoredWebhook {
  return {
    ...rest,
    event_types: event_types === null ? null : JSON.parse(event_types as string),
    enabled: enabled === 1,
  } as unknown as StoredWebhook;
}

function toView(row: Row): WebhookView {
  const { secret, previous_secret, previous_secret_until, position, failing_since, ...view } = toWebhook(row);
  return view as unknown as WebhookView;
}

function toDelivery(row: Row): Delivery {
  return { ...row } as unknown as Delivery;
}
