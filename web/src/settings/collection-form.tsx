/** How a collection's documents are cut: what is left open is as the server is set. */
import { useId, useState } from "preact/hooks";
import type { CollectionView } from "../../../src/client/index.ts";
import { sluice } from "../session.ts";
import { ErrorNote } from "../ui/status.tsx";

type Strategy = CollectionView["effective_chunking"]["strategy"];

export const strategyWords: Record<Strategy, string> = {
  structure: "along headings and paragraphs",
  fixed: "wherever they are full",
  sentence: "at the ends of sentences",
  page: "with the page",
};

interface CollectionFormProps {
  /** Undefined: one that has to be named first. */
  view: CollectionView | undefined;
  onSaved: (collection: string) => void;
}

const numberOf = (text: string) => (text.trim() === "" ? null : Number(text));

export function CollectionForm({ view, onSaved }: CollectionFormProps) {
  const id = useId();
  const own = view?.chunking;
  const server = view?.effective_chunking;
  const [name, setName] = useState(view?.collection ?? "");
  const [strategy, setStrategy] = useState<string>(own?.strategy ?? "");
  const [most, setMost] = useState(own?.max_tokens?.toString() ?? "");
  const [overlap, setOverlap] = useState(own?.overlap_tokens?.toString() ?? "");
  const [header, setHeader] = useState(
    own?.contextual_header === undefined || own.contextual_header === null
      ? ""
      : String(own.contextual_header),
  );
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);

  async function attempt(work: () => Promise<unknown>): Promise<void> {
    setBusy(true);
    setTrouble(null);
    try {
      await work();
      onSaved(name.trim());
    } catch (error) {
      setTrouble((error as Error).message);
      setBusy(false);
    }
  }

  const save = () =>
    attempt(() =>
      sluice().putCollection(name.trim(), {
        chunking: {
          strategy: strategy === "" ? null : (strategy as Strategy),
          max_tokens: numberOf(most),
          overlap_tokens: numberOf(overlap),
          contextual_header: header === "" ? null : header === "true",
        },
      }),
    );
  const asServer = (value: string | number | undefined) =>
    value === undefined ? "as the server is set" : `as the server is set (${value})`;

  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {view === undefined && (
        <div class="field">
          <label for={`${id}-name`}>Name</label>
          <input
            id={`${id}-name`}
            type="text"
            required
            maxLength={100}
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            title="Letters, digits, . _ -, first a letter or digit"
            spellcheck={false}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </div>
      )}
      <div class="field">
        <label for={`${id}-strategy`}>Passages end</label>
        <select
          id={`${id}-strategy`}
          value={strategy}
          onChange={(event) => setStrategy(event.currentTarget.value)}
        >
          <option value="">as the server is set</option>
          {Object.entries(strategyWords).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for={`${id}-most`}>Most tokens in a passage</label>
        <input
          id={`${id}-most`}
          type="number"
          min={16}
          max={8192}
          placeholder={asServer(own?.max_tokens === null ? server?.max_tokens : undefined)}
          value={most}
          onInput={(event) => setMost(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for={`${id}-overlap`}>Tokens repeated from the one before</label>
        <input
          id={`${id}-overlap`}
          type="number"
          min={0}
          max={1024}
          placeholder={asServer(own?.overlap_tokens === null ? server?.overlap_tokens : undefined)}
          value={overlap}
          onInput={(event) => setOverlap(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for={`${id}-header`}>Embedded with the document's title and headings</label>
        <select id={`${id}-header`} value={header} onChange={(event) => setHeader(event.currentTarget.value)}>
          <option value="">as the server is set</option>
          <option value="true">yes</option>
          <option value="false">no</option>
        </select>
      </div>
      {trouble !== null && <ErrorNote>{trouble}</ErrorNote>}
      <div class="actions">
        <button class="primary" type="submit" disabled={busy}>
          Save
        </button>
        {view !== undefined && view.updated_at !== null && (
          <button
            type="button"
            disabled={busy}
            onClick={() => attempt(() => sluice().deleteCollection(view.collection))}
          >
            All as the server is set
          </button>
        )}
      </div>
    </form>
  );
}
