/** One passage that was found. */
import { useId, useState } from "preact/hooks";
import { citationOf } from "../../../src/about.ts";
import type { SearchAnswer, SearchHit } from "../../../src/search/search.ts";
import { placeOf } from "../../../src/search/place.ts";
import { passagePath } from "../document/address.ts";
import { Link } from "../router.tsx";
import { Icon } from "../ui/icons.tsx";
import { Kind } from "../ui/status.tsx";
import { excerptOf, formatScore, languageName, matchWords } from "../words.ts";
import { HeadingPath, Marked, TableHeader } from "./marked.tsx";
import { type Best, MatchBar, MatchTable } from "./match.tsx";

const EXCERPT = 420;

interface HitProps {
  hit: SearchHit;
  answer: SearchAnswer;
  best: Best;
  /** What was asked when it was found. */
  query: string;
}

export function Hit({ hit, answer, best, query }: HitProps) {
  const [shown, setShown] = useState<"why" | "section" | undefined>();
  const id = useId();
  const place = placeOf(hit);
  const citation = citationOf(hit.about, hit.heading_path);
  const facts = [
    hit.about.authored_at?.slice(0, 10),
    hit.about.language === null ? undefined : languageName(hit.about.language),
    hit.collection === "default" ? undefined : hit.collection,
  ].filter(Boolean);
  const toggle = (what: "why" | "section") => () => setShown(shown === what ? undefined : what);
  return (
    <article class="hit">
      <header>
        <Kind media_type={hit.media_type} filename={hit.filename} />
        <h2>
          <Link class="hit-link" href={passagePath(hit, query)}>
            {hit.filename}
            {place !== undefined && <span class="place">{place}</span>}
          </Link>
        </h2>
        <span class="score" title="Higher is better; compares only within one answer">
          <span class="unseen">Score </span>
          {formatScore(hit.score)}
        </span>
      </header>
      {citation !== "" && <p class="citation">{citation}</p>}
      <HeadingPath path={hit.heading_path} />
      <TableHeader header={hit.header} />
      <p class="excerpt">
        <Marked text={excerptOf(hit.text, query, EXCERPT)} query={query} />
      </p>
      <footer>
        {/* The visible words are the short form of its name. */}
        <button
          type="button"
          class="why"
          aria-expanded={shown === "why"}
          aria-controls={`${id}-why`}
          onClick={toggle("why")}
        >
          <MatchBar match={hit.match} best={best} />
          <span>
            <span class="unseen">Found </span>
            {matchWords(hit.match)}
          </span>
          <Icon name="chevron" />
        </button>
        {hit.section && (
          <button
            type="button"
            class="link"
            aria-expanded={shown === "section"}
            aria-controls={`${id}-section`}
            onClick={toggle("section")}
          >
            Its section
          </button>
        )}
        <span class="facts">{facts.join(" · ")}</span>
      </footer>
      {shown === "why" && (
        <MatchTable id={`${id}-why`} match={hit.match} best={best} score={hit.score} answer={answer} />
      )}
      {shown === "section" && hit.section && (
        <div class="section-text" id={`${id}-section`}>
          <Marked text={hit.section.text} query={query} />
        </div>
      )}
    </article>
  );
}
