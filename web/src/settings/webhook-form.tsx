/** A webhook's settings: where, what and of which collection; to make one, or to change it. */
import { useId, useState } from "preact/hooks";
import type { EventType, Webhook, WebhookRequest } from "../../../src/client/index.ts";
import { ErrorNote } from "../ui/status.tsx";
import { eventTypes, eventWords } from "./event-words.ts";

interface WebhookFormProps {
  webhook?: Webhook;
  action: string;
  /** What it throws is shown. */
  onSave: (request: WebhookRequest) => Promise<void>;
}

export function WebhookForm({ webhook, action, onSave }: WebhookFormProps) {
  const id = useId();
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [collection, setCollection] = useState(webhook?.collection ?? "");
  const [some, setSome] = useState(webhook !== undefined && webhook.event_types !== null);
  const [types, setTypes] = useState<ReadonlySet<EventType>>(
    new Set(webhook?.event_types ?? ["rag.ingestion.completed", "rag.ingestion.failed"]),
  );
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function save(): Promise<void> {
    if (some && types.size === 0) {
      setTrouble("Choose at least one event, or all of them.");
      return;
    }
    setBusy(true);
    setTrouble(null);
    try {
      await onSave({
        url: url.trim(),
        description: description.trim(),
        collection: collection.trim() === "" ? null : collection.trim(),
        event_types: some ? eventTypes.filter((type) => types.has(type)) : null,
      });
    } catch (error) {
      setTrouble((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <div class="field">
        <label for={`${id}-url`}>Address</label>
        <input
          id={`${id}-url`}
          type="url"
          required
          spellcheck={false}
          placeholder="https://example.com/sluice"
          value={url}
          onInput={(event) => setUrl(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for={`${id}-description`}>Description</label>
        <input
          id={`${id}-description`}
          type="text"
          placeholder="for the archive's index"
          value={description}
          onInput={(event) => setDescription(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for={`${id}-collection`}>Collection</label>
        <input
          id={`${id}-collection`}
          type="text"
          spellcheck={false}
          placeholder="all of them"
          value={collection}
          onInput={(event) => setCollection(event.currentTarget.value)}
        />
      </div>
      <fieldset class="settings-events">
        <legend>Events</legend>
        <label class="check">
          <input type="radio" name={`${id}-events`} checked={!some} onChange={() => setSome(false)} />
          All but progress
        </label>
        <label class="check">
          <input type="radio" name={`${id}-events`} checked={some} onChange={() => setSome(true)} />
          Only these
        </label>
        {some &&
          eventTypes.map((type) => (
            <label key={type} class="check settings-event">
              <input
                type="checkbox"
                checked={types.has(type)}
                onChange={(event) => {
                  const next = new Set(types);
                  if (event.currentTarget.checked) next.add(type);
                  else next.delete(type);
                  setTypes(next);
                }}
              />
              <span>
                <code>{type}</code> <span class="hint">{eventWords[type]}</span>
              </span>
            </label>
          ))}
      </fieldset>
      {trouble !== null && <ErrorNote>{trouble}</ErrorNote>}
      <div class="actions">
        <button class="primary" type="submit" disabled={busy}>
          {action}
        </button>
      </div>
    </form>
  );
}
