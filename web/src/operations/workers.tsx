/** Who works, on what, and for how long already. */
import type { Operations } from "../../../src/client/index.ts";
import { Ago } from "../ui/ago.tsx";
import { exactTime, spanWords } from "../ui/times.ts";
import { plural } from "../words.ts";
import { DocumentLink, jobWord } from "./document-link.tsx";
import { isSilent } from "./health.ts";
import { useNames } from "./names.ts";

export function Workers({ operations, all }: { operations: Operations; all: boolean }) {
  const { workers, at } = operations;
  const now = Date.parse(at);
  // Those of other tenants have names that are not for this one.
  useNames(all ? [] : workers.flatMap(({ holds }) => holds.map(({ document_id }) => document_id)));
  const busy = workers.filter(({ holds, holds_of_others }) => holds.length + holds_of_others > 0).length;
  return (
    <section class="stack" aria-labelledby="operations-workers">
      <header class="operations-head">
        <h2 id="operations-workers">Workers</h2>
        <p class="hint">
          {workers.length === 0 ? "none" : `${workers.length} alive, ${busy === 0 ? "none" : busy} at work`}
        </p>
      </header>
      {workers.length === 0 ? (
        <p class="operations-none panel">
          No worker is running. <code>sluice start</code> runs some, <code>sluice worker</code> runs one
          alone.
        </p>
      ) : (
        <ul class="operations-workers">
          {workers.map((worker) => (
            <li key={worker.worker_id} class="panel">
              <p class="operations-worker">
                <b>{worker.host}</b>
                <span class="hint">process {worker.pid}</span>
                {isSilent(worker.last_seen_at, now) && <span class="pill retrying">silent</span>}
              </p>
              <p class="hint">
                since{" "}
                <time dateTime={worker.started_at} title={exactTime(worker.started_at)}>
                  {spanWords(now - Date.parse(worker.started_at))}
                </time>
                , seen <Ago at={worker.last_seen_at} now={now} />
              </p>
              {worker.holds.length + worker.holds_of_others === 0 && <p class="hint">Idle</p>}
              {worker.holds.length > 0 && (
                <ul class="operations-holds">
                  {worker.holds.map((job) => (
                    <li key={job.job_id}>
                      <span class="dot" aria-hidden="true" />
                      <div>
                        <p class="cut">
                          <DocumentLink document_id={job.document_id} />
                        </p>
                        <p class="hint">
                          {jobWord(job.job_type)}, attempt {job.attempts}, for{" "}
                          {spanWords(now - Date.parse(job.updated_at))}
                          <span class="unseen"> by job {job.job_id}</span>
                        </p>
                      </div>
                    </li>
                  ))}
                </ul>
              )}
              {worker.holds_of_others > 0 && (
                <p class="hint">{plural(worker.holds_of_others, "job")} of other tenants</p>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
