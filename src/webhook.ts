/** Webhooks and their deliveries, as the API shows them. Pure. */
import { z } from "zod";
import { collectionSchema } from "./document.ts";
import { type EventType, eventTypes } from "./events.ts";

const eventTypeSchema = z.enum(eventTypes);

/** What a webhook gets that names no types: everything but progress, which is many and says little. */
export const usualEventTypes: readonly EventType[] = eventTypes.filter(
  (type) => type !== "rag.ingestion.progressed",
);

const fields = {
  url: z.string().max(2_000).describe("where events are posted to, https"),
  description: z.string().max(500),
  event_types: z
    .array(eventTypeSchema)
    .min(1)
    .nullable()
    .describe("events that it gets; null: all but rag.ingestion.progressed"),
  collection: collectionSchema.nullable().describe("only events of its documents; null: of all"),
};

export const webhookSchema = z.object({
  webhook_id: z.string(),
  tenant_id: z.string(),
  ...fields,
  collection: z.string().nullable(),
  enabled: z.boolean(),
  disabled_reason: z.string().nullable().describe("why Sluice disabled it by itself; null: it did not"),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});
export type Webhook = z.infer<typeof webhookSchema>;

export const webhookViewSchema = webhookSchema.extend({
  pending: z.int().nonnegative().describe("deliveries that are still to be made"),
  failed: z.int().nonnegative().describe("deliveries that were given up, as long as they are kept"),
  last_succeeded_at: z.iso.datetime().nullable(),
  last_failed_at: z.iso.datetime().nullable(),
});
export type WebhookView = z.infer<typeof webhookViewSchema>;

const secret = z
  .string()
  .describe("what requests are signed with, `whsec_…`; shown at creation and rotation only");
export const webhookWithSecretSchema = webhookSchema.extend({ secret });
export const webhookSecretSchema = z.object({ secret });

export const webhookInputSchema = z.strictObject({
  url: fields.url,
  description: fields.description.default(""),
  event_types: fields.event_types.default(null),
  collection: fields.collection.default(null),
});
export type WebhookInput = z.input<typeof webhookInputSchema>;

export const webhookChangeSchema = z
  .strictObject({
    ...fields,
    enabled: z.boolean().describe("false pauses it; true goes on where it stopped"),
  })
  .partial();
export type WebhookChange = z.infer<typeof webhookChangeSchema>;

export const webhookTestSchema = z.object({
  status: z.int().nullable().describe("HTTP status of the answer; null: there was none"),
  error: z.string().nullable().describe("null: it was taken"),
  duration_ms: z.number().nonnegative(),
});
export type WebhookTest = z.infer<typeof webhookTestSchema>;

export const deliveryStates = ["pending", "succeeded", "failed"] as const;
export const deliveryStateSchema = z.enum(deliveryStates);
export type DeliveryState = z.infer<typeof deliveryStateSchema>;

/** One event on its way to one webhook. */
export const deliverySchema = z.object({
  delivery_id: z.string(),
  webhook_id: z.string(),
  event_id: z.string().describe("`webhook-id` of its requests"),
  event_type: eventTypeSchema,
  document_id: z.string(),
  sequence: z.int().positive().describe("the event's place in the log"),
  state: deliveryStateSchema,
  attempts: z.int().nonnegative().describe("requests so far; a replay counts from zero"),
  next_attempt_at: z.iso
    .datetime()
    .nullable()
    .describe("null: it has ended, or waits for an earlier one of the same document"),
  status: z.int().nullable().describe("HTTP status of the last answer"),
  error: z.string().nullable().describe("what was wrong with the last attempt"),
  created_at: z.iso.datetime(),
  finished_at: z.iso.datetime().nullable(),
});
export type Delivery = z.infer<typeof deliverySchema>;

/** One request of a delivery. */
export const deliveryTrySchema = z.object({
  at: z.iso.datetime(),
  duration_ms: z.number().nonnegative(),
  status: z.int().nullable(),
  error: z.string().nullable(),
  response: z.string().nullable().describe("how the answer's body begins, 4 kB at most"),
});
export type DeliveryTry = z.infer<typeof deliveryTrySchema>;

export const deliveryDetailSchema = deliverySchema.extend({
  body: z.string().describe("what is sent"),
  tries: z.array(deliveryTrySchema).describe("oldest first"),
});
export type DeliveryDetail = z.infer<typeof deliveryDetailSchema>;

/** Whether a webhook is to get an event of its tenant. */
export function wants(
  webhook: Pick<Webhook, "tenant_id" | "event_types" | "collection">,
  event: { tenant_id: string; event_type: EventType; collection: string },
): boolean {
  const types: readonly EventType[] = webhook.event_types ?? usualEventTypes;
  return (
    event.tenant_id === webhook.tenant_id &&
    (webhook.collection === null || webhook.collection === event.collection) &&
    types.includes(event.event_type)
  );
}
