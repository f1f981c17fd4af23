/**
 * What happened in the last hour, by tenant and in all: minute by minute, and how long the stages took. Counted in the
 * memory of one process from the log, which every process reads, so nothing is stored and all tell the same.
 */
import { type SluiceEvent, type Stage, stages } from "../events.ts";
import type { System } from "../ports/system.ts";
import {
  addDuration,
  addDurations,
  countDurations,
  createDurations,
  type Durations,
  percentile,
} from "./durations.ts";

export interface ActivityMinute {
  /** Its beginning, ISO 8601. */
  minute: string;
  uploaded: number;
  completed: number;
  failed: number;
  /** Attempts that failed and were to be made again. */
  retried: number;
  /** Of the completed documents. */
  chunks: number;
}

export interface Timing {
  count: number;
  p50_ms: number;
  p95_ms: number;
}

export interface ActivityView {
  /** The last 60, ascending; the last one is the current. */
  minutes: ActivityMinute[];
  /** Of that hour, in the order in which they are run; those that did not run are left out. */
  stages: ({ stage: Stage } & Timing)[];
  /** From the first start of a job to its end. */
  processing: Timing;
}

export interface Activity {
  /** Each event once, in whatever order; those that are older than the hour change nothing. */
  observe(event: SluiceEvent): void;
  /** Without a tenant: of all. */
  read(tenant_id?: string): ActivityView;
  /** Documents completed in the last hour, of each tenant that something happened to. */
  completedByTenant(): Map<string, number>;
}

const MINUTE_MS = 60_000;
const MINUTES = 60;
/** Beyond, the tenant that was quiet for longest is forgotten; it still counts in the total. */
const MAX_TENANTS = 500;

type Counts = Omit<ActivityMinute, "minute">;
const none: Counts = { uploaded: 0, completed: 0, failed: 0, retried: 0, chunks: 0 };

interface Bucket extends Counts {
  /** Minutes since 1970. */
  number: number;
  stages: Map<Stage, Durations>;
  processing: Durations;
}

/** A ring: a minute takes the place of the one an hour before. */
type Series = (Bucket | undefined)[];

export function createActivity({ now }: Pick<System, "now">, max_tenants = MAX_TENANTS): Activity {
  const total: Series = [];
  /** In the order in which something happened last. */
  const tenants = new Map<string, Series>();

  const current = () => Math.floor(now() / MINUTE_MS);
  const isRecent = (bucket: Bucket | undefined): bucket is Bucket => {
    const last = current();
    return bucket !== undefined && bucket.number <= last && bucket.number > last - MINUTES;
  };

  function seriesOf(tenant_id: string): Series {
    const series = tenants.get(tenant_id) ?? [];
    tenants.delete(tenant_id);
    for (const [quiet, its] of tenants) {
      if (tenants.size < max_tenants && its.some(isRecent)) break;
      tenants.delete(quiet);
    }
    tenants.set(tenant_id, series);
    return series;
  }

  return {
    observe(event) {
      const last = current();
      // A clock that goes ahead of this one counts as now.
      const number = Math.min(last, Math.floor(Date.parse(event.timestamp) / MINUTE_MS));
      if (number <= last - MINUTES || !countsSomewhere(event)) return;
      for (const series of [total, seriesOf(event.tenant_id)]) count(bucketOf(series, number), event);
    },

    read(tenant_id) {
      const buckets = ((tenant_id === undefined ? total : tenants.get(tenant_id)) ?? []).filter(isRecent);
      const byNumber = new Map(buckets.map((bucket) => [bucket.number, bucket]));
      const first = current() - MINUTES + 1;
      return {
        minutes: Array.from({ length: MINUTES }, (_, place) => {
          const { uploaded, completed, failed, retried, chunks } = byNumber.get(first + place) ?? none;
          const minute = new Date((first + place) * MINUTE_MS).toISOString();
          return { minute, uploaded, completed, failed, retried, chunks };
        }),
        stages: stages.flatMap((stage) => {
          const timing = timingOf(buckets.map((bucket) => bucket.stages.get(stage)));
          return timing.count === 0 ? [] : [{ stage, ...timing }];
        }),
        processing: timingOf(buckets.map((bucket) => bucket.processing)),
      };
    },

    completedByTenant() {
      const completed = new Map<string, number>();
      for (const [tenant_id, series] of tenants) {
        const recent = series.filter(isRecent);
        if (recent.length === 0) continue;
        completed.set(
          tenant_id,
          recent.reduce((sum, bucket) => sum + bucket.completed, 0),
        );
      }
      return completed;
    },
  };
}

function countsSomewhere({ event_type }: SluiceEvent): boolean {
  switch (event_type) {
    case "rag.document.uploaded":
    case "rag.ingestion.completed":
    case "rag.ingestion.failed":
    case "rag.ingestion.retry_scheduled":
    case "rag.ingestion.stage_completed":
      return true;
    default:
      return false;
  }
}

function bucketOf(series: Series, number: number): Bucket {
  const place = number % MINUTES;
  let bucket = series[place];
  if (bucket?.number !== number) {
    bucket = { number, ...none, stages: new Map(), processing: createDurations() };
    series[place] = bucket;
  }
  return bucket;
}

function count(bucket: Bucket, event: SluiceEvent): void {
  switch (event.event_type) {
    case "rag.document.uploaded":
      bucket.uploaded += 1;
      return;
    case "rag.ingestion.completed":
      bucket.completed += 1;
      bucket.chunks += event.data.chunks_created;
      addDuration(bucket.processing, event.data.processing_time_ms);
      return;
    case "rag.ingestion.failed":
      bucket.failed += 1;
      return;
    case "rag.ingestion.retry_scheduled":
      bucket.retried += 1;
      return;
    case "rag.ingestion.stage_completed": {
      const durations = bucket.stages.get(event.data.stage) ?? createDurations();
      addDuration(durations, event.data.duration_ms);
      bucket.stages.set(event.data.stage, durations);
    }
  }
}

function timingOf(parts: (Durations | undefined)[]): Timing {
  const all = createDurations();
  for (const part of parts) if (part) addDurations(all, part);
  return { count: countDurations(all), p50_ms: percentile(all, 0.5), p95_ms: percentile(all, 0.95) };
}
