/** Every document, as far as one scrolls. */
import { useComputed, useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef } from "preact/hooks";
import { documentPath, Link, navigate, place, withQuery } from "../router.tsx";
import { sluice } from "../session.ts";
import { isTyping } from "../shortcuts.tsx";
import { Icon } from "../ui/icons.tsx";
import { narrow } from "../ui/media.ts";
import { Screen } from "../ui/screen.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { VirtualList, type VirtualListHandle } from "../ui/virtual-list.tsx";
import { plural } from "../words.ts";
import { type Action, allThatMatch } from "./bulk.ts";
import { BulkDialog } from "./bulk-dialog.tsx";
import { DocumentRow } from "./document-row.tsx";
import { Refine, StatusChoice, TextFilter } from "./filter-bar.tsx";
import { filterOf, isFiltered, type ListQuery, queryOf } from "./query.ts";
import { rows } from "./rows.ts";
import {
  countOf,
  everything,
  extend,
  isSelected,
  nothing,
  type Selection,
  toggle,
  without,
} from "./selection.ts";
import { useDocumentList } from "./use-list.ts";
import "./documents.css";

const ROW_PX = 58;
const CARD_PX = 106;

export function DocumentsScreen() {
  const { path, query: parameters } = place.value;
  const last = useRef<ListQuery | undefined>(undefined);
  // Another screen's address is none of this one's, in the moment before it takes the place of this.
  if (path === "/documents" || last.current === undefined) last.current = queryOf(parameters);
  const query = last.current;
  const { list, stale } = useDocumentList(query);
  const ids = list.ids.value;
  const total = list.total.value;
  const fresh = list.fresh.value;
  const error = list.error.value;

  const selection = useSignal<Selection>(nothing);
  const active = useSignal<string | undefined>(undefined);
  const bulk = useSignal<Action | undefined>(undefined);
  const handle = useRef<VirtualListHandle>(null);
  const focusNext = useRef(false);

  useEffect(() => {
    selection.value = nothing;
    active.value = undefined;
  }, [list]);
  useEffect(() => {
    // What was deleted can't be selected any more.
    const { all, ids: chosen } = selection.peek();
    if (all || chosen.size === 0) return;
    const gone = [...chosen].filter((id) => rows.peek(id) === undefined);
    selection.value = without(selection.peek(), gone);
  }, [ids]);

  const selected = countOf(selection.value, total ?? 0);
  const activeIndex = active.value === undefined ? -1 : ids.indexOf(active.value);

  const choose = useCallback(
    (id: string, range: boolean) => {
      active.value = id;
      selection.value = range ? extend(selection.peek(), id, list.ids.peek()) : toggle(selection.peek(), id);
    },
    [list],
  );

  useEffect(() => {
    const move = (by: number, range: boolean) => {
      const order = list.ids.peek();
      const from = active.peek() === undefined ? (by > 0 ? -1 : 0) : order.indexOf(active.peek()!);
      const to = Math.max(0, Math.min(order.length - 1, from + by));
      const id = order[to];
      if (id === undefined) return;
      if (range && selection.peek().anchor === undefined && from >= 0) {
        selection.value = toggle(selection.peek(), order[from]!);
      }
      active.value = id;
      if (range) selection.value = extend(selection.peek(), id, order);
      focusNext.current = true;
      handle.current?.reveal(to);
      list.need(to);
    };
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
      if (isTyping(event) || document.querySelector("dialog[open]")) return;
      const at = active.peek();
      const { target } = event;
      const inList = target instanceof Node && handle.current?.element.contains(target) === true;
      const nowhere = target === document.body || (target instanceof HTMLElement && target.tagName === "H1");
      const arrows = inList || nowhere;
      if (event.key === "j" || event.key === "J" || (arrows && event.key === "ArrowDown"))
        move(1, event.shiftKey);
      else if (event.key === "k" || event.key === "K" || (arrows && event.key === "ArrowUp"))
        move(-1, event.shiftKey);
      else if (event.key === "x" && at !== undefined) choose(at, false);
      else if (event.key === "X" && at !== undefined) choose(at, true);
      else if (event.key === "a") selection.value = everything;
      else if (event.key === "Enter" && at !== undefined && (nowhere || isCheckbox(target))) {
        navigate(documentPath(at));
      } else if (event.key === "Escape" && countOf(selection.peek(), 1) > 0) selection.value = nothing;
      else if (event.key === "Delete" && countOf(selection.peek(), list.total.peek() ?? 0) > 0) {
        bulk.value = "delete";
      } else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [list]);

  useEffect(() => {
    if (!focusNext.current || activeIndex < 0) return;
    focusNext.current = false;
    const row = handle.current?.element.querySelector(`li[aria-posinset="${activeIndex + 1}"] a`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
  });

  const firstId = ids[0];
  const reachable = activeIndex < 0 ? firstId : active.value;
  const drawn = useCallback(
    (index: number) => {
      const id = ids[index];
      if (id === undefined) return <div class="documents-row" aria-busy="true" />;
      return (
        <DocumentRow
          document_id={id}
          selected={isSelected(selection.value, id)}
          active={id === reachable}
          onSelect={(range) => choose(id, range)}
          onFocus={() => {
            active.value = id;
          }}
        />
      );
    },
    [ids, selection.value, reachable, choose],
  );

  const parent = useComputed(() => rows.read(query.parent_document_id)?.document.filename).value;
  const nothingHere = total === 0 && fresh === 0;
  return (
    <Screen title="Documents" wide hint={hintOf(list.counts.value?.total, query)}>
      <div class="documents-bar">
        <TextFilter query={query} />
        <Refine query={query} />
      </div>
      <StatusChoice query={query} counts={list.counts.value} />
      {query.parent_document_id !== "" && (
        <p class="notice documents-parent">
          Only what came inside {parent ?? "one document"}.{" "}
          <Link href={withQuery({ parent_document_id: null })}>Show all</Link>
        </p>
      )}
      {error && (
        <ErrorNote>
          {error.message}{" "}
          <button class="link" type="button" onClick={list.reload}>
            Try again
          </button>
        </ErrorNote>
      )}
      {nothingHere ? (
        <Nothing filtered={isFiltered(query)} />
      ) : (
        <section
          class={`documents-list panel ${stale ? "stale" : ""}`}
          aria-label="Documents"
          aria-busy={stale}
        >
          <div class="documents-row documents-head">
            <input
              type="checkbox"
              aria-label={`Select all ${total === undefined ? "" : total.toLocaleString("en")} that match`}
              checked={selected > 0 && selected === total}
              indeterminate={selected > 0 && selected !== total}
              onChange={() => {
                selection.value = selected > 0 ? nothing : everything;
              }}
            />
            <span class="documents-head-name">
              {narrow.value ? `All ${total === undefined ? "" : total.toLocaleString("en")}` : "Name"}
            </span>
            <span>Collection</span>
            <span>Status</span>
            <span class="number">Found</span>
            <span class="number">Size</span>
            <span class="number">Added</span>
          </div>
          {fresh > 0 && (
            <button
              class="documents-fresh"
              type="button"
              onClick={() => {
                list.reload();
                window.scrollTo(0, 0);
              }}
            >
              {fresh.toLocaleString("en")} new – show
            </button>
          )}
          <VirtualList
            handle={handle}
            label="Documents"
            class="documents-rows"
            count={total ?? 0}
            heights={narrow.value ? CARD_PX : ROW_PX}
            keyOf={(index) => ids[index] ?? `row-${index}`}
            pinned={activeIndex < 0 ? undefined : activeIndex}
            onRange={(_first, end) => list.need(end)}
          >
            {drawn}
          </VirtualList>
        </section>
      )}
      {selected > 0 && (
        <div class="documents-bulk" role="toolbar" aria-label="Selected documents">
          <p aria-live="polite">{selected.toLocaleString("en")} selected</p>
          <button class="small" type="button" onClick={() => (bulk.value = "reingest")}>
            <Icon name="retry" /> Ingest again
          </button>
          <button class="small" type="button" onClick={() => (bulk.value = "cancel")}>
            <Icon name="stop" /> Cancel
          </button>
          <button class="small danger" type="button" onClick={() => (bulk.value = "delete")}>
            <Icon name="trash" /> Delete
          </button>
          <button
            class="quiet"
            type="button"
            aria-label="Select none"
            onClick={() => {
              selection.value = nothing;
            }}
          >
            <Icon name="close" />
          </button>
        </div>
      )}
      {bulk.value && (
        <BulkDialog
          action={bulk.value}
          collect={(signal) => selectedDocuments(selection.peek(), query, signal)}
          onClose={() => {
            bulk.value = undefined;
          }}
          onDone={() => {
            if (bulk.peek() === "delete") selection.value = nothing;
            // What had the focus may be gone.
            if (document.activeElement === document.body) document.querySelector("h1")?.focus();
          }}
        />
      )}
    </Screen>
  );
}

async function selectedDocuments(selection: Selection, query: ListQuery, signal: AbortSignal) {
  if (selection.all) {
    const all = await allThatMatch(sluice(), filterOf(query), signal);
    return all.filter(({ document_id }) => isSelected(selection, document_id));
  }
  return [...selection.ids].map((id) => rows.peek(id)?.document).filter((document) => document !== undefined);
}

function isCheckbox(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type === "checkbox";
}

function hintOf(total: number | undefined, query: ListQuery): string {
  if (total === undefined) return "\u00a0";
  return isFiltered({ ...query, status: "all" })
    ? `${plural(total, "document")} match`
    : plural(total, "document");
}

function Nothing({ filtered }: { filtered: boolean }) {
  return (
    <div class="panel documents-nothing">
      <p>{filtered ? "No document matches." : "There are no documents yet."}</p>
      {filtered ? (
        <Link class="button" href="/documents">
          Show all
        </Link>
      ) : (
        <Link class="button primary" href="/">
          Upload some
        </Link>
      )}
    </div>
  );
}
