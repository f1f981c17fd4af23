/** Prometheus metrics of one API process: its own registry, nothing global. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { SluiceEvent } from "../events.ts";
import { jobStates } from "../job.ts";
import type { JobQueue, QueueStats } from "../ports/job-queue.ts";

export interface Metrics {
  readonly content_type: string;
  observeRequest(method: string, route: string, status: number, seconds: number): void;
  /** From a request's first byte to the answer that acknowledges its upload. */
  observeAck(seconds: number): void;
  /** The page that Prometheus reads. */
  expose(): Promise<string>;
  /** Counts what happened, in whatever process. */
  observeEvent(event: SluiceEvent): void;
}

export function createMetrics(queue: JobQueue): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const jobs = new Gauge({
    name: "sluice_jobs",
    help: "Jobs by state.",
    labelNames: ["state"],
    registers,
  });
  const oldestReady = new Gauge({
    name: "sluice_oldest_ready_job_seconds",
    help: "How long the oldest job that is ready to run has waited; 0 when none is.",
    registers,
  });
  const expiredLeases = new Gauge({
    name: "sluice_expired_leases",
    help: "Running jobs whose worker fell silent and that nobody has taken over yet; at most 1000 are counted.",
    registers,
  });
  const acks = new Histogram({
    name: "sluice_upload_ack_seconds",
    help: "From an upload's request to its acknowledgement.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const requests = new Histogram({
    name: "sluice_http_request_seconds",
    help: "HTTP requests by route and status; streams of events are left out.",
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const events = new Counter({
    name: "sluice_events_total",
    help: "Events committed by any process since this one started, by type.",
    labelNames: ["event_type"],
    registers,
  });
  const stageSeconds = new Histogram({
    name: "sluice_stage_seconds",
    help: "How long each stage of an ingestion took.",
    labelNames: ["stage"],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800],
    registers,
  });
  const failures = new Counter({
    name: "sluice_ingestion_failures_total",
    help: "Ingestions that failed for good, by error code.",
    labelNames: ["code"],
    registers,
  });
  const retries = new Counter({
    name: "sluice_ingestion_retries_total",
    help: "Attempts that failed and will be made again, by error code.",
    labelNames: ["code"],
    registers,
  });

  function count(event: SluiceEvent): void {
    events.inc({ event_type: event.event_type });
    if (event.event_type === "rag.ingestion.stage_completed") {
      stageSeconds.observe({ stage: event.data.stage }, event.data.duration_ms / 1_000);
    } else if (event.event_type === "rag.ingestion.failed") {
      failures.inc({ code: event.data.error.code });
    } else if (event.event_type === "rag.ingestion.retry_scheduled") {
      retries.inc({ code: event.data.error.code });
    }
  }

  function setQueue(stats: QueueStats): void {
    for (const state of jobStates) jobs.set({ state }, stats.by_state[state]);
    oldestReady.set(stats.oldest_ready_ms / 1_000);
  }

  return {
    content_type: registry.contentType,
    observeRequest(method, route, status, seconds) {
      requests.observe({ method, route, status: String(status) }, seconds);
    },
    observeAck: (seconds) => acks.observe(seconds),
    async expose() {
      setQueue(await queue.stats());
      expiredLeases.set((await queue.expired(1_000)).length);
      return registry.metrics();
    },
    observeEvent: count,
  };
}
