/** Running many dead letters again: asked first, then seen through to its end. */
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../ui/announce.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { plural } from "../words.ts";
import { fixOf } from "./health.ts";
import { nothingYet, type Plan, type Progress, redrive } from "./redrive.ts";

interface RedriveDialogProps {
  plan: Plan;
  onClose: () => void;
  /** Something was told to run again. */
  onChange: () => void;
}

export function RedriveDialog({ plan, onClose, onChange }: RedriveDialogProps) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const count = plan.kind === "selected" ? plan.jobs.length : plan.count;

  async function go(): Promise<void> {
    setTrouble(null);
    setProgress(nothingYet);
    try {
      await redrive(
        plan,
        (next) => {
          setProgress(next);
          if (next.done) announce(`${plural(next.retried, "job")} queued again.`);
        },
        abort.current.signal,
      );
    } catch (error) {
      if (!abort.current.signal.aborted) setTrouble((error as Error).message);
    }
    onChange();
  }

  if (progress === null) {
    return (
      <Dialog title={`Redrive ${plural(count, "dead letter")}?`} onClose={onClose}>
        <div class="stack">
          <p>{aboutPlan(plan)} Each runs again under its own id, from the last stage that it had finished.</p>
          {plan.kind === "code" && <p class="hint">{fixOf(plan.code)}</p>}
          <div class="actions">
            <button class="primary" type="button" onClick={go}>
              Redrive {count.toLocaleString("en")}
            </button>
            <button type="button" onClick={onClose}>
              Not now
            </button>
          </div>
        </div>
      </Dialog>
    );
  }

  const { retried, skipped, skipped_unnamed, done } = progress;
  const looked = retried + skipped.length + skipped_unnamed;
  return (
    <Dialog title={done ? "Queued again" : "Queueing again …"} onClose={onClose}>
      <div class="stack">
        <progress
          class="operations-progress"
          max={Math.max(count, looked)}
          value={done ? Math.max(count, looked) : looked}
          aria-label="Dead letters looked at"
        />
        <p>
          <b>{retried.toLocaleString("en")}</b> of {Math.max(count, looked).toLocaleString("en")} queued again
          {skipped.length + skipped_unnamed > 0 && `, ${skipped.length + skipped_unnamed} skipped`}.
        </p>
        {skipped.length > 0 && (
          <ul class="operations-skipped">
            {skipped.map(({ name, reason }) => (
              <li key={name}>
                <b>{name}</b>: {reason}
              </li>
            ))}
          </ul>
        )}
        {skipped_unnamed > 0 && (
          <p class="hint">
            Skipped are those whose document has moved on to a newer ingestion, or is gone: there is nothing
            to be run again.
          </p>
        )}
        {trouble !== null && <ErrorNote>{trouble}</ErrorNote>}
        <div class="actions">
          {trouble !== null && (
            <button class="primary" type="button" onClick={go}>
              Try again
            </button>
          )}
          <button class={done ? "primary" : ""} type="button" onClick={onClose}>
            {done ? "Done" : "Stop here"}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function aboutPlan(plan: Plan): string {
  switch (plan.kind) {
    case "selected":
      return `The ${plural(plan.jobs.length, "chosen job")} will be queued again.`;
    case "code":
      return `All that died of ${plan.code} will be queued again: ${plural(plan.count, "job")}.`;
    case "all":
      return `All ${plural(plan.count, "dead letter")} of this tenant will be queued again, whatever they died of. Those whose file is the trouble will die again.`;
  }
}
