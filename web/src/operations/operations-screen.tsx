/** What its operator opens at midnight: is anything wrong, what goes on, and what can be done about it. */
import { useMemo } from "preact/hooks";
import { navigate, parameter, withQuery } from "../router.tsx";
import { chosenTenant, generation, session, sluice } from "../session.ts";
import { Screen } from "../ui/screen.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { DeadLetters } from "./dead-letters.tsx";
import { Figures } from "./figures.tsx";
import { remember } from "./history.ts";
import "./operations.css";
import { usePoll } from "./poll.ts";
import { Queue } from "./queue.tsx";
import { useFates } from "./redrive.ts";
import { Reindex } from "./reindex.tsx";
import { Tenants } from "./tenants.tsx";
import { Verdict } from "./verdict.tsx";
import { Workers } from "./workers.tsx";

export function OperationsScreen() {
  const operator = session.value?.operator === true;
  const all = operator && parameter("all") === "true";
  useFates();
  // Lists of jobs are of one tenant, so with all tenants before one the tenant's own figures are asked for besides.
  const { value, error, round, again } = usePoll(
    async (signal) => {
      const [shown, own] = await Promise.all([
        sluice().getOperations({ all }, { signal }),
        all ? sluice().getOperations({}, { signal }) : undefined,
      ]);
      return { all, shown, own: own ?? shown };
    },
    [all],
  );
  const samples = useMemo(
    () => (value ? remember(`${generation.peek()} ${value.all}`, value.shown) : []),
    [value],
  );
  // Figures of the other choice would stand under the wrong words.
  const current = value?.all === all ? value : undefined;
  const now = current ? Date.parse(current.shown.at) : Date.now();
  const tenant_id = session.value?.tenant_id;
  return (
    <Screen
      title="Operations"
      wide
      hint={
        all
          ? "All tenants"
          : tenant_id === "default" && chosenTenant() === undefined
            ? undefined
            : `Tenant ${tenant_id}`
      }
      actions={
        operator && (
          <fieldset class="choices">
            <legend class="unseen">Whose</legend>
            {[
              { value: "", words: "This tenant" },
              { value: "true", words: "All tenants" },
            ].map((choice) => (
              <label key={choice.value}>
                <input
                  type="radio"
                  name="all"
                  checked={all === (choice.value === "true")}
                  onChange={() => navigate(withQuery({ all: choice.value }), { replace: true })}
                />
                <span>{choice.words}</span>
              </label>
            ))}
          </fieldset>
        )
      }
    >
      {current === undefined && error !== undefined && <ErrorNote>{error.message} Trying again …</ErrorNote>}
      {current !== undefined && (
        <>
          <Verdict operations={current.shown} trouble={error?.message} />
          <Figures operations={current.shown} samples={samples} />
          {operator && <Reindex />}
          <Workers operations={current.shown} all={all} />
          {all && current.shown.tenants !== null && <Tenants tenants={current.shown.tenants} />}
          {all && (
            <p class="hint operations-own">
              The lists below are those of tenant <b>{tenant_id}</b>: act for another one to see its own.
            </p>
          )}
          <DeadLetters dead={current.own.dead} now={now} round={round} again={again} />
          <Queue by_state={current.own.queue.by_state} now={now} round={round} again={again} />
        </>
      )}
    </Screen>
  );
}
