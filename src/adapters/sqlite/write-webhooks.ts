/** Writes of webhooks and their deliveries, inside the open transaction. Synchronous: they run on the writer thread. */
import type {
  DeliveryOutcome,
  NewDeliveries,
  StoredWebhook,
  StoredWebhookChange,
} from "../../ports/webhook-store.ts";
import type { Sql } from "./schema.ts";

interface Named {
  tenant_id: string;
  webhook_id: string;
}

export type WebhookWrite =
  | { act: "add"; webhook: StoredWebhook; most: number }
  | ({ act: "update"; change: StoredWebhookChange } & Named)
  | ({ act: "remove" } & Named)
  | { act: "enqueue"; batch: NewDeliveries }
  | { act: "settle"; outcome: DeliveryOutcome }
  | { act: "prune"; before: string; limit: number }
  | ({ act: "replay"; delivery_id: string; now: string } & Named)
  | ({ act: "replay_failed"; now: string; limit: number } & Named);

/** Values as SQLite takes them. */
type Value = string | number | null;

export function applyWebhookWrite(sql: Sql, write: WebhookWrite): boolean | number {
  switch (write.act) {
    case "add":
      return add(sql, write.webhook, write.most);
    case "update":
      return update(sql, write, write.change);
    case "remove":
      return remove(sql, write);
    case "enqueue":
      return enqueue(sql, write.batch);
    case "settle":
      return settle(sql, write.outcome);
    case "prune":
      return prune(sql, write.before, write.limit);
    case "replay":
      return isOwn(sql, write) && replay(sql, write.webhook_id, write.delivery_id, write.now);
    case "replay_failed":
      return isOwn(sql, write) ? replayFailed(sql, write.webhook_id, write.now, write.limit) : 0;
  }
}

function isOwn(sql: Sql, { tenant_id, webhook_id }: Named): boolean {
  return (
    sql("SELECT 1 FROM webhooks WHERE webhook_id = ? AND tenant_id = ?").get(webhook_id, tenant_id) !==
    undefined
  );
}

/** Columns and their values, in one order. */
function columnsOf(values: Partial<StoredWebhook>): [string[], Value[]] {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return [
    entries.map(([name]) => name),
    entries.map(([, value]) => {
      if (typeof value === "boolean") return Number(value);
      return Array.isArray(value) ? JSON.stringify(value) : (value as Value);
    }),
  ];
}

function add(sql: Sql, webhook: StoredWebhook, most: number): boolean {
  const known = sql("SELECT count(*) AS webhooks FROM webhooks WHERE tenant_id = ?").get(webhook.tenant_id);
  if ((known?.webhooks as number) >= most) return false;
  const [names, values] = columnsOf(webhook);
  sql(`INSERT INTO webhooks (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(
    ...values,
  );
  return true;
}

function update(sql: Sql, { tenant_id, webhook_id }: Named, change: StoredWebhookChange): boolean {
  const known = sql("SELECT enabled FROM webhooks WHERE webhook_id = ? AND tenant_id = ?").get(
    webhook_id,
    tenant_id,
  );
  if (!known) return false;
  const enabling = change.enabled === true && known.enabled === 0;
  const [names, values] = columnsOf({
    ...change,
    ...(enabling ? { disabled_reason: null, failing_since: null } : {}),
  });
  sql(`UPDATE webhooks SET ${names.map((name) => `${name} = ?`).join(", ")} WHERE webhook_id = ?`).run(
    ...values,
    webhook_id,
  );
  if (enabling) {
    sql("UPDATE deliveries SET next_attempt_at = ? WHERE webhook_id = ? AND next_attempt_at IS NOT NULL").run(
      change.updated_at,
      webhook_id,
    );
  }
  return true;
}

function remove(sql: Sql, named: Named): boolean {
  if (!isOwn(sql, named)) return false;
  const { webhook_id } = named;
  sql(
    "DELETE FROM delivery_tries WHERE delivery_id IN (SELECT delivery_id FROM deliveries WHERE webhook_id = ?)",
  ).run(webhook_id);
  sql("DELETE FROM deliveries WHERE webhook_id = ?").run(webhook_id);
  sql("DELETE FROM webhooks WHERE webhook_id = ?").run(webhook_id);
  return true;
}

function enqueue(sql: Sql, { webhook_id, after, position, deliveries }: NewDeliveries): boolean {
  const moved = sql(
    "UPDATE webhooks SET position = ? WHERE webhook_id = ? AND enabled = 1 AND position = ?",
  ).run(position, webhook_id, after);
  if (moved.changes === 0) return false;
  const insert = sql(
    `INSERT INTO deliveries (delivery_id, webhook_id, event_id, event_type, document_id, sequence, state, created_at,
       next_attempt_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, iif(EXISTS (SELECT 1 FROM deliveries
       WHERE webhook_id = ?2 AND document_id = ?5 AND state = 'pending'), NULL, ?7))`,
  );
  for (const { delivery_id, event_id, event_type, document_id, sequence, created_at } of deliveries) {
    insert.run(delivery_id, webhook_id, event_id, event_type, document_id, sequence, created_at);
  }
  return true;
}

/** Of the document's pending deliveries only the first has a time. */
function order(sql: Sql, webhook_id: string, document_id: string, now: string): void {
  const first = sql(
    `SELECT sequence FROM deliveries WHERE webhook_id = ? AND document_id = ? AND state = 'pending'
     ORDER BY sequence LIMIT 1`,
  ).get(webhook_id, document_id);
  if (!first) return;
  sql(
    `UPDATE deliveries SET next_attempt_at = NULL WHERE webhook_id = ? AND document_id = ? AND state = 'pending'
       AND sequence > ? AND next_attempt_at IS NOT NULL`,
  ).run(webhook_id, document_id, first.sequence as number);
  sql(
    "UPDATE deliveries SET next_attempt_at = ? WHERE webhook_id = ? AND sequence = ? AND next_attempt_at IS NULL",
  ).run(now, webhook_id, first.sequence as number);
}

function settle(sql: Sql, outcome: DeliveryOutcome): boolean {
  const { delivery_id, webhook_id, attempts, now, disable } = outcome;
  const { at, duration_ms, status, error, response } = outcome.try;
  const pending = sql(
    `SELECT document_id FROM deliveries
     WHERE delivery_id = ? AND webhook_id = ? AND state = 'pending' AND attempts = ?`,
  ).get(delivery_id, webhook_id, attempts);
  if (!pending) return false;
  sql(
    `INSERT INTO delivery_tries SELECT ?1, coalesce(max(place), 0) + 1, ?2, ?3, ?4, ?5, ?6
     FROM delivery_tries WHERE delivery_id = ?1`,
  ).run(delivery_id, at, duration_ms, status, error, response);
  sql(
    `UPDATE deliveries SET state = ?, attempts = attempts + 1, next_attempt_at = ?, status = ?, error = ?,
       finished_at = ? WHERE delivery_id = ?`,
  ).run(
    outcome.state,
    outcome.next_attempt_at,
    status,
    error,
    outcome.state === "pending" ? null : now,
    delivery_id,
  );
  // A replay of an earlier one may have come meanwhile: then this one waits.
  order(sql, webhook_id, pending.document_id as string, now);
  sql(
    error === null
      ? "UPDATE webhooks SET last_succeeded_at = ?, failing_since = NULL WHERE webhook_id = ?"
      : "UPDATE webhooks SET last_failed_at = ?1, failing_since = coalesce(failing_since, ?1) WHERE webhook_id = ?2",
  ).run(now, webhook_id);
  if (disable) {
    sql(
      `UPDATE webhooks SET enabled = 0, disabled_reason = ?1, updated_at = ?2
       WHERE webhook_id = ?3 AND enabled = 1 AND (?4 IS NULL OR failing_since <= ?4)`,
    ).run(disable.reason, now, webhook_id, disable.failing_since ?? null);
  }
  return true;
}

function prune(sql: Sql, before: string, limit: number): number {
  const old = sql("SELECT delivery_id FROM deliveries WHERE finished_at < ? LIMIT ?").all(before, limit);
  for (const { delivery_id } of old) {
    sql("DELETE FROM delivery_tries WHERE delivery_id = ?").run(delivery_id as string);
    sql("DELETE FROM deliveries WHERE delivery_id = ?").run(delivery_id as string);
  }
  return old.length;
}

function replay(sql: Sql, webhook_id: string, delivery_id: string, now: string): boolean {
  const known = sql("SELECT document_id FROM deliveries WHERE delivery_id = ? AND webhook_id = ?").get(
    delivery_id,
    webhook_id,
  );
  if (!known) return false;
  sql(
    `UPDATE deliveries SET state = 'pending', attempts = 0, next_attempt_at = ?, finished_at = NULL
     WHERE delivery_id = ?`,
  ).run(now, delivery_id);
  order(sql, webhook_id, known.document_id as string, now);
  return true;
}

function replayFailed(sql: Sql, webhook_id: string, now: string, limit: number): number {
  const failed = sql(
    "SELECT delivery_id FROM deliveries WHERE webhook_id = ? AND state = 'failed' ORDER BY sequence LIMIT ?",
  ).all(webhook_id, limit);
  for (const { delivery_id } of failed) replay(sql, webhook_id, delivery_id as string, now);
  return failed.length;
}
