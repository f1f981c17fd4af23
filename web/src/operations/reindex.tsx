/** Where a reindex stands, for operators; nothing while the index is as it should be. */
import { useSignal } from "@preact/signals";
import type { ReindexStatus } from "../../../src/client/index.ts";
import { sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { plural } from "../words.ts";
import { usePoll } from "./poll.ts";

/** It takes minutes, and is asked of every document. */
const EVERY_MS = 5_000;

export function Reindex() {
  const { value, again } = usePoll((signal) => sluice().getReindex({ signal }), [], EVERY_MS);
  const asked = useSignal<"begin" | "cancel" | null>(null);
  const trouble = useSignal<string | null>(null);
  // Where it can't be told, nothing hangs on it: the verdict says what is wrong with the server.
  if (value === undefined || value.state === "current") return null;
  return (
    <section class="stack" aria-labelledby="operations-reindex">
      <header class="operations-head">
        <h2 id="operations-reindex">Reindex</h2>
        <div class="actions">
          {value.state === "running" ? (
            <button
              class="small"
              type="button"
              onClick={() => {
                asked.value = "cancel";
              }}
            >
              Give it up
            </button>
          ) : (
            <button
              class="small"
              type="button"
              onClick={() => {
                asked.value = "begin";
              }}
            >
              Begin a reindex
            </button>
          )}
        </div>
      </header>
      <div class="panel operations-reindex">
        {value.state === "running" ? <Running status={value} /> : <Due status={value} />}
        {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
      </div>
      {asked.value !== null && (
        <Confirm
          title={asked.value === "begin" ? "Begin a reindex?" : "Give the reindex up?"}
          action={asked.value === "begin" ? "Begin" : "Give it up"}
          danger={asked.value === "cancel"}
          run={async () => {
            if (asked.value === "begin") await sluice().beginReindex();
            else await sluice().cancelReindex();
            announce(asked.value === "begin" ? "The reindex began." : "The reindex was given up.");
            again();
          }}
          onClose={() => {
            asked.value = null;
          }}
        >
          <p>
            {asked.value === "begin"
              ? `Every document is embedded anew with ${value.configured}. Searches go by the old vectors until all is done.`
              : "What was embedded anew is thrown away. Searches go on by the vectors that serve now."}
          </p>
        </Confirm>
      )}
    </section>
  );
}

function Running({ status }: { status: ReindexStatus }) {
  const { target, serving, documents, done, failed, began_at } = status;
  return (
    <>
      <p>
        To <code>{target}</code>
        {serving !== null && (
          <>
            ; searches go by <code>{serving}</code> until it is complete
          </>
        )}
        .
      </p>
      <progress class="operations-progress" max={Math.max(1, documents)} value={done} aria-label="Reindex" />
      <p class="hint">
        {done.toLocaleString("en")} of {plural(documents, "document")}
        {began_at !== null && (
          <>
            , begun <Ago at={began_at} />
          </>
        )}
        {failed > 0 && `; ${plural(failed, "job")} died, and it waits for them: redrive them`}
      </p>
    </>
  );
}

function Due({ status }: { status: ReindexStatus }) {
  const { configured, serving, documents, done } = status;
  return (
    <p>
      {serving === configured ? (
        <>
          {plural(documents - done, "document")} of {documents.toLocaleString("en")} have no vectors of{" "}
          <code>{configured}</code>.
        </>
      ) : (
        <>
          The settings name <code>{configured}</code>, but the index is of <code>{serving ?? "nothing"}</code>
          . Searches by meaning need a reindex, or the old setting.
        </>
      )}
    </p>
  );
}
