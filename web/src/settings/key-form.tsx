/** Making a key. The first of a server is taken over into this tab at once, so that nobody locks themselves out. */
import { useState } from "preact/hooks";
import { session, sluice, useKey } from "../session.ts";
import { ErrorNote } from "../ui/status.tsx";
import { madeKey } from "./made-key.ts";

const DAY = 86_400;
const ends = [
  { seconds: 0, words: "When it is revoked" },
  { seconds: 3_600, words: "In an hour" },
  { seconds: DAY, words: "In a day" },
  { seconds: 30 * DAY, words: "In 30 days" },
  { seconds: 90 * DAY, words: "In 90 days" },
  { seconds: 365 * DAY, words: "In a year" },
];

export function KeyForm({ first, onMade }: { first: boolean; onMade: () => void }) {
  const [name, setName] = useState("");
  const [seconds, setSeconds] = useState(0);
  const [operator, setOperator] = useState(first);
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function make(): Promise<void> {
    setBusy(true);
    setTrouble(null);
    try {
      const key = await sluice().createKey({
        name: name.trim(),
        operator,
        ...(seconds === 0 ? {} : { expires_in_seconds: seconds }),
      });
      madeKey.value = { ...key, own: first };
      onMade();
      // All that comes after needs it: also the list behind this form.
      if (first) useKey(key.key);
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
        void make();
      }}
    >
      <div class="field">
        <label for="key-name">What it is for</label>
        <input
          id="key-name"
          type="text"
          maxLength={200}
          autocomplete="off"
          placeholder="nightly import"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for="key-ends">It ends</label>
        <select
          id="key-ends"
          value={String(seconds)}
          onChange={(event) => setSeconds(Number(event.currentTarget.value))}
        >
          {ends.map((each) => (
            <option key={each.seconds} value={String(each.seconds)}>
              {each.words}
            </option>
          ))}
        </select>
      </div>
      {session.value?.operator === true && (
        <div class="field">
          <label class="check">
            <input
              type="checkbox"
              checked={operator}
              onChange={(event) => setOperator(event.currentTarget.checked)}
            />
            Operator: may act for every tenant, and do what concerns all
          </label>
        </div>
      )}
      {first && (
        <p class="warning">
          This is the server's first key: from then on every request needs one.
          {operator
            ? " This tab takes it over."
            : " This tab takes it over, but nobody will be an operator: other tenants, and the reindex, will be out of reach but for the command line."}
          {seconds !== 0 && " When it ends, only the command line on the server makes another."}
        </p>
      )}
      {trouble !== null && <ErrorNote>{trouble}</ErrorNote>}
      <div class="actions">
        <button class="primary" type="submit" disabled={busy}>
          Make the key
        </button>
      </div>
    </form>
  );
}
