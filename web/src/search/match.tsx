/** Why a hit was found: its place in each half of the search, in short and in full. */
import type { Match } from "../../../src/search/fuse.ts";
import type { SearchAnswer } from "../../../src/search/search.ts";
import { formatScore, matchWords } from "../words.ts";

const halves = [
  { half: "vector", name: "By meaning" },
  { half: "keyword", name: "By words" },
] as const;

/** The best score that each half gave in an answer: what the others are measured by. */
export type Best = Record<(typeof halves)[number]["half"], number>;

export function bestOf({ hits }: SearchAnswer): Best {
  const best = (half: keyof Match) => Math.max(0, ...hits.map(({ match }) => match[half]?.score ?? 0));
  return { vector: best("vector"), keyword: best("keyword") };
}

/** Two short bars, each as long as the hit's score beside the best of the answer. */
export function MatchBar({ match, best }: { match: Match; best: Best }) {
  return (
    <span class="match-bar" aria-hidden="true">
      {halves.map(({ half }) => {
        const share = match[half] === null || best[half] <= 0 ? 0 : match[half].score / best[half];
        return (
          <span key={half} class={`half ${half}`}>
            <span style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
          </span>
        );
      })}
    </span>
  );
}

interface MatchTableProps {
  id: string;
  match: Match;
  best: Best;
  score: number;
  answer: SearchAnswer;
}

export function MatchTable({ id, match, best, score, answer }: MatchTableProps) {
  const asked = { vector: answer.mode !== "keyword", keyword: answer.mode !== "vector" };
  return (
    <div class="match-full" id={id}>
      <table>
        <caption class="unseen">Why this passage was found: {matchWords(match)}</caption>
        <thead>
          <tr>
            <th scope="col">Half</th>
            <th scope="col" class="number">
              Place
            </th>
            <th scope="col" class="number">
              Score
            </th>
            <th scope="col" class="number">
              Best shown
            </th>
          </tr>
        </thead>
        <tbody>
          {halves.map(({ half, name }) => (
            <tr key={half}>
              <th scope="row">
                <span class={`key ${half}`} aria-hidden="true" /> {name}
              </th>
              {match[half] === null ? (
                <td colSpan={3}>{asked[half] ? "did not find it" : "was not asked"}</td>
              ) : (
                <>
                  <td class="number">#{match[half].rank}</td>
                  <td class="number">{formatScore(match[half].score)}</td>
                  <td class="number">{formatScore(best[half])}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">
        {answer.reranked
          ? `The reranker read question and passage together and gave ${formatScore(score)}.`
          : answer.mode === "hybrid"
            ? `Both scores are brought to 0 … 1 and joined, words weighing a little more: ${formatScore(score)}.`
            : `Its score: ${formatScore(score)}.`}{" "}
        Scores compare within one answer only.
      </p>
    </div>
  );
}
