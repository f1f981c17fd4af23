/** Asking, and what was found. All of a search stands in the address. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { SearchAnswer, SearchMode } from "../../../src/search/search.ts";
import { rememberPassages } from "../document/found.ts";
import { onEvents } from "../live.ts";
import { Link, navigate, place } from "../router.tsx";
import { sluice } from "../session.ts";
import { announce } from "../ui/announce.tsx";
import { Icon } from "../ui/icons.tsx";
import { useLoad } from "../ui/load.ts";
import { Screen } from "../ui/screen.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { formatDuration, plural } from "../words.ts";
import { Chips, Filters, withoutAll } from "./filters.tsx";
import { Hit } from "./hit.tsx";
import { bestOf } from "./match.tsx";
import { type Asked, addressOf, chipsOf, FIRST_HITS, MOST_HITS, readAsked, requestOf } from "./query.ts";
import "./search.css";

const modes: { mode: SearchMode; text: string; title: string }[] = [
  { mode: "hybrid", text: "Hybrid", title: "By meaning and by words" },
  { mode: "vector", text: "Meaning", title: "By meaning alone (vector)" },
  { mode: "keyword", text: "Words", title: "By words alone (keyword)" },
];

/** So long after the last key a search begins by itself. */
const PAUSE_MS = 200;

interface Found {
  asked: Asked;
  answer: SearchAnswer;
  milliseconds: number;
}

export function SearchScreen() {
  const { query } = place.value;
  const asked = useMemo(() => readAsked(query), [query]);
  const found = useLoad<Found | undefined>(
    async (signal) => {
      if (asked.q.trim() === "") return undefined;
      const start = performance.now();
      const answer = await sluice().search(requestOf(asked), { signal });
      rememberPassages(answer.hits);
      return { asked, answer, milliseconds: performance.now() - start };
    },
    [addressOf(asked)],
  );
  const { value, error, loading } = found;
  const said = value && foundWords(value);
  useEffect(() => {
    if (said !== undefined) announce(said);
  }, [said]);
  const authors = useMemo(
    () => [...new Set(value?.answer.hits.flatMap(({ about }) => about.author ?? []))].sort(),
    [value],
  );
  return (
    <Screen title="Search">
      <SearchForm asked={asked} authors={authors} onEnter={focusFirstHit} />
      {error && <ErrorNote>{error.message}</ErrorNote>}
      <section class="search-results" aria-label="Passages found" aria-busy={loading} onKeyDown={walk}>
        {value === undefined ? (
          !loading && !error && <Beginning />
        ) : (
          <Results {...value} loading={loading} />
        )}
      </section>
    </Screen>
  );
}

interface SearchFormProps {
  asked: Asked;
  authors: readonly string[];
  /** Enter: the search is under way or done. */
  onEnter: () => void;
}

function SearchForm({ asked, authors, onEnter }: SearchFormProps) {
  const [typed, setTyped] = useState(asked.q);
  const pause = useRef<ReturnType<typeof setTimeout>>(undefined);
  const input = useRef<HTMLInputElement>(null);
  const conditions = chipsOf(asked, String).length;
  const [open, setOpen] = useState(conditions > 0);
  useEffect(() => {
    // Preact has no autofocus of its own for what comes later.
    input.current?.focus({ preventScroll: true });
    return () => clearTimeout(pause.current);
  }, []);
  // The address may change by other hands: a link, or Back.
  const sent = useRef(asked.q);
  if (sent.current !== asked.q) {
    sent.current = asked.q;
    if (typed.trim() !== asked.q) setTyped(asked.q);
  }

  function ask(q: string): void {
    clearTimeout(pause.current);
    sent.current = q;
    navigate(addressOf({ ...readAsked(place.peek().query), q, top_k: FIRST_HITS }), { replace: true });
  }
  const change = (part: Partial<Asked>) => navigate(addressOf({ ...asked, ...part }), { replace: true });

  return (
    <search class="search-form">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed.trim() === asked.q) onEnter();
          else ask(typed.trim());
        }}
      >
        <div class="search-ask">
          <Icon name="search" />
          <input
            ref={input}
            type="search"
            aria-label="Search the documents"
            placeholder="Ask a question, or name something"
            autocomplete="off"
            spellcheck={false}
            maxLength={2_000}
            value={typed}
            onInput={(event) => {
              const text = event.currentTarget.value;
              setTyped(text);
              clearTimeout(pause.current);
              pause.current = setTimeout(() => ask(text.trim()), PAUSE_MS);
            }}
            onKeyDown={(event) => {
              if (event.key !== "ArrowDown") return;
              event.preventDefault();
              focusFirstHit();
            }}
          />
        </div>
      </form>
      <div class="search-options">
        <fieldset class="choices">
          <legend class="unseen">How to search</legend>
          {modes.map((entry) => (
            <label key={entry.mode} title={entry.title}>
              <input
                type="radio"
                name="mode"
                value={entry.mode}
                checked={asked.mode === entry.mode}
                onChange={() => change({ mode: entry.mode })}
              />
              <span>{entry.text}</span>
            </label>
          ))}
        </fieldset>
        <label class="check">
          <input
            type="checkbox"
            checked={asked.expand}
            onChange={(event) => change({ expand: event.currentTarget.checked })}
          />
          With its section
        </label>
        <button type="button" class="small" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="filter" />
          Conditions{conditions > 0 && ` (${conditions})`}
        </button>
      </div>
      {open && <Filters asked={asked} authors={authors} />}
      <Chips asked={asked} />
    </search>
  );
}

function foundWords({ answer, milliseconds }: Found): string {
  const { length } = answer.hits;
  return length === 0 ? "Nothing found" : `${plural(length, "passage")} in ${formatDuration(milliseconds)}`;
}

function Results(found: Found & { loading: boolean }) {
  const { asked, answer, loading } = found;
  const best = useMemo(() => bestOf(answer), [answer]);
  if (answer.hits.length === 0) return <Nothing asked={asked} />;
  return (
    <>
      <p class="hint">
        {foundWords(found)}
        {answer.reranked && ", in the reranker's order"}
      </p>
      <ol class="search-hits">
        {answer.hits.map((hit) => (
          <li key={hit.chunk_id}>
            <Hit hit={hit} answer={answer} best={best} query={asked.q.trim()} />
          </li>
        ))}
      </ol>
      {answer.hits.length === asked.top_k && asked.top_k < MOST_HITS && (
        <button
          type="button"
          class="search-more"
          disabled={loading}
          onClick={() => {
            const top_k = Math.min(MOST_HITS, asked.top_k + (asked.top_k < 40 ? 10 : 20));
            navigate(addressOf({ ...asked, top_k }), { replace: true });
          }}
        >
          Show more
        </button>
      )}
    </>
  );
}

/** Nothing fits: what to try, by what was asked. */
function Nothing({ asked }: { asked: Asked }) {
  const conditions = chipsOf(asked, String).length > 0;
  const empty = useIsEmpty();
  if (empty) return <NothingYet />;
  return (
    <div class="search-nothing">
      <h2>No passage fits “{asked.q.trim()}”</h2>
      <ul>
        {conditions && (
          <li>
            <button
              type="button"
              class="link"
              onClick={() => navigate(addressOf(withoutAll(asked)), { replace: true })}
            >
              Search without the conditions
            </button>
            : authors and titles have to be named whole and exactly.
          </li>
        )}
        {asked.mode === "keyword" && (
          <li>
            <button
              type="button"
              class="link"
              onClick={() => navigate(addressOf({ ...asked, mode: "hybrid" }), { replace: true })}
            >
              Search by meaning as well
            </button>
            : the documents may use other words.
          </li>
        )}
        <li>Try fewer words, or the words that the document itself would use.</li>
        <li>
          <Link href="/documents">See which documents are there</Link>, and whether all of them are ready.
        </li>
      </ul>
    </div>
  );
}

/** Whether nothing can be found at all; undefined while that isn't known. */
function useIsEmpty(): boolean | undefined {
  const ready = useSignal(0);
  useEffect(
    () =>
      onEvents((events) => {
        if (events.some(({ event_type }) => event_type === "rag.ingestion.completed")) ready.value++;
      }),
    [],
  );
  const { value } = useLoad(
    (signal) => sluice().listDocuments({ status: "completed", limit: 1 }, { signal }),
    [ready.value > 0],
  );
  return value && value.documents.length === 0;
}

function Beginning() {
  const empty = useIsEmpty();
  if (empty === undefined) return null;
  if (empty) return <NothingYet />;
  return (
    <div class="search-nothing">
      <h2>Ask the documents</h2>
      <p>
        Each answer is a passage, with the page, sheet or heading where it stands, and one click away from its
        place in the document.
      </p>
      <dl class="keys">
        <dt>
          <kbd>↓</kbd> <kbd>↑</kbd>
        </dt>
        <dd>Walk through the passages</dd>
        <dt>
          <kbd>Enter</kbd>
        </dt>
        <dd>Open one in its document</dd>
      </dl>
    </div>
  );
}

function NothingYet() {
  return (
    <div class="search-nothing">
      <h2>There is nothing to search yet</h2>
      <p>As soon as the first document is ready, its passages can be found here.</p>
      <Link class="button primary" href="/">
        <Icon name="upload" />
        Upload a document
      </Link>
    </div>
  );
}

const hitLinks = () => [...document.querySelectorAll<HTMLAnchorElement>(".search-hits .hit-link")];

function focusFirstHit(): void {
  hitLinks()[0]?.focus();
}

/** Arrows go from hit to hit, and from the first back to the question. */
function walk(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const links = hitLinks();
  const card = (event.target as HTMLElement).closest(".hit");
  const at = links.findIndex((link) => card?.contains(link));
  if (at === -1) return;
  event.preventDefault();
  const next = links[at + step];
  if (next) next.focus();
  else if (step < 0) document.querySelector<HTMLInputElement>(".search-ask input")?.focus();
}
