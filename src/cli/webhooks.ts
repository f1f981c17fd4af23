/** `sluice webhooks list | create | enable | disable | rotate | remove | test | deliveries | replay`. */
import { loadConfig } from "../config/config.ts";
import { type EventType, eventTypes } from "../events.ts";
import type { Delivery, DeliveryState } from "../webhook.ts";
import { type Client, createClient, pagesOf } from "./client.ts";
import {
  counted,
  formatDuration,
  type OutputOptions,
  print,
  printable,
  printJson,
  table,
  UsageError,
} from "./output.ts";

const PAGE = 200;

export interface CreateWebhookOptions extends OutputOptions {
  event?: string[];
  collection?: string;
  description?: string;
}

export interface ListDeliveriesOptions extends OutputOptions {
  state?: DeliveryState;
  /** Most deliveries shown, over as many pages as it takes. */
  limit: number;
}

export async function listWebhooks({ json }: OutputOptions): Promise<void> {
  const { webhooks } = await connect().listWebhooks();
  if (json) {
    for (const webhook of webhooks) printJson(webhook);
    return;
  }
  if (webhooks.length === 0) {
    process.stderr.write("No webhooks: `sluice webhooks create URL` makes one.\n");
    return;
  }
  const rows = webhooks.map((each) => [
    each.webhook_id,
    each.enabled ? "on" : "off",
    String(each.pending),
    String(each.failed),
    each.last_succeeded_at ?? "never",
    each.url,
    each.disabled_reason ?? "",
  ]);
  print(table(["WEBHOOK", "IS", "PENDING", "FAILED", "LAST SUCCESS", "URL", "DISABLED"], rows));
}

export async function createWebhook(url: string, options: CreateWebhookOptions): Promise<void> {
  const { event, collection, description, json } = options;
  const webhook = await connect().createWebhook({
    url,
    ...(event === undefined ? {} : { event_types: event.map(eventTypeOf) }),
    ...(collection === undefined ? {} : { collection }),
    ...(description === undefined ? {} : { description }),
  });
  if (json) {
    printJson(webhook);
    return;
  }
  // The secret alone on standard output: SECRET=$(sluice webhooks create https://…)
  print(webhook.secret);
  process.stderr.write(
    `Webhook ${webhook.webhook_id} gets what happens from now on. Its secret is shown only now; \`sluice webhooks test ${webhook.webhook_id}\` tries it.\n`,
  );
}

export async function switchWebhook(
  webhook_id: string,
  enabled: boolean,
  { json }: OutputOptions,
): Promise<void> {
  const webhook = await connect().updateWebhook(webhook_id, { enabled });
  if (json) printJson(webhook);
  else print(enabled ? `${webhook_id} goes on where it stopped.` : `${webhook_id} is paused.`);
}

export async function rotateSecret(webhook_id: string, { json }: OutputOptions): Promise<void> {
  const { secret } = await connect().rotateWebhookSecret(webhook_id);
  if (json) {
    printJson({ webhook_id, secret });
    return;
  }
  print(secret);
  process.stderr.write("It is shown only now. The old one signs too for 24 hours.\n");
}

export async function removeWebhook(webhook_id: string, { json }: OutputOptions): Promise<void> {
  await connect().deleteWebhook(webhook_id);
  if (json) printJson({ webhook_id, removed: true });
  else print(`${webhook_id} is removed, with the log of its deliveries.`);
}

export async function testWebhook(webhook_id: string, { json }: OutputOptions): Promise<void> {
  const answer = await connect().testWebhook(webhook_id);
  if (answer.error !== null) process.exitCode = 1;
  if (json) printJson({ webhook_id, ...answer });
  else if (answer.error !== null) process.stderr.write(`${printable(answer.error)}\n`);
  else print(`The receiver took it: ${answer.status}, after ${formatDuration(answer.duration_ms)}.`);
}

export async function listDeliveries(webhook_id: string, options: ListDeliveriesOptions): Promise<void> {
  const client = connect();
  const found: Delivery[] = [];
  const pages = pagesOf((start) =>
    client.listDeliveries(webhook_id, {
      limit: Math.min(PAGE, options.limit - found.length),
      ...(options.state === undefined ? {} : { state: options.state }),
      ...start,
    }),
  );
  for await (const page of pages) {
    found.push(...page.deliveries);
    if (found.length >= options.limit) break;
  }
  if (options.json) {
    for (const delivery of found) printJson(delivery);
    return;
  }
  if (found.length === 0) {
    process.stderr.write(`No ${options.state ?? ""}${options.state ? " " : ""}deliveries.\n`);
    return;
  }
  const rows = found.map((each) => [
    each.delivery_id,
    each.state,
    String(each.attempts),
    each.event_type,
    each.document_id,
    each.next_attempt_at ?? "",
    each.error ?? "",
  ]);
  print(table(["DELIVERY", "STATE", "ATTEMPTS", "EVENT", "DOCUMENT", "NEXT ATTEMPT", "ERROR"], rows));
}

export async function replay(
  webhook_id: string,
  delivery_ids: string[],
  { failed = false, json }: OutputOptions & { failed?: boolean },
): Promise<void> {
  if (failed === delivery_ids.length > 0) {
    throw new UsageError("Name the deliveries to make once more, or say --failed for every one that failed.");
  }
  const client = connect();
  if (failed) {
    const { replayed } = await client.replayFailedDeliveries(webhook_id);
    if (json) printJson({ webhook_id, replayed });
    else print(`${counted(replayed, "failed delivery").replace(/ys$/, "ies")} will be made once more.`);
    return;
  }
  for (const delivery_id of delivery_ids) {
    const delivery = await client.replayDelivery(webhook_id, delivery_id);
    if (json) printJson(delivery);
    else print(`${delivery_id} will be made once more.`);
  }
}

function eventTypeOf(text: string): EventType {
  const found = eventTypes.find((type) => type === text);
  if (found) return found;
  throw new UsageError(`--event: it is one of ${eventTypes.join(", ")}, not ${text}.`);
}

function connect(): Client {
  return createClient(loadConfig().client);
}
