import { describe, expect, test } from "vitest";
import { newDocument, newEventFor } from "../../contracts/index.ts";
import type { EventData, EventType, SluiceEvent } from "../../src/events.ts";
import { type Activity, createActivity } from "../../src/progress/activity.ts";
import {
  addDuration,
  addDurations,
  countDurations,
  createDurations,
  percentile,
} from "../../src/progress/durations.ts";
import { createClock } from "../support/clock.ts";

const MINUTE = 60_000;
const start = Date.UTC(2026, 0, 1, 12, 0, 30);
const malformed = { code: "malformed_document", message: "damaged", retryable: false } as const;

/** An aggregator whose clock stands at half past the minute, and what tells it of events. */
function open(max_tenants?: number) {
  const clock = createClock(start);
  const activity = createActivity(clock.system, max_tenants);
  let sequence = 0;
  function tell<T extends EventType>(
    event_type: T,
    data: Omit<EventData<T>, "job_id" | "version">,
    tenant_id = "t1",
    at = clock.system.now(),
  ): void {
    const record = newDocument(clock.system, { tenant_id });
    const whole = { job_id: record.job_id, version: 1, ...data } as EventData<T>;
    const event = newEventFor(clock.system, record, event_type, whole);
    sequence += 1;
    activity.observe({ ...event, sequence, timestamp: new Date(at).toISOString() } as SluiceEvent);
  }
  const uploaded = (tenant_id?: string, at?: number) =>
    tell(
      "rag.document.uploaded",
      { filename: "a.txt", media_type: "text/plain", size_bytes: 1, sha256: "00" },
      tenant_id,
      at,
    );
  const completed = (chunks_created: number, processing_time_ms: number, tenant_id?: string, at?: number) =>
    tell("rag.ingestion.completed", { chunks_created, processing_time_ms }, tenant_id, at);
  return { clock, activity, tell, uploaded, completed };
}

const uploads = (activity: Activity, tenant_id?: string) =>
  activity.read(tenant_id).minutes.map(({ uploaded }) => uploaded);
const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);

describe("activity", () => {
  test("nothing happened: sixty minutes of nothing, the last one the current", () => {
    const { activity } = open();
    const { minutes, stages, processing } = activity.read();
    expect(minutes).toHaveLength(60);
    expect(minutes[0]?.minute).toBe("2026-01-01T11:01:00.000Z");
    expect(minutes[59]).toEqual({
      minute: "2026-01-01T12:00:00.000Z",
      uploaded: 0,
      completed: 0,
      failed: 0,
      retried: 0,
      chunks: 0,
    });
    expect(stages).toEqual([]);
    expect(processing).toEqual({ count: 0, p50_ms: 0, p95_ms: 0 });
    expect(activity.read("t1")).toEqual(activity.read());
  });

  test("counts each kind in the minute in which it happened, of the tenant and of all", () => {
    const { activity, clock, tell, uploaded, completed } = open();
    uploaded("t1");
    uploaded("t2");
    uploaded("t1", start - 3 * MINUTE);
    clock.advance(MINUTE);
    completed(7, 100, "t1");
    completed(5, 100, "t1");
    tell("rag.ingestion.failed", { attempt: 1, error: malformed }, "t2");
    tell("rag.ingestion.retry_scheduled", { attempt: 1, error: malformed, run_at: "2026-01-01T12:00:00Z" });
    tell("rag.ingestion.started", { attempt: 1, worker_id: "wrk_1" });
    const { minutes } = activity.read("t1");
    const counted = minutes.filter(({ minute: _, ...counts }) => sum(Object.values(counts)) > 0);
    const none = { uploaded: 0, completed: 0, failed: 0, retried: 0, chunks: 0 };
    expect(counted).toEqual([
      { ...none, minute: "2026-01-01T11:57:00.000Z", uploaded: 1 },
      { ...none, minute: "2026-01-01T12:00:00.000Z", uploaded: 1 },
      { ...none, minute: "2026-01-01T12:01:00.000Z", completed: 2, retried: 1, chunks: 12 },
    ]);
    expect(activity.read().minutes.at(-1)).toMatchObject({ completed: 2, failed: 1, retried: 1, chunks: 12 });
    expect(activity.read().minutes.at(-2)).toMatchObject({ uploaded: 2 });
    expect(activity.read("t3").minutes.every((minute) => minute.uploaded === 0)).toBe(true);
    expect([...activity.completedByTenant()].sort()).toEqual([
      ["t1", 2],
      ["t2", 0],
    ]);
  });

  test("an hour later it is gone; what comes from further back never counts", () => {
    const { activity, clock, uploaded, completed } = open();
    uploaded("t1", start - 59 * MINUTE);
    uploaded("t1", start - 60 * MINUTE);
    expect(uploads(activity)).toEqual([1, ...new Array(59).fill(0)]);
    completed(1, 5);
    clock.advance(59 * MINUTE);
    expect(activity.read("t1").minutes[0]).toMatchObject({ uploaded: 0, completed: 1 });
    expect(activity.read("t1").processing.count).toBe(1);
    clock.advance(MINUTE);
    expect(activity.read("t1").minutes.some(({ completed: done }) => done > 0)).toBe(false);
    expect(activity.read("t1").processing.count).toBe(0);
    expect(activity.completedByTenant()).toEqual(new Map());
    // The same place of the ring, an hour on.
    uploaded();
    expect(sum(uploads(activity))).toBe(1);
  });

  test("an event of a clock that goes ahead counts as now", () => {
    const { activity, uploaded } = open();
    uploaded("t1", start + 5 * MINUTE);
    expect(uploads(activity).at(-1)).toBe(1);
  });

  test("a tenant that was quiet for an hour is forgotten, and so is the quietest of too many", () => {
    const { activity, clock, uploaded, completed } = open(2);
    completed(1, 1, "quiet");
    clock.advance(10);
    completed(1, 1, "b");
    uploaded("quiet");
    completed(1, 1, "c");
    expect([...activity.completedByTenant().keys()].sort()).toEqual(["c", "quiet"]);
    // Of all, it still counts.
    expect(activity.read().minutes.at(-1)?.completed).toBe(3);
    expect(activity.read("b").minutes.at(-1)?.completed).toBe(0);
    clock.advance(60 * MINUTE);
    completed(1, 1, "d");
    expect([...activity.completedByTenant().keys()]).toEqual(["d"]);
  });

  test("stages in their order, with the middle and the slow end of their durations in the hour", () => {
    const { activity, clock, tell, completed } = open();
    const stage = (name: "extracting" | "embedding", duration_ms: number) =>
      tell("rag.ingestion.stage_completed", { stage: name, duration_ms, counts: {} });
    // A slow one that the hour leaves behind.
    stage("embedding", 50_000);
    clock.advance(10 * MINUTE);
    for (let place = 1; place <= 100; place++) {
      if (place === 50) clock.advance(20 * MINUTE);
      stage("embedding", place * 10);
    }
    stage("extracting", 3);
    completed(1, 1_234);
    clock.advance(31 * MINUTE);
    const { stages, processing } = activity.read("t1");
    expect(stages.map(({ stage: name, count }) => [name, count])).toEqual([
      ["extracting", 1],
      ["embedding", 100],
    ]);
    const [extracting, embedding] = stages;
    expectNear(extracting?.p50_ms, 3);
    expectNear(embedding?.p50_ms, 500);
    expectNear(embedding?.p95_ms, 950);
    expect(processing.count).toBe(1);
    expectNear(processing.p50_ms, 1_234);
    expectNear(processing.p95_ms, 1_234);
  });
});

function expectNear(found: number | undefined, truth: number): void {
  expect(Math.abs((found ?? 0) - truth) / truth, `${found} for ${truth}`).toBeLessThan(0.05);
}

describe("durations", () => {
  test.each([1, 2, 7, 20, 99, 1_000])(
    "percentiles of %i durations are those of a sorted list, nearly",
    (count) => {
      const durations = createDurations();
      // From a millisecond to hours, in no order, each many times over.
      const all = Array.from({ length: count }, (_, place) => 1.018 ** ((place * 389) % count));
      for (const ms of all) addDuration(durations, ms);
      all.sort((a, b) => a - b);
      for (const share of [0, 0.01, 0.5, 0.95, 0.99, 1]) {
        expectNear(percentile(durations, share), all[Math.max(0, Math.ceil(share * count) - 1)] as number);
      }
      expect(countDurations(durations)).toBe(count);
    },
  );

  test("what is below a millisecond is nothing, and what is absurdly long is of the longest size", () => {
    const durations = createDurations();
    for (const ms of [0, 0.4, -3, Number.NaN]) addDuration(durations, ms);
    expect(percentile(durations, 0.95)).toBe(0);
    addDuration(durations, 1e15, 100);
    expect(percentile(durations, 0.95)).toBeGreaterThan(86_400_000);
    expect(durations.counts.size).toBe(2);
  });

  test("two counts add up", () => {
    const [a, b] = [createDurations(), createDurations()];
    addDuration(a, 10, 19);
    addDuration(b, 1_000);
    addDurations(a, b);
    expect(countDurations(a)).toBe(20);
    expectNear(percentile(a, 0.95), 10);
    expectNear(percentile(a, 0.96), 1_000);
    expect(countDurations(b)).toBe(1);
  });
});
