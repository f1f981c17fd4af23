/**
 * What the events of documents tell of their journeys: runs one after another, in each the attempts, in each the
 * stages, with when they began and ended. Pure.
 */
import type { ErrorInfo } from "../../../../src/errors.ts";
import type { EventOf, SluiceEvent, Stage } from "../../../../src/events.ts";
import { stageOrder } from "../../row.ts";

/** A stretch of time, Unix milliseconds; `to` null: it goes on. */
export interface Stretch {
  from: number;
  to: number | null;
}

export interface StageSpan extends Stretch {
  stage: Stage;
  /** As the stage itself measured it; null while it runs, and where it did not end. */
  duration_ms: number | null;
  counts: Record<string, number>;
}

export interface Attempt extends Stretch {
  attempt: number;
  worker_id: string;
  /** From when it might have begun to when it did: in the queue, or a pause before trying again. */
  wait: Stretch & { kind: "queue" | "pause" };
  stages: StageSpan[];
  outcome: "running" | "completed" | "retry" | "failed" | "cancelled" | "deleted";
  error: ErrorInfo | null;
  /** Where it is to be tried again: from when on. */
  run_at: number | null;
}

/** From an upload, or a request to ingest anew, to its end. */
export interface Run {
  /** Sequence of the event that began it. */
  sequence: number;
  document_id: string;
  correlation_id: string;
  job_id: string;
  version: number;
  reason: "upload" | "reingest" | "retry";
  queued_at: number;
  attempts: Attempt[];
  /** How it stands, or ended. */
  state: "waiting" | Attempt["outcome"];
  ended_at: number | null;
  error: ErrorInfo | null;
  chunks_created: number | null;
  processing_time_ms: number | null;
}

const timeOf = (event: SluiceEvent) => Date.parse(event.timestamp);

/** Adds events to those known, each once, ascending. @returns the same array where there is nothing new */
export function withEvents(known: readonly SluiceEvent[], more: readonly SluiceEvent[]): readonly SluiceEvent[] {
  const last = known.at(-1)?.sequence ?? 0;
  // Most often they follow.
  if (more.every(({ sequence }, index) => sequence > (more[index - 1]?.sequence ?? last))) {
    return more.length === 0 ? known : [...known, ...more];
  }
  const bySequence = new Map(known.map((event) => [event.sequence, event]));
  for (const event of more) bySequence.set(event.sequence, event);
  if (bySequence.size === known.length) return known;
  return [...bySequence.values()].sort((a, b) => a.sequence - b.sequence);
}

/** @param events of any number of documents, ascending @returns oldest first */
export function runsOf(events: readonly SluiceEvent[]): Run[] {
  const runs: Run[] = [];
  const current = new Map<string, Run>();
  for (const event of events) {
    if (event.event_type === "rag.document.uploaded" || event.event_type === "rag.ingestion.requested") {
      const run = begin(event);
      runs.push(run);
      current.set(event.document_id, run);
      continue;
    }
    // What began before the first event that was read is not told by halves.
    const run = current.get(event.document_id);
    if (run) apply(run, event);
  }
  return runs;
}

function begin(event: EventOf<"rag.document.uploaded"> | EventOf<"rag.ingestion.requested">): Run {
  const { job_id, version } = event.data;
  return {
    sequence: event.sequence,
    document_id: event.document_id,
    correlation_id: event.correlation_id,
    job_id,
    version,
    reason: "reason" in event.data ? event.data.reason : "upload",
    queued_at: timeOf(event),
    attempts: [],
    state: "waiting",
    ended_at: null,
    error: null,
    chunks_created: null,
    processing_time_ms: null,
  };
}

type Following = Exclude<SluiceEvent, { event_type: "rag.document.uploaded" | "rag.ingestion.requested" }>;

function apply(run: Run, event: Following): void {
  const at = timeOf(event);
  const attempt = run.attempts.at(-1);
  switch (event.event_type) {
    case "rag.ingestion.started":
      if (attempt && attempt.to === null) close(attempt, at, "retry");
      run.state = "running";
      run.attempts.push({
        attempt: event.data.attempt,
        worker_id: event.data.worker_id,
        from: at,
        to: null,
        wait: waitBefore(run, at),
        stages: [],
        outcome: "running",
        error: null,
        run_at: null,
      });
      return;
    case "rag.ingestion.progressed": {
      if (!attempt || attempt.outcome !== "running") return;
      const running = attempt.stages.at(-1);
      if (running?.stage === event.data.stage && running.to === null) return;
      // A stage tells of itself only once it moves: it has run since what came before it ended.
      attempt.stages.push(spanOfStage(event.data.stage, running?.to ?? attempt.from));
      return;
    }
    case "rag.ingestion.stage_completed": {
      if (!attempt) return;
      const { stage, duration_ms, counts } = event.data;
      const ended = { stage, from: Math.max(attempt.from, at - duration_ms), to: at, duration_ms, counts };
      const running = attempt.stages.at(-1);
      if (running?.stage === stage && running.to === null) attempt.stages.splice(-1, 1, ended);
      else attempt.stages.push(ended);
      return;
    }
    case "rag.ingestion.completed":
      run.chunks_created = event.data.chunks_created;
      run.processing_time_ms = event.data.processing_time_ms;
      end(run, at, "completed", null);
      return;
    case "rag.ingestion.retry_scheduled":
      if (attempt) {
        close(attempt, at, "retry");
        attempt.error = event.data.error;
        attempt.run_at = Date.parse(event.data.run_at);
      }
      run.state = "retry";
      run.error = event.data.error;
      return;
    case "rag.ingestion.failed":
      end(run, at, "failed", event.data.error);
      return;
    case "rag.ingestion.cancelled":
      end(run, at, "cancelled", null);
      return;
    case "rag.document.deleted":
      // What had ended before stays as it ended.
      if (run.ended_at === null) end(run, at, "deleted", null);
      return;
  }
}

const spanOfStage = (stage: Stage, from: number): StageSpan => ({
  stage,
  from,
  to: null,
  duration_ms: null,
  counts: {},
});

function waitBefore(run: Run, at: number): Attempt["wait"] {
  const before = run.attempts.at(-1);
  return before
    ? { kind: "pause", from: before.to ?? before.from, to: at }
    : { kind: "queue", from: run.queued_at, to: at };
}

function close(attempt: Attempt, at: number, outcome: Attempt["outcome"]): void {
  attempt.to = at;
  attempt.outcome = outcome;
  const last = attempt.stages.at(-1);
  if (last && last.to === null) last.to = at;
  const reached = last === undefined ? -1 : stageOrder.indexOf(last.stage);
  // Where an attempt ended between two stages, it ended in the one that it had begun, and that never got to move.
  const next = stageOrder[reached + 1];
  const idle = last === undefined ? attempt.from : (last.to ?? at);
  const unended = outcome === "retry" || outcome === "failed" || outcome === "cancelled";
  if (unended && next && last?.duration_ms !== null && at > idle) {
    attempt.stages.push({ ...spanOfStage(next, idle), to: at });
  }
}

function end(run: Run, at: number, outcome: Attempt["outcome"], error: ErrorInfo | null): void {
  const attempt = run.attempts.at(-1);
  if (attempt && attempt.to === null) {
    close(attempt, at, outcome);
    attempt.error = error;
  }
  run.state = outcome;
  run.ended_at = at;
  run.error = error;
}

/** When the time that is drawn begins and ends. @param now stands for the end of what goes on */
export function spanOf(runs: readonly Run[], now: number): { from: number; to: number } {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  for (const run of runs) {
    from = Math.min(from, run.queued_at);
    to = Math.max(to, run.ended_at ?? now, ...run.attempts.map((attempt) => attempt.to ?? now));
  }
  if (!Number.isFinite(from)) return { from: now, to: now + 1 };
  return { from, to: Math.max(to, from + 1) };
}

/** Round offsets in milliseconds to mark on an axis of this length: at most about `count` of them, the first 0. */
export function ticksOf(length: number, count: number): number[] {
  const least = length / count;
  const decimal = 10 ** Math.floor(Math.log10(least));
  // Beyond a minute, round means parts of minutes, hours and days.
  const steps =
    least <= 30_000
      ? [1, 2, 5, 10].map((factor) => factor * decimal)
      : [1, 2, 5, 10, 20, 30, 60, 120, 360, 720, 1_440, 2_880, 10_080, 43_200, 525_600].map((n) => n * 60_000);
  const step = steps.find((candidate) => candidate >= least) ?? steps.at(-1)!;
  const ticks: number[] = [];
  for (let at = 0; at <= length && ticks.length <= 4 * count; at += step) ticks.push(at);
  return ticks;
}
