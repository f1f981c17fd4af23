/** What a webhook is sent: a CloudEvent, signed. The same event makes the same body at every try. */
import { encodeStructured, toCloudEvent } from "../cloudevents.ts";
import type { SluiceEvent } from "../events.ts";
import type { StoredWebhook } from "../ports/webhook-store.ts";
import { signedHeaders } from "./sign.ts";

export function bodyOf(event: SluiceEvent, source: string): string {
  return encodeStructured(toCloudEvent(event, { source })).body;
}

/** @param now Unix milliseconds of this try */
export function headersOf(webhook: StoredWebhook, id: string, body: string, now: number) {
  const { secret, previous_secret, previous_secret_until } = webhook;
  const stillSigns =
    previous_secret !== null && previous_secret_until !== null && now < Date.parse(previous_secret_until);
  return {
    "content-type": "application/cloudevents+json",
    "user-agent": "Sluice-Webhooks/1.0",
    ...signedHeaders(id, now, body, stillSigns ? [secret, previous_secret] : [secret]),
  };
}
