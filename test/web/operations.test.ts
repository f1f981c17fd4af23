import { expect, test } from "vitest";
import type { Job, Operations } from "../../src/client/index.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { fateWords, followFates } from "../../web/src/operations/fates.ts";
import { findingsOf, verdictOf } from "../../web/src/operations/health.ts";
import { GAP_MS, withSample } from "../../web/src/operations/history.ts";
import { joined } from "../../web/src/operations/joined.ts";
import { agoWords, spanWords } from "../../web/src/ui/times.ts";

const at = "2026-11-25T00:00:00.000Z";
const none = { queued: 0, running: 0, retrying: 0, succeeded: 0, dead: 0, cancelled: 0 };
const worker = {
  worker_id: "wrk_1",
  pid: 7,
  host: "barge",
  started_at: at,
  last_seen_at: at,
  holds: [],
  holds_of_others: 0,
};
const quiet: Operations = {
  at,
  tenant_id: "default",
  queue: { by_state: none, oldest_ready_ms: 0 },
  activity: {
    minutes: Array.from({ length: 60 }, () => ({
      minute: at,
      uploaded: 0,
      completed: 0,
      failed: 0,
      retried: 0,
      chunks: 0,
    })),
    stages: [],
    processing: { count: 0, p50_ms: 0, p95_ms: 0 },
  },
  dead: [],
  workers: [worker],
  tenants: null,
};

/** The current minute saw this. */
function happened(counts: Partial<Operations["activity"]["minutes"][number]>): Operations {
  const minutes = quiet.activity.minutes.with(-1, { ...quiet.activity.minutes.at(-1)!, ...counts });
  return { ...quiet, activity: { ...quiet.activity, minutes } };
}

const levels = (operations: Operations) =>
  Object.fromEntries(findingsOf(operations).map(({ about, level }) => [about, level]));
const finding = (operations: Operations, about: string) =>
  findingsOf(operations).find((each) => each.about === about)!;

test("a quiet service is well", () => {
  expect(verdictOf(findingsOf(quiet))).toEqual({ level: "good", words: "All is well" });
  expect(findingsOf(quiet).map(({ words }) => words)).toEqual([
    "1 worker alive",
    "Nothing waits",
    "Nothing fails now",
    "No dead letters",
  ]);
});

test("without a worker that is the first thing told, with what waits and how to start one", () => {
  const operations = { ...quiet, workers: [], queue: { ...quiet.queue, by_state: { ...none, queued: 2 } } };
  const [first] = findingsOf(operations);
  expect(first).toMatchObject({ level: "bad", words: "No worker is running, and 2 jobs wait" });
  expect(first?.advice).toContain("sluice worker");
});

test("a worker that fell silent is named", () => {
  const silent = { ...worker, pid: 8, last_seen_at: "2026-11-24T23:59:00.000Z" };
  expect(finding({ ...quiet, workers: [worker, silent] }, "workers")).toMatchObject({
    level: "warn",
    words: "1 worker not heard of: barge (8)",
  });
  expect(levels({ ...quiet, workers: [silent] }).workers).toBe("bad");
});

test("a queue that ages is told, and whether workers are busy or idle beside it", () => {
  const aged = (oldest_ready_ms: number, workers = [worker]) => ({
    ...quiet,
    workers,
    queue: { by_state: { ...none, queued: 5 }, oldest_ready_ms },
  });
  expect(levels(aged(30_000)).waiting).toBe("good");
  expect(levels(aged(90_000)).waiting).toBe("warn");
  expect(levels(aged(700_000)).waiting).toBe("bad");
  expect(finding(aged(90_000), "waiting").advice).toContain("No worker takes it");
  expect(finding(aged(90_000, [{ ...worker, holds_of_others: 1 }]), "waiting").advice).toContain(
    "more of them",
  );
});

test("failures that outnumber successes are the service's trouble, single ones the file's", () => {
  expect(levels(happened({ failed: 1, completed: 9 })).failing).toBe("warn");
  expect(levels(happened({ failed: 3, completed: 2 })).failing).toBe("bad");
  expect(levels(happened({ retried: 3, completed: 2 })).failing).toBe("bad");
  expect(levels(happened({ retried: 1, completed: 9 })).failing).toBe("good");
  expect(finding(happened({ failed: 1, retried: 2, completed: 9 }), "failing").words).toBe(
    "1 ingestion failed, 2 attempts failed and are made again, 9 completed in the last 5 minutes",
  );
});

test("dead letters are told with what most of them died of, and whether a redrive helps", () => {
  const dead = (code: "embedder_unavailable" | "malformed_document") =>
    finding(
      {
        ...quiet,
        dead: [
          { code, jobs: 3 },
          { code: "internal", jobs: 1 },
        ],
      },
      "dead",
    );
  expect(dead("embedder_unavailable").words).toBe("4 dead letters, 3 of them by embedder_unavailable");
  expect(dead("embedder_unavailable").advice).toContain("redrive them below");
  expect(dead("malformed_document").advice).toContain("will hardly help");
});

test("a pause in watching is a gap, and the same answer twice is one sample", () => {
  const later = (milliseconds: number) => ({
    ...quiet,
    at: new Date(Date.parse(at) + milliseconds).toISOString(),
  });
  const one = withSample([], quiet);
  expect(withSample(one, quiet)).toBe(one);
  const two = withSample(one, later(2_000));
  expect(two).toHaveLength(2);
  const gap = withSample(two, later(3_000 + GAP_MS));
  expect(gap.map(({ waiting }) => waiting)).toEqual([0, 0, null, 0]);
});

test("a list that is read again keeps what was read of its end", () => {
  const job = (job_id: string) => ({ job_id }) as Job;
  const old = { jobs: [job("5"), job("4"), job("3"), job("2")], next_cursor: "old" };
  // 4 has left, 6 is new.
  expect(joined({ jobs: [job("6"), job("5"), job("3")], next_cursor: "new" }, old)).toEqual({
    jobs: [job("6"), job("5"), job("3"), job("2")],
    next_cursor: "old",
  });
  const whole = { jobs: [job("5")], next_cursor: null };
  expect(joined(whole, old)).toBe(whole);
  const first = { jobs: [job("3"), job("2")], next_cursor: "new" };
  expect(joined(first, old)).toBe(first);
});

test("what was redriven is followed to its end, and nothing else is", () => {
  const event = (event_type: string, job_id: string, data: object = {}) =>
    ({ event_type, data: { job_id, ...data } }) as unknown as SluiceEvent;
  const again = (job_id: string) => event("rag.ingestion.requested", job_id, { reason: "retry" });
  const empty = followFates(new Map(), [
    event("rag.ingestion.requested", "a", { reason: "reingest" }),
    event("rag.ingestion.completed", "b"),
  ]);
  expect(empty.size).toBe(0);
  expect(fateWords(empty)).toBe("");
  let fates = followFates(empty, [again("a"), again("b"), again("c")]);
  expect(fateWords(fates)).toBe("Redriven: 3 under way.");
  fates = followFates(fates, [event("rag.ingestion.completed", "a"), event("rag.ingestion.failed", "b")]);
  expect(fateWords(fates)).toBe("Redriven: 1 under way, 1 searchable now, 1 died again.");
  expect(followFates(fates, [event("rag.ingestion.completed", "x")])).toBe(fates);
});

test("times in words", () => {
  expect(agoWords(1_000)).toBe("just now");
  expect(agoWords(-5_000)).toBe("just now");
  expect(agoWords(90_000)).toBe("2\u00a0min ago");
  expect(agoWords(3 * 3_600_000)).toBe("3\u00a0h ago");
  expect(spanWords(500)).toBe("under 1\u00a0s");
  expect(spanWords(75_000)).toBe("1\u00a0min 15\u00a0s");
  expect(spanWords(3_700_000)).toBe("1\u00a0h 2\u00a0min");
});
