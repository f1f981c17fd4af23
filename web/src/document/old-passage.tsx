/** The cited passage, in its document. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { citationOf } from "../../src/about.ts";
import { placeOf } from "../../src/search/place.ts";
import { getText, type SearchHit } from "./api.ts";
import { HeadingPath, Marked, TableHeader } from "./search.tsx";
import { wordBoundary } from "./words.ts";

/** Characters shown on each side of the passage at first, and added with each wish for more. */
const AROUND = 3_000;
/** Characters loaded on each side: a log may have hundreds of millions. */
const LOADED = 500_000;

interface PassageProps {
  hit: SearchHit;
  query: string;
  onClose: () => void;
}

export function Passage({ hit, query, onClose }: PassageProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);

  /** Where the loaded text begins in the document's. */
  const from = Math.max(0, hit.char_start - LOADED);

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    const abort = new AbortController();
    getText(hit.document_id, from, hit.char_end + LOADED, abort.signal).then(setText, (problem: Error) => {
      if (!abort.signal.aborted) setError(problem.message);
    });
    return () => abort.abort();
  }, [hit]);

  const where = placeOf(hit);
  const citation = citationOf(hit.about, hit.heading_path);
  // The document may have been ingested anew since the search.
  const moved = text !== null && text.slice(hit.char_start - from, hit.char_end - from) !== hit.text;
  return (
    <dialog ref={dialog} class="passage" aria-labelledby="passage-title" onClose={onClose} closedby="any">
      <div class="sheet">
        <header>
          <div>
            <h2 id="passage-title">{hit.filename}</h2>
            {citation !== "" && <p class="about">{citation}</p>}
            <p class="hint">
              <HeadingPath path={hit.heading_path} />
              <span class="place">
                {where !== undefined && `${where}, `}characters {hit.char_start.toLocaleString("en")} to{" "}
                {hit.char_end.toLocaleString("en")}
              </span>
            </p>
          </div>
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </header>
        {error !== null && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        {moved && (
          <p class="warning">
            The document has changed since the search. This is the passage as it was found.
          </p>
        )}
        {hit.header !== null && (
          <p class="hint">
            <TableHeader header={hit.header} />
          </p>
        )}
        {moved || error !== null ? (
          <div class="text">
            <mark class="cited">
              <Marked text={hit.text} query={query} />
            </mark>
          </div>
        ) : text === null ? (
          <p class="hint">Loading the text …</p>
        ) : (
          <Cited text={text} from={hit.char_start - from} to={hit.char_end - from} query={query} />
        )}
      </div>
    </dialog>
  );
}

interface CitedProps {
  text: string;
  /** The passage, in this text. */
  from: number;
  to: number;
  query: string;
}

function Cited({ text, from, to, query }: CitedProps) {
  const [before, setBefore] = useState(AROUND);
  const [after, setAfter] = useState(AROUND);
  const area = useRef<HTMLDivElement>(null);
  const mark = useRef<HTMLElement>(null);
  useEffect(() => mark.current?.scrollIntoView({ block: "center" }), []);

  const start = from <= before ? 0 : Math.min(wordBoundary(text, from - before), from);
  const end = wordBoundary(text, to + after);

  // Text added above must not push away what is being read.
  const heightBefore = useRef(0);
  useLayoutEffect(() => {
    const element = area.current!;
    if (heightBefore.current > 0) element.scrollTop += element.scrollHeight - heightBefore.current;
    heightBefore.current = 0;
  }, [start]);

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section class="text" ref={area} tabIndex={0} aria-label="Text of the document">
      {start > 0 && (
        <button
          type="button"
          class="small"
          onClick={() => {
            heightBefore.current = area.current!.scrollHeight;
            setBefore(before + 4 * AROUND);
          }}
        >
          Show earlier text
        </button>
      )}
      {text.slice(start, from)}
      <mark class="cited" ref={mark}>
        <Marked text={text.slice(from, to)} query={query} />
      </mark>
      {text.slice(to, end)}
      {end < text.length && (
        <button type="button" class="small" onClick={() => setAfter(after + 4 * AROUND)}>
          Show later text
        </button>
      )}
    </section>
  );
}
