/** What to see of the documents: every choice is in the address. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { DocumentSummary } from "../../../src/client/index.ts";
import { navigate, withQuery } from "../router.tsx";
import { sluice } from "../session.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";
import { useLoad } from "../ui/load.ts";
import { narrow } from "../ui/media.ts";
import { kindOf } from "../words.ts";
import { type GroupName, groups, type ListQuery, type SortName, sorts } from "./query.ts";

const TYPING_MS = 200;

const choose = (change: Record<string, string | null>) => navigate(withQuery(change), { replace: true });

interface FilterBarProps {
  query: ListQuery;
  counts: DocumentSummary | undefined;
}

export function StatusChoice({ query, counts }: FilterBarProps) {
  const count = (name: GroupName) =>
    counts && groups[name].statuses.reduce((sum, status) => sum + (counts.by_status[status] ?? 0), 0);
  return (
    <fieldset class="choices documents-groups">
      <legend class="unseen">Status</legend>
      {(Object.keys(groups) as GroupName[]).map((name) => (
        <label key={name}>
          <input
            type="radio"
            name="status"
            checked={query.status === name}
            onChange={() => choose({ status: name === "all" ? null : name })}
          />
          <span>
            {groups[name].name} <b class="count">{count(name)?.toLocaleString("en")}</b>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function TextFilter({ query }: { query: ListQuery }) {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    // By the way back, or a link; not while somebody types.
    if (document.activeElement !== input.current) input.current!.value = query.text;
  }, [query.text]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const apply = () => {
    clearTimeout(timer.current);
    choose({ text: input.current!.value.trim() });
  };
  return (
    <search class="documents-text">
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        aria-label="File name or title"
        placeholder="File name or title"
        defaultValue={query.text}
        onInput={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(apply, TYPING_MS);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") apply();
          else if (event.key === "Escape" && input.current!.value === "") input.current!.blur();
        }}
      />
    </search>
  );
}

/** Collection, kind and order: side by side, or behind a button where there is no room. */
export function Refine({ query }: { query: ListQuery }) {
  const open = useSignal(false);
  if (!narrow.value) return <RefineFields query={query} />;
  const many = [query.collection, query.media_type, query.sort === "newest" ? "" : query.sort].filter(
    Boolean,
  );
  return (
    <>
      <button
        type="button"
        onClick={() => {
          open.value = true;
        }}
      >
        <Icon name="filter" />
        <span>
          <span class="unseen">Filter and order</span>
          {many.length > 0 && <b class="count">{many.length}</b>}
        </span>
      </button>
      {open.value && (
        <Dialog
          title="Filter and order"
          onClose={() => {
            open.value = false;
          }}
        >
          <div class="stack">
            <RefineFields query={query} />
          </div>
        </Dialog>
      )}
    </>
  );
}

function RefineFields({ query }: { query: ListQuery }) {
  const collections = useLoad((signal) => sluice().listCollections({ limit: 200 }, { signal }), []);
  const { collection } = query;
  const kinds = useLoad(
    (signal) => sluice().summarizeDocuments(collection === "" ? {} : { collection }, { signal }),
    [collection],
  );
  const names = (collections.value?.collections ?? []).map((each) => each.collection);
  const types = (kinds.value?.by_media_type ?? []).map(({ media_type }) => media_type);
  return (
    <>
      <Select
        label="Collection"
        value={query.collection}
        options={[["", "All collections"], ...withChosen(names, query.collection).map(same)]}
        onChoose={(value) => choose({ collection: value })}
      />
      <Select
        label="Kind"
        value={query.media_type}
        options={[
          ["", "All kinds"],
          ...withChosen(types, query.media_type).map((type): [string, string] => [type, nameOfType(type)]),
        ]}
        onChoose={(value) => choose({ media_type: value })}
      />
      <Select
        label="Order"
        value={query.sort}
        options={(Object.keys(sorts) as SortName[]).map((name) => [name, sorts[name].name])}
        onChoose={(value) => choose({ sort: value === "newest" ? null : value })}
      />
    </>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: [value: string, text: string][];
  onChoose: (value: string) => void;
}

function Select({ label, value, options, onChoose }: SelectProps) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
      {options.map(([each, text]) => (
        <option key={each} value={each} selected={each === value}>
          {text}
        </option>
      ))}
    </select>
  );
}

const same = (value: string): [string, string] => [value, value];

/** What was chosen is among the choices, also where nothing has it any more. */
function withChosen(values: string[], chosen: string): string[] {
  return chosen === "" || values.includes(chosen) ? values : [...values, chosen];
}

function nameOfType(media_type: string): string {
  const kind = kindOf(media_type, "");
  return kind === "FILE" ? media_type : `${kind} (${media_type.replace(/.*[/.-]/, "")})`;
}
