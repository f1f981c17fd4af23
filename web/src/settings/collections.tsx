/** Collections: how the documents of each are cut into passages. */
import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { CollectionView } from "../../../src/client/index.ts";
import { sluice } from "../session.ts";
import { announce } from "../ui/announce.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { useLoad } from "../ui/load.ts";
import { ErrorNote } from "../ui/status.tsx";
import { plural } from "../words.ts";
import { CollectionForm, strategyWords } from "./collection-form.tsx";

const PAGE = 200;

export function Collections() {
  const [pages, setPages] = useState<{ collections: CollectionView[]; next_cursor: string | null } | null>(
    null,
  );
  const { value, error, reload } = useLoad(
    (signal) => sluice().listCollections({ limit: PAGE }, { signal }),
    [],
  );
  const editing = useSignal<CollectionView | "new" | null>(null);
  const trouble = useSignal<string | null>(null);
  const collections = [...(value?.collections ?? []), ...(pages?.collections ?? [])];
  const cursor = pages === null ? (value?.next_cursor ?? null) : pages.next_cursor;
  const close = () => {
    editing.value = null;
  };

  async function more(): Promise<void> {
    if (cursor === null) return;
    try {
      const page = await sluice().listCollections({ limit: PAGE, cursor });
      setPages((before) => ({ ...page, collections: [...(before?.collections ?? []), ...page.collections] }));
    } catch (failure) {
      trouble.value = (failure as Error).message;
    }
  }

  return (
    <section class="stack" aria-labelledby="settings-collections">
      <header class="settings-head">
        <div>
          <h2 id="settings-collections">Collections</h2>
          <p class="hint">
            How documents are cut from now on. What is there keeps its passages until it is ingested again.
          </p>
        </div>
        <button
          type="button"
          onClick={() => {
            editing.value = "new";
          }}
        >
          Set up a collection
        </button>
      </header>
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
      {value !== undefined && collections.length === 0 && (
        <p class="settings-none panel">A collection is there as soon as it holds a document, or is set up.</p>
      )}
      {collections.length > 0 && (
        <ul class="panel settings-list">
          {collections.map((each) => (
            <li key={each.collection} class="settings-row">
              <div class="settings-what">
                <p class="settings-title">
                  <b>{each.collection}</b>
                  {each.updated_at !== null && <span class="pill">set up</span>}
                </p>
                <p class="hint">{cutWords(each)}</p>
              </div>
              <p class="hint settings-when">{plural(each.documents, "document")}</p>
              <button
                class="small"
                type="button"
                aria-label={`Change ${each.collection}`}
                onClick={() => {
                  editing.value = each;
                }}
              >
                Change
              </button>
            </li>
          ))}
        </ul>
      )}
      {cursor !== null && (
        <button class="settings-more" type="button" onClick={more}>
          Show more
        </button>
      )}
      {editing.value !== null && (
        <Dialog
          title={editing.value === "new" ? "Set up a collection" : `How ${editing.value.collection} is cut`}
          onClose={close}
        >
          <CollectionForm
            view={editing.value === "new" ? undefined : editing.value}
            onSaved={(name) => {
              announce(`${name} is set.`);
              close();
              setPages(null);
              reload();
            }}
          />
        </Dialog>
      )}
    </section>
  );
}

function cutWords({ effective_chunking }: CollectionView): string {
  const { strategy, max_tokens, overlap_tokens, contextual_header } = effective_chunking;
  return [
    strategyWords[strategy],
    `at most ${max_tokens} tokens`,
    overlap_tokens > 0 ? `${overlap_tokens} of them repeated` : "",
    contextual_header ? "with title and headings" : "",
  ]
    .filter(Boolean)
    .join(", ");
}
