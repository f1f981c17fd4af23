/** Asking, and what was found. */
import { useEffect, useRef, useState } from "preact/hooks";
import { citationOf } from "../../src/about.ts";
import { placeOf } from "../../src/search/place.ts";
import { type SearchHit, type SearchMode, search } from "./api.ts";
import { sampleQuestion } from "./sample.ts";
import { excerptOf, formatDuration, markWords, plural } from "./words.ts";

const modes: { mode: SearchMode; text: string; title: string }[] = [
  { mode: "hybrid", text: "Hybrid", title: "By meaning and by words" },
  { mode: "vector", text: "Vector", title: "By meaning only" },
  { mode: "keyword", text: "Keyword", title: "By words only" },
];

const EXCERPT = 420;

type Outcome =
  | { state: "idle" }
  | { state: "failed"; message: string }
  | { state: "found"; hits: SearchHit[]; query: string; milliseconds: number };

interface SearchPanelProps {
  /** At least one document can be found. */
  searchable: boolean;
  /** The sample is among them, so a question that it answers can be offered. */
  sampled: boolean;
  onOpen: (hit: SearchHit, query: string) => void;
}

export function SearchPanel({ searchable, sampled, onOpen }: SearchPanelProps) {
  const [query, setQuery] = useState("");
  const [mode, setMode] = useState<SearchMode>("hybrid");
  const [outcome, setOutcome] = useState<Outcome>({ state: "idle" });
  const [busy, setBusy] = useState(false);
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  async function run(asked: string, how: SearchMode): Promise<void> {
    const words = asked.trim();
    if (words === "") return;
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setBusy(true);
    const start = performance.now();
    try {
      const hits = await search(words, how, abort.signal);
      setOutcome({ state: "found", hits, query: words, milliseconds: performance.now() - start });
    } catch (error) {
      // A newer search took its place.
      if (abort.signal.aborted) return;
      setOutcome({ state: "failed", message: (error as Error).message });
    }
    if (!abort.signal.aborted) setBusy(false);
  }

  return (
    <section class="search" aria-labelledby="search-title">
      <h2 id="search-title">Search</h2>
      <search>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void run(query, mode);
          }}
        >
          <div class="ask">
            <input
              type="search"
              aria-label="Search the documents"
              placeholder="Ask or name something"
              value={query}
              onInput={(event) => setQuery(event.currentTarget.value)}
            />
            <button class="primary" type="submit">
              Search
            </button>
          </div>
          <fieldset class="modes">
            <legend class="unseen">How to search</legend>
            {modes.map((entry) => (
              <label key={entry.mode} title={entry.title}>
                <input
                  type="radio"
                  name="mode"
                  value={entry.mode}
                  checked={mode === entry.mode}
                  onChange={() => {
                    setMode(entry.mode);
                    if (outcome.state === "found") void run(outcome.query, entry.mode);
                  }}
                />
                <span class="choice">{entry.text}</span>
              </label>
            ))}
          </fieldset>
        </form>
      </search>
      <div class={busy ? "results busy" : "results"} aria-busy={busy}>
        <p class="hint" role="status">
          {outcome.state === "found" && foundWords(outcome.hits.length, outcome.milliseconds)}
        </p>
        {outcome.state === "failed" && (
          <p class="error" role="alert">
            {outcome.message}
          </p>
        )}
        {outcome.state === "found" && outcome.hits.length === 0 && (
          <p class="nothing">
            No passage fits “{outcome.query}”.{" "}
            {mode === "keyword"
              ? "Try the vector or hybrid search: they look for the meaning."
              : "Try other words."}
          </p>
        )}
        {outcome.state === "idle" && (
          <div class="nothing">
            {searchable ? (
              <>
                <p>Ask a question or give some words. Each answer is a passage, with where it stands.</p>
                {sampled && (
                  <button
                    type="button"
                    class="link"
                    onClick={() => {
                      setQuery(sampleQuestion);
                      void run(sampleQuestion, mode);
                    }}
                  >
                    Try “{sampleQuestion}”
                  </button>
                )}
              </>
            ) : (
              <p>As soon as the first document is ready, its passages can be found here.</p>
            )}
          </div>
        )}
        {outcome.state === "found" && (
          <ol class="hits">
            {outcome.hits.map((hit) => (
              <li key={hit.chunk_id}>
                <Hit hit={hit} query={outcome.query} onOpen={() => onOpen(hit, outcome.query)} />
              </li>
            ))}
          </ol>
        )}
      </div>
    </section>
  );
}

function foundWords(count: number, milliseconds: number): string {
  return count === 0 ? "Nothing found" : `${plural(count, "passage")} in ${formatDuration(milliseconds)}`;
}

function Hit({ hit, query, onOpen }: { hit: SearchHit; query: string; onOpen: () => void }) {
  const where = placeOf(hit);
  const citation = citationOf(hit.about, hit.heading_path);
  return (
    <button class="hit" type="button" onClick={onOpen}>
      <span class="where">
        <span class="name">{hit.filename}</span>
        {where !== undefined && <span>{where}</span>}
        <span class="score" title="Higher is better; compares only within one answer">
          {hit.score.toPrecision(3)}
        </span>
      </span>
      {citation !== "" && <span class="about">{citation}</span>}
      <HeadingPath path={hit.heading_path} />
      <TableHeader header={hit.header} />
      <span class="excerpt">
        <Marked text={excerptOf(hit.text, query, EXCERPT)} query={query} />
      </span>
    </button>
  );
}

/** The first line of the table in whose rows a passage begins. */
export function TableHeader({ header }: { header: string | null }) {
  if (header === null) return null;
  return <span class="table-header">{header.split("\n")[0]}</span>;
}

export function HeadingPath({ path }: { path: string[] }) {
  if (path.length === 0) return null;
  return <span class="path">{path.join(" › ")}</span>;
}

/** A text with the query's words marked. */
export function Marked({ text, query }: { text: string; query: string }) {
  return (
    <>
      {markWords(text, query).map((piece, index) =>
        piece.marked ? <mark key={index}>{piece.text}</mark> : piece.text,
      )}
    </>
  );
}
