/** What was sent to a webhook, newest first: each with its tries, and a way to send it again. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Delivery, DeliveryState } from "../../../src/client/index.ts";
import { documentPath, Link, navigate, parameter, withQuery } from "../router.tsx";
import { sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { useLoad } from "../ui/load.ts";
import { ErrorNote, Pill } from "../ui/status.tsx";
import { exactTime, spanWords } from "../ui/times.ts";
import { formatDuration, plural } from "../words.ts";

const states: { state: "" | DeliveryState; words: string }[] = [
  { state: "", words: "All" },
  { state: "pending", words: "To be sent" },
  { state: "succeeded", words: "Delivered" },
  { state: "failed", words: "Failed" },
];

const stateWords: Record<DeliveryState, string> = {
  pending: "to be sent",
  succeeded: "delivered",
  failed: "failed",
};

const PAGE = 50;
/** While something is to be sent, it is looked at again. */
const AGAIN_MS = 2_000;

export function Deliveries({ webhook_id, onChange }: { webhook_id: string; onChange: () => void }) {
  const state = states.find((each) => each.state === parameter("state"))?.state ?? "";
  const query = state === "" ? {} : { state };
  const [older, setOlder] = useState<{
    of: string;
    deliveries: Delivery[];
    next_cursor: string | null;
  } | null>(null);
  const { value, error, reload } = useLoad(
    (signal) => sluice().listDeliveries(webhook_id, { ...query, limit: PAGE }, { signal }),
    [webhook_id, state],
  );
  const open = useSignal<string | null>(null);
  const asking = useSignal(false);
  const trouble = useSignal<string | null>(null);
  const behind = older?.of === state ? older : null;
  const first = value?.deliveries ?? [];
  const seen = new Set(first.map(({ delivery_id }) => delivery_id));
  const deliveries = [
    ...first,
    ...(behind?.deliveries.filter(({ delivery_id }) => !seen.has(delivery_id)) ?? []),
  ];
  const cursor = behind === null ? (value?.next_cursor ?? null) : behind.next_cursor;
  const pending = deliveries.some((each) => each.state === "pending");

  const changed = useRef(onChange);
  changed.current = onChange;
  useEffect(() => {
    if (!pending) return;
    const timer = setTimeout(() => {
      if (document.hidden) return;
      reload();
      changed.current();
    }, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [pending, value]);

  async function more(): Promise<void> {
    if (cursor === null) return;
    try {
      const page = await sluice().listDeliveries(webhook_id, { ...query, limit: PAGE, cursor });
      setOlder((before) => ({
        of: state,
        deliveries: [...(before?.of === state ? before.deliveries : []), ...page.deliveries],
        next_cursor: page.next_cursor,
      }));
    } catch (failure) {
      trouble.value = (failure as Error).message;
    }
  }

  async function replay(delivery: Delivery): Promise<void> {
    trouble.value = null;
    try {
      await sluice().replayDelivery(webhook_id, delivery.delivery_id);
      announce("It will be sent again.");
    } catch (failure) {
      trouble.value = (failure as Error).message;
    }
    setOlder(null);
    reload();
    onChange();
  }

  return (
    <section class="stack" aria-labelledby="settings-deliveries">
      <header class="settings-head">
        <h3 id="settings-deliveries">Deliveries</h3>
        <div class="actions">
          <button class="small" type="button" onClick={reload}>
            Look again
          </button>
          <button
            class="small"
            type="button"
            onClick={() => {
              asking.value = true;
            }}
          >
            Replay all failed
          </button>
        </div>
      </header>
      <fieldset class="choices settings-states">
        <legend class="unseen">State</legend>
        {states.map(({ state: each, words }) => (
          <label key={each}>
            <input
              type="radio"
              name="state"
              checked={each === state}
              onChange={() => navigate(withQuery({ state: each }), { replace: true })}
            />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
      {value !== undefined && deliveries.length === 0 && (
        <p class="settings-none panel">
          {state === "" ? "Nothing has been sent yet. A test is not listed here." : "None is in this state."}
        </p>
      )}
      {deliveries.length > 0 && (
        <ul class="panel settings-list">
          {deliveries.map((delivery) => (
            <li key={delivery.delivery_id}>
              <div class="settings-row">
                <div class="settings-what">
                  <p class="settings-title">
                    <code>{delivery.event_type}</code>
                    <Pill kind={delivery.state} text={stateWords[delivery.state]} />
                  </p>
                  <p class="hint">
                    <Link href={documentPath(delivery.document_id)}>{delivery.document_id}</Link>,{" "}
                    {plural(delivery.attempts, "try").replace(/trys$/, "tries")}
                    {delivery.status !== null && `, answered ${delivery.status}`}
                    {delivery.state === "pending" &&
                      delivery.next_attempt_at !== null &&
                      nextWords(delivery.next_attempt_at)}
                  </p>
                  {delivery.error !== null && delivery.state !== "succeeded" && (
                    <p class="settings-trouble">{delivery.error}</p>
                  )}
                </div>
                <p class="hint settings-when">
                  <Ago at={delivery.finished_at ?? delivery.created_at} />
                </p>
                <div class="actions">
                  {(delivery.state !== "pending" || delivery.attempts > 0) && (
                    <button
                      class="small"
                      type="button"
                      aria-label={`${delivery.state === "pending" ? "Send now:" : "Replay"} ${delivery.event_type} of ${delivery.document_id}`}
                      onClick={() => replay(delivery)}
                    >
                      {delivery.state === "pending" ? "Send now" : "Replay"}
                    </button>
                  )}
                  <button
                    class="small"
                    type="button"
                    aria-expanded={open.value === delivery.delivery_id}
                    aria-label={`Tries of ${delivery.event_type} of ${delivery.document_id}`}
                    onClick={() => {
                      open.value = open.value === delivery.delivery_id ? null : delivery.delivery_id;
                    }}
                  >
                    {open.value === delivery.delivery_id ? "Less" : "Tries"}
                  </button>
                </div>
              </div>
              {open.value === delivery.delivery_id && <Tries webhook_id={webhook_id} delivery={delivery} />}
            </li>
          ))}
        </ul>
      )}
      {cursor !== null && (
        <button class="settings-more" type="button" onClick={more}>
          Show more
        </button>
      )}
      {asking.value && (
        <Confirm
          title="Send all failed ones again?"
          action="Send them again"
          run={async () => {
            const { replayed } = await sluice().replayFailedDeliveries(webhook_id);
            announce(`${plural(replayed, "event")} will be sent again.`);
            setOlder(null);
            reload();
            onChange();
          }}
          onClose={() => {
            asking.value = false;
          }}
        >
          <p>Every delivery of this webhook that failed for good is sent again, oldest first.</p>
        </Confirm>
      )}
    </section>
  );
}

function nextWords(next_attempt_at: string): string {
  const wait = Date.parse(next_attempt_at) - Date.now();
  return wait > 1_000 ? `, next in ${spanWords(wait)}` : ", next at once";
}

function Tries({ webhook_id, delivery }: { webhook_id: string; delivery: Delivery }) {
  const { delivery_id, attempts, state } = delivery;
  const { value, error } = useLoad(
    (signal) => sluice().getDelivery(webhook_id, delivery_id, { signal }),
    [delivery_id, attempts, state],
  );
  if (error !== undefined) return <ErrorNote>{error.message}</ErrorNote>;
  if (value === undefined) return <p class="hint settings-tries">Loading …</p>;
  return (
    <div class="settings-tries stack">
      {value.tries.length === 0 && <p class="hint">Not tried yet.</p>}
      {value.tries.length > 0 && (
        <ol class="stack">
          {value.tries.map((attempt, index) => (
            <li key={attempt.at} class="stack">
              <p>
                <b>{index + 1}.</b> <time dateTime={attempt.at}>{exactTime(attempt.at)}</time>:{" "}
                {attempt.status === null ? "no answer" : `answered ${attempt.status}`} after{" "}
                {formatDuration(attempt.duration_ms)}
                {attempt.error !== null && <span class="settings-trouble"> {attempt.error}</span>}
              </p>
              {attempt.response !== null && attempt.response !== "" && (
                <Text name="Answer" text={attempt.response} />
              )}
            </li>
          ))}
        </ol>
      )}
      <Text name="Body" text={pretty(value.body)} />
    </div>
  );
}

function Text({ name, text }: { name: string; text: string }) {
  return (
    <figure class="settings-text">
      <figcaption class="hint">{name}</figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable */}
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body; // Then it is shown as it was sent.
  }
}
