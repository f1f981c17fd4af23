/** The charts of the screen: queue, age, throughput, stages. */
import type { Operations } from "../../../src/client/index.ts";
import { stageOrder } from "../row.ts";
import { Chart } from "../ui/chart.tsx";
import { durationTicksTo } from "../ui/scale.ts";
import { stageWords } from "../ui/status.tsx";
import { clockTime, minuteTime, spanWords } from "../ui/times.ts";
import { formatDuration, plural } from "../words.ts";
import type { Sample } from "./history.ts";

const number = (value: number) => value.toLocaleString("en");
const span = (milliseconds: number) => (milliseconds < 1_000 ? "0\u00a0s" : spanWords(milliseconds));
const ageTicks = (largest: number) => durationTicksTo(Math.max(largest, 4_000));

export function Figures({ operations, samples }: { operations: Operations; samples: readonly Sample[] }) {
  const { queue, activity } = operations;
  const at = samples.map((sample) => sample.at);
  const ends = [at.length > 0 ? clockTime(at[0]!) : "", "now"] as const;
  const watched = at.length > 1 ? `watched for ${spanWords(at.at(-1)! - at[0]!)}` : "watched from now on";
  const minutes = activity.minutes.map(({ minute }) => Date.parse(minute));
  const sum = (field: "uploaded" | "completed" | "failed") =>
    activity.minutes.reduce((total, minute) => total + minute[field], 0);
  return (
    <div class="operations-figures">
      <Chart
        title="Queue"
        note={watched}
        at={at}
        series={[
          { name: "waiting", mark: "area", tone: 1, values: samples.map(({ waiting }) => waiting) },
          { name: "running", mark: "dashed", tone: 2, values: samples.map(({ running }) => running) },
        ]}
        format={number}
        formatTime={clockTime}
        ends={ends}
      />
      <Chart
        title="Oldest waiting job"
        note={queue.oldest_ready_ms ? `ready for ${span(queue.oldest_ready_ms)}` : "nothing is ready"}
        at={at}
        series={[{ name: "age", mark: "area", tone: 4, values: samples.map(({ oldest_ms }) => oldest_ms) }]}
        format={span}
        formatTime={clockTime}
        ticks={ageTicks}
        ends={ends}
      />
      <Chart
        title="Documents a minute"
        note={`this hour: ${number(sum("uploaded"))} in, ${number(sum("completed"))} completed, ${number(sum("failed"))} failed`}
        at={minutes}
        series={[
          {
            name: "completed",
            mark: "bars",
            tone: 1,
            values: activity.minutes.map((each) => each.completed),
          },
          { name: "failed", mark: "hatched", tone: 3, values: activity.minutes.map((each) => each.failed) },
          {
            name: "uploaded",
            mark: "dashed",
            tone: 2,
            values: activity.minutes.map((each) => each.uploaded),
          },
        ]}
        format={number}
        formatTime={minuteTime}
        ends={["an hour ago", "this minute"]}
        empty={
          sum("uploaded") + sum("completed") + sum("failed") === 0 ? "Nothing in the last hour" : undefined
        }
      />
      <StageTimes activity={activity} />
    </div>
  );
}

/** A table that is its own chart: a bar for half of the documents, a lighter one that reaches to 95 of 100. */
function StageTimes({ activity }: Pick<Operations, "activity">) {
  const { stages, processing } = activity;
  const rows = [
    ...stageOrder.map((stage) => ({
      ...(stages.find((each) => each.stage === stage) ?? { count: 0, p50_ms: null, p95_ms: null }),
      name: stageWords[stage],
      tone: stage as string,
    })),
    { name: "All of it", tone: "whole", ...processing },
  ];
  const longest = Math.max(1, ...rows.map(({ p95_ms }) => p95_ms ?? 0));
  const part = (value: number | null) => `${((value ?? 0) / longest) * 100}%`;
  return (
    <figure class="chart panel operations-stages" aria-labelledby="operations-stages">
      <header>
        <h3 id="operations-stages">Time by stage</h3>
        <p class="hint">
          {processing.count === 0
            ? "nothing completed this hour"
            : `${plural(processing.count, "document")} this hour`}
        </p>
      </header>
      <table>
        <thead>
          <tr>
            <th scope="col">Stage</th>
            <td aria-hidden="true" class="bars" />
            <th scope="col" class="number">
              p50
            </th>
            <th scope="col" class="number">
              p95
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, tone, count, p50_ms, p95_ms }) => (
            <tr key={name} class={tone}>
              <th scope="row">{name}</th>
              <td class="bars" aria-hidden="true">
                <span class="p95" style={{ width: part(count === 0 ? 0 : p95_ms) }} />
                <span class="p50" style={{ width: part(count === 0 ? 0 : p50_ms) }} />
              </td>
              <td class="number">{count === 0 || p50_ms === null ? "–" : formatDuration(p50_ms)}</td>
              <td class="number">{count === 0 || p95_ms === null ? "–" : formatDuration(p95_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="chart-values">
        <span>
          <span class="operations-key p50" aria-hidden="true" /> half take at most p50
        </span>
        <span>
          <span class="operations-key p95" aria-hidden="true" /> 95 of 100 at most p95
        </span>
      </p>
    </figure>
  );
}
