/** Webhooks: make, look at, change, try; what was delivered to them, and once more. */
import { z } from "zod";
import { SluiceError } from "../../errors.ts";
import {
  deliveryDetailSchema,
  deliverySchema,
  deliveryStateSchema,
  webhookChangeSchema,
  webhookInputSchema,
  webhookSecretSchema,
  webhookTestSchema,
  webhookViewSchema,
  webhookWithSecretSchema,
} from "../../webhook.ts";
import { signalOf } from "../client-gone.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { cursorSchema, limitSchema, nextCursorSchema, placeOf, problems, toCursor } from "../schemas.ts";

const tags = ["webhooks"];
const params = z.object({ webhook_id: z.string() });
const deliveryParams = params.extend({ delivery_id: z.string() });
const publicWebhookSchema = webhookViewSchema.meta({ id: "Webhook" });
const publicDeliverySchema = deliverySchema.meta({ id: "Delivery" });

export function webhookRoutes(app: App, { webhooks }: AppDependencies): void {
  app.get(
    "/v1/webhooks",
    {
      schema: {
        tags,
        summary: "List webhooks, oldest first",
        response: { 200: z.object({ webhooks: z.array(publicWebhookSchema) }), ...problems() },
      },
    },
    async (request) => ({ webhooks: await webhooks.list(request.tenant_id) }),
  );

  app.post(
    "/v1/webhooks",
    {
      schema: {
        tags,
        summary: "Have events posted to a URL",
        description:
          "What happens from now on is posted there as CloudEvents, signed as Standard Webhooks are, at least once and in " +
          "order per document. The secret is shown in this answer only.",
        body: webhookInputSchema,
        response: {
          201: webhookWithSecretSchema,
          ...problems("webhook_limit", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return webhooks.create(request.tenant_id, request.body);
    },
  );

  app.get(
    "/v1/webhooks/:webhook_id",
    {
      schema: {
        tags,
        summary: "One webhook, and how it does",
        params,
        response: { 200: publicWebhookSchema, ...problems("not_found") },
      },
    },
    (request) => webhooks.get(request.tenant_id, request.params.webhook_id),
  );

  app.patch(
    "/v1/webhooks/:webhook_id",
    {
      schema: {
        tags,
        summary: "Change a webhook, pause it, or have it go on",
        description:
          "What is left out stays. `enabled: false` pauses it; `enabled: true` goes on where it stopped, with everything " +
          "that happened meanwhile, and forgets why Sluice disabled it.",
        params,
        body: webhookChangeSchema,
        response: { 200: publicWebhookSchema, ...problems("not_found", "storage_unavailable") },
      },
    },
    (request) => webhooks.update(request.tenant_id, request.params.webhook_id, request.body),
  );

  app.delete(
    "/v1/webhooks/:webhook_id",
    {
      schema: {
        tags,
        summary: "Remove a webhook and the log of its deliveries",
        params,
        response: {
          204: z.null().describe("Nothing more is begun; a request under way ends by itself."),
          ...problems("not_found", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      await webhooks.remove(request.tenant_id, request.params.webhook_id);
      reply.code(204);
    },
  );

  app.post(
    "/v1/webhooks/:webhook_id/rotate_secret",
    {
      schema: {
        tags,
        summary: "Sign with a new secret",
        description: "It is shown in this answer only. The old one signs beside it for 24 hours.",
        params,
        response: { 200: webhookSecretSchema, ...problems("not_found", "storage_unavailable") },
      },
    },
    (request) => webhooks.rotateSecret(request.tenant_id, request.params.webhook_id),
  );

  app.post(
    "/v1/webhooks/:webhook_id/test",
    {
      schema: {
        tags,
        summary: "Send one signed request, now",
        description:
          "Of type `sluice.webhook.test`, also to a disabled webhook. It is answered when the receiver has answered.",
        params,
        response: { 200: webhookTestSchema, ...problems("not_found") },
      },
    },
    (request, reply) => webhooks.test(request.tenant_id, request.params.webhook_id, signalOf(reply)),
  );

  app.get(
    "/v1/webhooks/:webhook_id/deliveries",
    {
      schema: {
        tags,
        summary: "List deliveries of a webhook, newest event first",
        description: "Finished ones are kept for SLUICE_WEBHOOK_LOG_DAYS.",
        params,
        querystring: z.strictObject({
          state: deliveryStateSchema.optional(),
          limit: limitSchema,
          cursor: cursorSchema,
        }),
        response: {
          200: z.object({ deliveries: z.array(publicDeliverySchema), next_cursor: nextCursorSchema }),
          ...problems("not_found"),
        },
      },
    },
    async (request) => {
      const { state, limit, cursor } = request.query;
      const found = await webhooks.listDeliveries(request.tenant_id, request.params.webhook_id, {
        limit: limit + 1,
        ...(state === undefined ? {} : { state }),
        ...(cursor === undefined ? {} : { before: sequenceOf(cursor) }),
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        deliveries: page,
        next_cursor: found.length > limit && last ? toCursor(String(last.sequence)) : null,
      };
    },
  );

  app.get(
    "/v1/webhooks/:webhook_id/deliveries/:delivery_id",
    {
      schema: {
        tags,
        summary: "One delivery, with what is sent and every try",
        params: deliveryParams,
        response: { 200: deliveryDetailSchema, ...problems("not_found") },
      },
    },
    (request) => {
      const { webhook_id, delivery_id } = request.params;
      return webhooks.getDelivery(request.tenant_id, webhook_id, delivery_id);
    },
  );

  app.post(
    "/v1/webhooks/:webhook_id/deliveries/:delivery_id/replay",
    {
      schema: {
        tags,
        summary: "Make a delivery once more",
        description:
          "At once, under the same webhook-id, its attempts counted from zero. Where an earlier delivery of the same " +
          "document is pending, it waits for that one.",
        params: deliveryParams,
        response: { 202: publicDeliverySchema, ...problems("not_found", "storage_unavailable") },
      },
    },
    async (request, reply) => {
      const { webhook_id, delivery_id } = request.params;
      reply.code(202);
      return webhooks.replay(request.tenant_id, webhook_id, delivery_id);
    },
  );

  app.post(
    "/v1/webhooks/:webhook_id/replay",
    {
      schema: {
        tags,
        summary: "Make all failed deliveries once more",
        params,
        body: z.strictObject({ state: z.literal("failed") }),
        response: {
          202: z.object({ replayed: z.int().nonnegative() }),
          ...problems("not_found", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      reply.code(202);
      return webhooks.replayFailed(request.tenant_id, request.params.webhook_id);
    },
  );
}

function sequenceOf(cursor: string): number {
  const place = placeOf(cursor);
  if (/^\d{1,15}$/.test(place)) return Number(place);
  throw new SluiceError("invalid_request", "cursor: is not one that this list gave");
}
