/** What is in the queue: running, to be tried again, waiting; each can be cancelled. */
import { useSignal } from "@preact/signals";
import type { Job, Operations } from "../../../src/client/index.ts";
import { navigate, parameter, withQuery } from "../router.tsx";
import { ApiError, sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { spanWords } from "../ui/times.ts";
import { DocumentLink, jobWord } from "./document-link.tsx";
import { useJobs } from "./jobs.ts";
import { documentIdOf, nameOf, useNames } from "./names.ts";

const states = [
  { state: "running", name: "Running", none: "Nothing runs." },
  { state: "retrying", name: "To be tried again", none: "Nothing has to be tried again." },
  { state: "queued", name: "Waiting", none: "Nothing waits." },
] as const;

interface QueueProps {
  by_state: Operations["queue"]["by_state"];
  now: number;
  round: number;
  again: () => void;
}

export function Queue({ by_state, now, round, again }: QueueProps) {
  const asked = parameter("queue");
  const chosen = states.find(({ state }) => state === asked) ?? states[0];
  const { jobs, loaded, error, next_cursor, more } = useJobs({ state: chosen.state }, round);
  const trouble = useSignal<string | null>(null);
  useNames(jobs.map(documentIdOf));

  async function cancel(job: Job): Promise<void> {
    const name = nameOf(documentIdOf(job)) ?? job.job_id;
    trouble.value = null;
    try {
      await sluice().cancelJob(job.job_id);
      announce(`${name} is cancelled.`);
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 401) return;
      trouble.value = (failure as Error).message;
    }
    again();
  }

  return (
    <section class="stack" aria-labelledby="operations-queue">
      <header class="operations-head">
        <h2 id="operations-queue">In the queue</h2>
      </header>
      <fieldset class="operations-codes">
        <legend class="unseen">State</legend>
        {states.map(({ state, name }) => (
          <label key={state}>
            <input
              type="radio"
              name="queue"
              checked={state === chosen.state}
              onChange={() => navigate(withQuery({ queue: state }), { replace: true })}
            />
            <span>
              {name} <b>{by_state[state].toLocaleString("en")}</b>
            </span>
          </label>
        ))}
      </fieldset>
      {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      {loaded && jobs.length === 0 && <p class="operations-none panel">{chosen.none}</p>}
      {jobs.length > 0 && (
        <ul class="panel operations-list">
          {jobs.map((job) => (
            <li key={job.job_id} class="operations-row plain">
              <div class="operations-what">
                <p class="operations-title">
                  <DocumentLink document_id={documentIdOf(job)} />
                </p>
                <p class="hint operations-reason">
                  {jobWord(job.job_type)}
                  {job.attempts > 0 && `, attempt ${job.attempts} of ${job.max_attempts}`}
                  {job.priority !== 0 && `, priority ${job.priority}`}
                  {job.leased_by !== null && `, on ${job.leased_by}`}
                </p>
                {job.error !== null && job.state === "retrying" && (
                  <p class="operations-reason">
                    <code>{job.error.code}</code> {job.error.message}
                  </p>
                )}
              </div>
              <div class="operations-side">
                <p class="hint operations-when">{whenWords(job, now)}</p>
                <button
                  class="small"
                  type="button"
                  aria-label={`Cancel ${nameOf(documentIdOf(job)) ?? job.job_id}`}
                  onClick={() => cancel(job)}
                >
                  Cancel
                </button>
              </div>
            </li>
          ))}
        </ul>
      )}
      {next_cursor !== null && (
        <button class="operations-more" type="button" onClick={more}>
          Show more
        </button>
      )}
    </section>
  );
}

function whenWords(job: Job, now: number) {
  if (job.state === "running") return `for ${spanWords(now - Date.parse(job.updated_at))}`;
  const wait = Date.parse(job.run_at) - now;
  if (wait > 0) return `in ${spanWords(wait)}`;
  return (
    <>
      since <Ago at={job.created_at} now={now} />
    </>
  );
}
