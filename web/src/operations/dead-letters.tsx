/** Dead letters: what failed for good, why, what happened to each, and a way to run them again. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job, Operations } from "../../../src/client/index.ts";
import { navigate, parameter, withQuery } from "../router.tsx";
import { ApiError, sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { plural } from "../words.ts";
import { DocumentLink, jobWord } from "./document-link.tsx";
import { fateWords } from "./fates.ts";
import { fixOf, titleOf } from "./health.ts";
import { useJobs } from "./jobs.ts";
import { documentIdOf, nameOf, useNames } from "./names.ts";
import { fates, type Plan } from "./redrive.ts";
import { RedriveDialog } from "./redrive-dialog.tsx";
import { Timeline } from "./timeline.tsx";
import { withCode } from "./verdict.tsx";

interface DeadLettersProps {
  /** Dead letters of the tenant acted for, by what they died of. */
  dead: Operations["dead"];
  now: number;
  round: number;
  again: () => void;
}

export function DeadLetters({ dead, now, round, again }: DeadLettersProps) {
  const code = parameter("code");
  const { jobs, loaded, error, next_cursor, more } = useJobs(
    { state: "dead", ...(code === "" ? {} : { error_code: code as never }) },
    round,
  );
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const open = useSignal<ReadonlySet<string>>(new Set());
  const plan = useSignal<Plan | null>(null);
  const trouble = useSignal<string | null>(null);
  useNames(jobs.map(documentIdOf));
  const total = dead.reduce((sum, each) => sum + each.jobs, 0);
  const here = new Set(jobs.map(({ job_id }) => job_id));
  // What has left the list is not chosen any more.
  const picked = jobs.filter(({ job_id }) => chosen.value.has(job_id));
  useEffect(() => {
    chosen.value = new Set();
  }, [code]);

  const nameFor = (job: Job) => nameOf(documentIdOf(job)) ?? documentIdOf(job) ?? job.job_id;
  const toggled = (set: ReadonlySet<string>, id: string) =>
    set.has(id) ? new Set([...set].filter((each) => each !== id)) : new Set([...set, id]);

  async function retry(job: Job): Promise<void> {
    trouble.value = null;
    try {
      await sluice().retryJob(job.job_id);
      announce(`${nameFor(job)} is queued again.`);
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 401) return;
      trouble.value = `${nameFor(job)}: ${(failure as Error).message}`;
    }
    again();
  }

  const told = fateWords(fates.value);
  return (
    <section class="stack" aria-labelledby="operations-dead">
      <header class="operations-head">
        <h2 id="operations-dead">Dead letters</h2>
        <p class="hint">{total === 0 ? "none" : `${total.toLocaleString("en")} failed for good`}</p>
        {total > 0 && (
          <div class="actions">
            {picked.length > 0 && (
              <button
                class="small"
                type="button"
                onClick={() => {
                  const jobs = picked.map((job) => ({ job_id: job.job_id, name: nameFor(job) }));
                  plan.value = { kind: "selected", jobs };
                }}
              >
                Redrive {picked.length} selected
              </button>
            )}
            {code === "" ? (
              <button
                class="small"
                type="button"
                onClick={() => {
                  plan.value = { kind: "all", count: total };
                }}
              >
                Redrive all {total.toLocaleString("en")}
              </button>
            ) : (
              <button
                class="small"
                type="button"
                disabled={jobs.length === 0}
                onClick={() => {
                  const count = dead.find((each) => each.code === code)?.jobs ?? jobs.length;
                  plan.value = { kind: "code", code, count };
                }}
              >
                Redrive all of {code}
              </button>
            )}
          </div>
        )}
      </header>
      {told !== "" && (
        <p class="notice" role="status">
          {told}
        </p>
      )}
      {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      {(total > 0 || code !== "") && <Codes dead={dead} total={total} code={code} />}
      {code !== "" && jobs.length > 0 && (
        <p class="hint">
          {titleOf(code)}. {withCode(fixOf(code))}
        </p>
      )}
      {loaded && jobs.length === 0 ? (
        <p class="operations-none panel">
          {code === ""
            ? "What fails for good is kept here, with its reason, until it is run again."
            : `Nothing is dead of ${code}.`}
        </p>
      ) : (
        jobs.length > 0 && (
          <div class="panel operations-list">
            <label class="check operations-all">
              <input
                type="checkbox"
                checked={picked.length === jobs.length}
                onChange={(event) => {
                  chosen.value = event.currentTarget.checked ? here : new Set();
                }}
              />
              All {jobs.length} shown
            </label>
            <ul>
              {jobs.map((job) => (
                <DeadLetter
                  key={job.job_id}
                  job={job}
                  name={nameFor(job)}
                  now={now}
                  chosen={chosen.value.has(job.job_id)}
                  open={open.value.has(job.job_id)}
                  onChoose={() => {
                    chosen.value = toggled(chosen.value, job.job_id);
                  }}
                  onOpen={() => {
                    open.value = toggled(open.value, job.job_id);
                  }}
                  onRetry={() => retry(job)}
                />
              ))}
            </ul>
          </div>
        )
      )}
      {next_cursor !== null && (
        <button class="operations-more" type="button" onClick={more}>
          Show more
        </button>
      )}
      {plan.value !== null && (
        <RedriveDialog
          plan={plan.value}
          onChange={again}
          onClose={() => {
            plan.value = null;
            chosen.value = new Set();
          }}
        />
      )}
    </section>
  );
}

function Codes({ dead, total, code }: { dead: Operations["dead"]; total: number; code: string }) {
  // One that has just emptied stays, so that what is chosen can be seen.
  const codes = dead.some((each) => each.code === code) || code === "" ? dead : [...dead, { code, jobs: 0 }];
  const entries = [
    { code: "", words: "All", jobs: total },
    ...codes.map((each) => ({ ...each, words: each.code })),
  ];
  return (
    <fieldset class="operations-codes">
      <legend class="unseen">By reason</legend>
      {entries.map((each) => (
        <label key={each.code} title={each.code === "" ? undefined : titleOf(each.code)}>
          <input
            type="radio"
            name="code"
            checked={each.code === code}
            onChange={() => navigate(withQuery({ code: each.code }), { replace: true })}
          />
          <span>
            {each.words} <b>{each.jobs.toLocaleString("en")}</b>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

interface DeadLetterProps {
  job: Job;
  name: string;
  now: number;
  chosen: boolean;
  open: boolean;
  onChoose: () => void;
  onOpen: () => void;
  onRetry: () => void;
}

function DeadLetter({ job, name, now, chosen, open, onChoose, onOpen, onRetry }: DeadLetterProps) {
  const { job_id, job_type, attempts, error, finished_at, updated_at, correlation_id } = job;
  const ended = finished_at ?? updated_at;
  const died_again = fates.value.get(job_id) === "died_again";
  return (
    <li class="operations-letter">
      <div class="operations-row">
        <input type="checkbox" aria-label={`Select ${name}`} checked={chosen} onChange={onChoose} />
        <div class="operations-what">
          <p class="operations-title">
            <DocumentLink document_id={documentIdOf(job)} />
            {job_type !== "ingest_document" && <span class="pill">{jobWord(job_type)}</span>}
            {died_again && <span class="pill dead">died again</span>}
          </p>
          <p class="operations-reason">
            <code>{error?.code ?? "unknown"}</code> {error?.message}
          </p>
        </div>
        <div class="operations-side">
          <p class="hint operations-when">
            <Ago at={ended} now={now} />
            <br />
            {plural(attempts, "attempt")}
          </p>
          <div class="actions">
            <button class="small" type="button" aria-label={`Redrive ${name}`} onClick={onRetry}>
              Redrive
            </button>
            <button
              class="small"
              type="button"
              aria-expanded={open}
              aria-label={`What happened to ${name}`}
              onClick={onOpen}
            >
              {open ? "Less" : "Timeline"}
            </button>
          </div>
        </div>
      </div>
      {open && <Timeline correlation_id={correlation_id} on={ended} />}
    </li>
  );
}
