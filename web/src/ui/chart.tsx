/**
 * A chart of values over time: drawn here, so that nothing is loaded for it. Series differ by how they are drawn, and
 * not by their colour alone; what is under the pointer, or chosen with the arrow keys, stands in words below, and all
 * of it in a table.
 */
import { useId, useState } from "preact/hooks";
import "./chart.css";
import {
  across,
  areaPath,
  barsPath,
  down,
  HEIGHT,
  linePath,
  nearest,
  type Point,
  ticksTo,
  WIDTH,
} from "./scale.ts";

export interface Series {
  name: string;
  /** How it is drawn: bars stand on one another, in the order given. */
  mark: "area" | "line" | "dashed" | "bars" | "hatched";
  tone: 1 | 2 | 3 | 4;
  /** One for each moment; null where it is not known. */
  values: readonly (number | null)[];
}

interface ChartProps {
  title: string;
  /** Beside the title: what matters most, in figures. */
  note?: string;
  /** Moments, ascending, in Unix milliseconds. */
  at: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  formatTime: (at: number) => string;
  /** Values at which lines are drawn, the last one at the top. */
  ticks?: (largest: number) => number[];
  /** Words at the two ends of the time. */
  ends: readonly [string, string];
  /** Said in place of a drawing of nothing. */
  empty?: string | undefined;
}

const isBars = ({ mark }: Series) => mark === "bars" || mark === "hatched";

export function Chart(props: ChartProps) {
  const { title, note, at, series, format, formatTime, ticks = wholeTicks, ends, empty } = props;
  const id = useId();
  const [chosen, setChosen] = useState<number | null>(null);
  // Time goes on under the pointer: what is chosen is a moment, not a place in the list.
  const index = chosen === null ? -1 : nearest(at, chosen);
  const shown = index === -1 ? at.length - 1 : index;
  const bars = series.some(isBars);
  const lines = ticks(largestOf(series, at.length));
  const top = lines.at(-1) ?? 0;
  const from = at[0] ?? 0;
  const to = at.at(-1) ?? 0;
  /** Part of the width, 0 to 1. */
  const xOf = (place: number) => (bars ? (place + 0.5) / at.length : across(at[place]!, from, to) / WIDTH);
  const words = (place: number) =>
    series.map(({ name, values }) => `${name} ${valueWords(values[place], format)}`).join(", ");

  function choose(clientX: number, element: Element): void {
    const { left, width } = element.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (clientX - left) / width));
    const place = bars
      ? Math.min(at.length - 1, Math.floor(part * at.length))
      : nearest(at, from + part * (to - from));
    setChosen(at[place] ?? null);
  }

  function step(event: KeyboardEvent): void {
    const last = at.length - 1;
    const stride = Math.max(1, Math.round(at.length / 60));
    const next = {
      ArrowLeft: shown - stride,
      ArrowDown: shown - stride,
      ArrowRight: shown + stride,
      ArrowUp: shown + stride,
      PageDown: shown - 10 * stride,
      PageUp: shown + 10 * stride,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") setChosen(null);
    if (next === undefined) return;
    event.preventDefault();
    setChosen(at[Math.min(last, Math.max(0, next))] ?? null);
  }

  return (
    <figure class="chart panel" aria-labelledby={`${id}-title`}>
      <header>
        <h3 id={`${id}-title`}>{title}</h3>
        {note !== undefined && <p class="hint">{note}</p>}
      </header>
      <div class="chart-field">
        <div class="chart-ticks" aria-hidden="true">
          <span class="widest">{lines.map(format).reduce((a, b) => (b.length > a.length ? b : a), "")}</span>
          {lines.map((value) => (
            <span key={value} style={{ top: `${down(value, top)}%` }}>
              {format(value)}
            </span>
          ))}
        </div>
        <div
          class="chart-plot"
          role="slider"
          tabIndex={0}
          aria-label={`${title}: values over time, by arrow keys`}
          aria-valuemin={0}
          aria-valuemax={Math.max(0, at.length - 1)}
          aria-valuenow={Math.max(0, shown)}
          aria-valuetext={shown < 0 ? "nothing yet" : `${formatTime(at[shown]!)}: ${words(shown)}`}
          onPointerMove={(event) => choose(event.clientX, event.currentTarget)}
          onPointerDown={(event) => choose(event.clientX, event.currentTarget)}
          onPointerLeave={() => setChosen(null)}
          onKeyDown={step}
          onBlur={() => setChosen(null)}
        >
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            <Hatch id={`${id}-hatch`} />
            {lines.map((value) => (
              <line
                key={value}
                class={value === 0 ? "chart-grid base" : "chart-grid"}
                x1="0"
                x2={WIDTH}
                y1={down(value, top)}
                y2={down(value, top)}
              />
            ))}
            {series.map((each, place) => (
              <Drawing
                key={each.name}
                series={each}
                below={series.slice(0, place).filter(isBars)}
                points={each.values.map((value, point) => ({
                  x: xOf(point) * WIDTH,
                  y: value === null ? null : down(value, top),
                }))}
                top={top}
                hatch={`${id}-hatch`}
              />
            ))}
          </svg>
          {index !== -1 && (
            <>
              <span
                class={bars ? "chart-cursor bar" : "chart-cursor"}
                style={
                  bars
                    ? { left: `${(index / at.length) * 100}%`, width: `${100 / at.length}%` }
                    : { left: `${xOf(index) * 100}%` }
                }
              />
              {series
                .filter((each) => !isBars(each) && typeof each.values[index] === "number")
                .map((each) => (
                  <span
                    key={each.name}
                    class={`chart-point tone-${each.tone}`}
                    style={{
                      left: `${xOf(index) * 100}%`,
                      top: `${down(each.values[index] as number, top)}%`,
                    }}
                  />
                ))}
            </>
          )}
          {empty !== undefined && <p class="chart-empty">{empty}</p>}
        </div>
        <div class="chart-times" aria-hidden="true">
          <span>{ends[0]}</span>
          <span>{ends[1]}</span>
        </div>
      </div>
      <p class="chart-values">
        {series.map((each) => (
          <span key={each.name} class={`tone-${each.tone}`}>
            <KeyMark mark={each.mark} hatch={`${id}-hatch`} />
            {each.name} <b>{shown < 0 ? "–" : valueWords(each.values[shown], format)}</b>
          </span>
        ))}
        <span class="when">{shown < 0 ? "" : index === -1 ? "now" : formatTime(at[shown]!)}</span>
      </p>
      <ChartTable {...props} />
    </figure>
  );
}

function wholeTicks(largest: number): number[] {
  return ticksTo(largest, 4, true);
}

function valueWords(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

/** The highest place that anything reaches, with bars standing on one another. */
function largestOf(series: readonly Series[], length: number): number {
  let largest = 0;
  for (let place = 0; place < length; place++) {
    let stacked = 0;
    for (const each of series) {
      const value = each.values[place] ?? 0;
      if (isBars(each)) stacked += value;
      largest = Math.max(largest, value, stacked);
    }
  }
  return largest;
}

interface DrawingProps {
  series: Series;
  below: readonly Series[];
  points: readonly Point[];
  top: number;
  hatch: string;
}

function Drawing({ series, below, points, top, hatch }: DrawingProps) {
  const { mark, tone, values } = series;
  if (isBars(series)) {
    const heights = values.map((value) => value ?? 0);
    const bases = heights.map((_, place) => below.reduce((sum, each) => sum + (each.values[place] ?? 0), 0));
    return (
      <path
        class={`chart-bars ${mark} tone-${tone}`}
        d={barsPath(heights, top, bases)}
        fill={mark === "hatched" ? `url(#${hatch})` : undefined}
        style={mark === "hatched" ? { fill: `url(#${hatch})` } : undefined}
      />
    );
  }
  return (
    <g class={`tone-${tone}`}>
      {mark === "area" && <path class="chart-area" d={areaPath(points)} />}
      <path class={`chart-line ${mark}`} d={linePath(points)} />
    </g>
  );
}

/** Slanting lines, for what must be told from plain bars without colour. */
function Hatch({ id }: { id: string }) {
  return (
    <defs>
      <pattern id={id} width="6" height="6" patternUnits="userSpaceOnUse" class="tone-3">
        <path d="M0 6 6 0" stroke="var(--danger)" stroke-width="2" />
      </pattern>
    </defs>
  );
}

function KeyMark({ mark, hatch }: { mark: Series["mark"]; hatch: string }) {
  return (
    <svg class="chart-key" viewBox="0 0 16 10" aria-hidden="true">
      {mark === "bars" && <rect class="chart-bars" x="2" width="12" height="10" rx="2" />}
      {mark === "hatched" && (
        <rect
          class="chart-bars hatched"
          style={{ fill: `url(#${hatch})` }}
          x="2.5"
          y="0.5"
          width="11"
          height="9"
          rx="1"
        />
      )}
      {mark === "area" && <path class="chart-area" d="M0 4h16v6H0Z" />}
      {!["bars", "hatched"].includes(mark) && (
        <path class={`chart-line ${mark}`} d={mark === "area" ? "M0 4h16" : "M0 5h16"} />
      )}
    </svg>
  );
}

/** At most this many rows stand in a table: every so many moments one. */
const TABLE_ROWS = 60;

function ChartTable({ title, at, series, format, formatTime }: ChartProps) {
  const [open, setOpen] = useState(false);
  const every = Math.max(1, Math.ceil(at.length / TABLE_ROWS));
  const places = at.map((_, place) => place).filter((place) => (at.length - 1 - place) % every === 0);
  return (
    <details class="chart-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {open && (
        // Scrolled by keyboard too.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable
        <section tabIndex={0} aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {series.map(({ name }) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {places.reverse().map((place) => (
                <tr key={at[place]}>
                  <th scope="row">{formatTime(at[place]!)}</th>
                  {series.map(({ name, values }) => (
                    <td key={name} class="number">
                      {valueWords(values[place], format)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </details>
  );
}
