/** The four stages of an ingestion as four chambers that fill one after another. */
import type { Stage } from "../../../src/events.ts";
import { isActive, type Row, stageOrder } from "../row.ts";
import { formatDuration } from "../words.ts";
import { stageWords } from "./status.tsx";

/** How far one stage is: 0 to 1, or unknown while it runs without a known end. */
type Fill = number | "unknown";

interface StageBarProps {
  row: Row;
  /**
   * What stands below the chambers: their names while they fill, their names and the time that each took, or nothing.
   * Default `names`.
   */
  labels?: "names" | "times" | "none";
}

export function StageBar({ row, labels = "names" }: StageBarProps) {
  const { document } = row;
  const { filename, status } = document;
  const fills = stageOrder.map((stage) => fillOf(row, stage));
  const percent = Math.round(
    25 * fills.reduce<number>((sum, fill) => sum + (fill === "unknown" ? 0 : fill), 0),
  );
  const running = document.stage;
  return (
    <div class={`stages ${status}`}>
      <div
        class="bar"
        role="progressbar"
        aria-label={`Ingestion of ${filename}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={running === null ? status : `${stageWords[running]}, ${percent} %`}
      >
        {fills.map((fill, index) => (
          <span
            key={stageOrder[index]}
            class={`chamber ${fill === "unknown" ? "unknown" : stageOrder[index] === running ? "now" : ""}`}
          >
            <span style={{ width: fill === "unknown" ? "100%" : `${fill * 100}%` }} />
          </span>
        ))}
      </div>
      {(labels === "times" || (labels === "names" && isActive(document))) && (
        <div class="labels" aria-hidden={labels === "names"}>
          {stageOrder.map((stage) => (
            <span key={stage} class={stage === running ? "now" : ""}>
              {stageWords[stage]} {labels === "times" && <Took row={row} stage={stage} />}
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

function Took({ row, stage }: { row: Row; stage: Stage }) {
  const outcome = row.outcomes[stage];
  return outcome ? <b>{formatDuration(outcome.duration_ms)}</b> : null;
}

function fillOf({ document, ended_in }: Row, stage: Stage): Fill {
  const { status, progress } = document;
  if (status === "completed") return 1;
  const reached = document.stage ?? ended_in;
  if (reached === null) return 0;
  const distance = stageOrder.indexOf(stage) - stageOrder.indexOf(reached);
  if (distance !== 0) return distance < 0 ? 1 : 0;
  if (progress.total === null || progress.total === 0) return status === "processing" ? "unknown" : 0;
  return Math.min(1, progress.done / progress.total);
}
