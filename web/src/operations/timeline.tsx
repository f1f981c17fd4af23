/** What happened to one upload, from its events: one line each, with the time since the first. */
import type { SluiceEvent } from "../../../src/events.ts";
import { sluice } from "../session.ts";
import { useLoad } from "../ui/load.ts";
import { ErrorNote, stageWords } from "../ui/status.tsx";
import { clockTime, exactTime } from "../ui/times.ts";
import { formatBytes, formatDuration, plural } from "../words.ts";

/** A journey has some ten events for each run; progress is left out. */
const MOST = 1_000;

interface Line {
  words: string;
  level: "plain" | "good" | "bad" | "warn";
}

/** Pure. Null: not worth a line. */
export function lineOf(event: SluiceEvent): Line | null {
  switch (event.event_type) {
    case "rag.document.uploaded":
      return {
        words: `Uploaded, ${formatBytes(event.data.size_bytes)}, version ${event.data.version}`,
        level: "plain",
      };
    case "rag.ingestion.requested":
      return { words: event.data.reason === "retry" ? "Redriven" : "To be ingested again", level: "plain" };
    case "rag.ingestion.started":
      return { words: `Attempt ${event.data.attempt} began on ${event.data.worker_id}`, level: "plain" };
    case "rag.ingestion.progressed":
      return null;
    case "rag.ingestion.stage_completed":
      return {
        words: `${stageWords[event.data.stage]} done in ${formatDuration(event.data.duration_ms)}`,
        level: "plain",
      };
    case "rag.ingestion.completed":
      return { words: `Searchable: ${plural(event.data.chunks_created, "passage")}`, level: "good" };
    case "rag.ingestion.retry_scheduled":
      return {
        words: `Attempt ${event.data.attempt} failed (${event.data.error.code}): ${event.data.error.message} Next at ${clockTime(event.data.run_at)}`,
        level: "warn",
      };
    case "rag.ingestion.failed":
      return { words: `Failed for good (${event.data.error.code})`, level: "bad" };
    case "rag.ingestion.cancelled":
      return {
        words: event.data.reason === "superseded" ? "Stopped: a newer version took its place" : "Cancelled",
        level: "plain",
      };
    case "rag.document.deleted":
      return { words: "Deleted", level: "plain" };
  }
}

export function Timeline({ correlation_id, on }: { correlation_id: string; on: string }) {
  const { value, error } = useLoad(
    (signal) => sluice().listEvents({ correlation_id, limit: MOST }, { signal }),
    [correlation_id, on],
  );
  if (error !== undefined) return <ErrorNote>{error.message}</ErrorNote>;
  if (value === undefined) return <p class="hint">Loading what happened …</p>;
  const lines = value.events.flatMap((event) => {
    const line = lineOf(event);
    return line === null ? [] : [{ event, line }];
  });
  if (lines.length === 0) return <p class="hint">The log has no events of it.</p>;
  const first = Date.parse(lines[0]!.event.timestamp);
  return (
    <ol class="operations-timeline">
      {lines.map(({ event, line }) => (
        <li key={event.event_id} class={line.level}>
          <time dateTime={event.timestamp} title={exactTime(event.timestamp)}>
            {event.timestamp === lines[0]!.event.timestamp
              ? clockTime(event.timestamp)
              : `+${formatDuration(Date.parse(event.timestamp) - first)}`}
          </time>
          <span>{line.words}</span>
        </li>
      ))}
    </ol>
  );
}
