/** Webhooks: who is told of what, and whether it arrives. */
import { useSignal } from "@preact/signals";
import type { ListedWebhook } from "../../../src/client/index.ts";
import { Link, navigate } from "../router.tsx";
import { sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { useLoad } from "../ui/load.ts";
import { ErrorNote, Pill } from "../ui/status.tsx";
import { plural } from "../words.ts";
import { told } from "./secret.tsx";
import { WebhookForm } from "./webhook-form.tsx";

export const webhookPath = (webhook_id: string) => `/settings/webhooks/${encodeURIComponent(webhook_id)}`;

export function Webhooks() {
  const { value, error } = useLoad((signal) => sluice().listWebhooks({ signal }), []);
  const making = useSignal(false);
  return (
    <section class="stack" aria-labelledby="settings-webhooks">
      <header class="settings-head">
        <div>
          <h2 id="settings-webhooks">Webhooks</h2>
          <p class="hint">
            Events are sent to an address of yours as they happen, signed, and again until it answers.
          </p>
        </div>
        <button
          class="primary"
          type="button"
          onClick={() => {
            making.value = true;
          }}
        >
          Make a webhook
        </button>
      </header>
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      {value !== undefined && value.webhooks.length === 0 && (
        <p class="settings-none panel">Nobody is told of anything yet.</p>
      )}
      {value !== undefined && value.webhooks.length > 0 && (
        <ul class="panel settings-list">
          {value.webhooks.map((webhook) => (
            <li key={webhook.webhook_id} class="settings-row">
              <div class="settings-what">
                <p class="settings-title">
                  <Link href={webhookPath(webhook.webhook_id)}>{webhook.url}</Link>
                  <Health webhook={webhook} />
                </p>
                <p class="hint">{[webhook.description, aboutWhat(webhook)].filter(Boolean).join(" · ")}</p>
              </div>
              <p class="hint settings-when">{healthWords(webhook)}</p>
            </li>
          ))}
        </ul>
      )}
      {making.value && (
        <Dialog
          title="A new webhook"
          onClose={() => {
            making.value = false;
          }}
        >
          <WebhookForm
            action="Make the webhook"
            onSave={async (request) => {
              const { secret, ...webhook } = await sluice().createWebhook(request);
              told.value = { webhook_id: webhook.webhook_id, secret, rotated: false };
              announce("The webhook is made. Its secret is shown only now.");
              navigate(webhookPath(webhook.webhook_id));
            }}
          />
        </Dialog>
      )}
    </section>
  );
}

export function Health({ webhook }: { webhook: ListedWebhook }) {
  const { enabled, failed, last_succeeded_at, last_failed_at } = webhook;
  if (!enabled) return <Pill kind="dead" text="off" />;
  // The last thing that happened counts for more than what failed long ago.
  if (last_failed_at !== null && (last_succeeded_at === null || last_failed_at > last_succeeded_at)) {
    return <Pill kind="failed" text="failing" />;
  }
  if (failed > 0) return <Pill kind="retrying" text={`${failed.toLocaleString("en")} failed`} />;
  return last_succeeded_at === null ? (
    <Pill kind="neutral" text="nothing sent yet" />
  ) : (
    <Pill kind="completed" text="delivers" />
  );
}

export function healthWords({ pending, failed, last_succeeded_at }: ListedWebhook) {
  return (
    <>
      {pending > 0 && `${pending.toLocaleString("en")} to be sent, `}
      {failed > 0 && `${failed.toLocaleString("en")} failed, `}
      {last_succeeded_at === null ? (
        "never delivered"
      ) : (
        <>
          last delivered <Ago at={last_succeeded_at} />
        </>
      )}
    </>
  );
}

export function aboutWhat({ event_types, collection }: ListedWebhook): string {
  const types =
    event_types === null ? "all events but progress" : `${plural(event_types.length, "type")} of event`;
  return collection === null ? types : `${types} in ${collection}`;
}
