/** One webhook: how it does, what can be done with it, and all that was sent. */
import { useSignal } from "@preact/signals";
import type { ListedWebhook, WebhookTest } from "../../../src/client/index.ts";
import { Link, navigate } from "../router.tsx";
import { sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { useLoad } from "../ui/load.ts";
import { ErrorNote } from "../ui/status.tsx";
import { formatDuration } from "../words.ts";
import { Deliveries } from "./deliveries.tsx";
import { Secret, told } from "./secret.tsx";
import { Verifying } from "./verifying.tsx";
import { WebhookForm } from "./webhook-form.tsx";
import { Health, healthWords } from "./webhooks.tsx";

export function WebhookDetail({ webhook_id }: { webhook_id: string }) {
  const { value, error, reload } = useLoad(
    // The list alone tells how it does.
    async (signal) =>
      (await sluice().listWebhooks({ signal })).webhooks.find((each) => each.webhook_id === webhook_id) ??
      null,
    [webhook_id],
  );
  const back = (
    <p>
      <Link href="/settings/webhooks">All webhooks</Link>
    </p>
  );
  if (value === undefined)
    return <section class="stack">{error && <ErrorNote>{error.message}</ErrorNote>}</section>;
  if (value === null) {
    return (
      <section class="stack">
        {back}
        <p class="settings-none panel">There is no webhook {webhook_id}.</p>
      </section>
    );
  }
  return (
    <section class="stack" aria-labelledby="settings-webhook">
      {back}
      <header class="settings-head">
        <div>
          <h2 id="settings-webhook">{value.url}</h2>
          {value.description !== "" && <p class="hint">{value.description}</p>}
        </div>
        <Health webhook={value} />
      </header>
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      <Secret webhook_id={webhook_id} />
      {!value.enabled && (
        <p class="warning">
          It is off{value.disabled_reason === null ? "" : `: ${value.disabled_reason}`}. Nothing is sent to
          it.
        </p>
      )}
      <Facts webhook={value} />
      <Doings webhook={value} reload={reload} />
      <Deliveries webhook_id={webhook_id} onChange={reload} />
      <Verifying />
    </section>
  );
}

function Facts({ webhook }: { webhook: ListedWebhook }) {
  const { event_types, collection, created_at } = webhook;
  return (
    <dl class="panel settings-facts">
      <dt>Deliveries</dt>
      <dd>{healthWords(webhook)}</dd>
      <dt>Events</dt>
      <dd>
        {event_types === null
          ? "all but progress"
          : event_types.map((type) => (
              <>
                <code key={type}>{type}</code>{" "}
              </>
            ))}
      </dd>
      <dt>Collection</dt>
      <dd>{collection ?? "all of them"}</dd>
      <dt>Made</dt>
      <dd>
        <Ago at={created_at} />
      </dd>
    </dl>
  );
}

function Doings({ webhook, reload }: { webhook: ListedWebhook; reload: () => void }) {
  const { webhook_id, url, enabled } = webhook;
  const open = useSignal<"edit" | "delete" | "rotate" | null>(null);
  const testing = useSignal(false);
  const outcome = useSignal<WebhookTest | null>(null);
  const trouble = useSignal<string | null>(null);
  const close = () => {
    open.value = null;
  };

  async function attempt(work: () => Promise<void>): Promise<void> {
    trouble.value = null;
    try {
      await work();
    } catch (error) {
      trouble.value = (error as Error).message;
    }
  }

  async function test(): Promise<void> {
    testing.value = true;
    outcome.value = null;
    await attempt(async () => {
      outcome.value = await sluice().testWebhook(webhook_id);
    });
    testing.value = false;
  }

  return (
    <>
      <div class="actions">
        <button type="button" disabled={testing.value} onClick={test}>
          {testing.value ? "Sending …" : "Send a test"}
        </button>
        <button
          type="button"
          onClick={() => {
            open.value = "edit";
          }}
        >
          Edit
        </button>
        <button
          type="button"
          onClick={() =>
            attempt(async () => {
              await sluice().updateWebhook(webhook_id, { enabled: !enabled });
              announce(enabled ? "The webhook is off." : "The webhook is on.");
              reload();
            })
          }
        >
          {enabled ? "Turn off" : "Turn on"}
        </button>
        <button
          type="button"
          onClick={() => {
            open.value = "rotate";
          }}
        >
          Rotate the secret
        </button>
        <button
          class="danger"
          type="button"
          onClick={() => {
            open.value = "delete";
          }}
        >
          Delete
        </button>
      </div>
      {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
      {outcome.value !== null && <TestOutcome outcome={outcome.value} />}
      {open.value === "edit" && (
        <Dialog title="Edit the webhook" onClose={close}>
          <WebhookForm
            webhook={webhook}
            action="Save"
            onSave={async (change) => {
              await sluice().updateWebhook(webhook_id, change);
              announce("Saved.");
              close();
              reload();
            }}
          />
        </Dialog>
      )}
      {open.value === "rotate" && (
        <Confirm
          title="Rotate the secret?"
          action="Rotate it"
          run={async () => {
            const { secret } = await sluice().rotateWebhookSecret(webhook_id);
            told.value = { webhook_id, secret, rotated: true };
            announce("The secret is rotated. The new one is shown only now.");
          }}
          onClose={close}
        >
          <p>A new secret is made and shown once. The old one signs too for 24 hours, then no more.</p>
        </Confirm>
      )}
      {open.value === "delete" && (
        <Confirm
          title="Delete the webhook?"
          action="Delete it"
          danger
          run={async () => {
            await sluice().deleteWebhook(webhook_id);
            announce("The webhook is deleted.");
            navigate("/settings/webhooks");
          }}
          onClose={close}
        >
          <p>
            Nothing is sent to {url} any more, and its log of deliveries goes with it. To pause it, turn it
            off instead.
          </p>
        </Confirm>
      )}
    </>
  );
}

function TestOutcome({ outcome }: { outcome: WebhookTest }) {
  const { status, error, duration_ms } = outcome;
  const good = error === null && status !== null && status >= 200 && status < 300;
  return (
    <p class={good ? "notice" : "error"} role="status">
      {good
        ? `It arrived: the receiver answered ${status} after ${formatDuration(duration_ms)}.`
        : `It did not arrive: ${error ?? `the receiver answered ${status}`} (after ${formatDuration(duration_ms)}).`}
    </p>
  );
}
