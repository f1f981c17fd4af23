import { describe, expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import { type SluiceEvent, type Stage, stages } from "../../src/events.ts";
import { createJournal, type EventDraft } from "../../src/pipeline/journal.ts";
import type { Commit } from "../../src/ports/document-store.ts";
import { createClock } from "../support/clock.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { gate, openRig, PATIENCE_MS, paragraphs } from "../support/rig.ts";

const progressOf = (events: SluiceEvent[]) =>
  events.flatMap((event) => (event.event_type === "rag.ingestion.progressed" ? [event] : []));

/** A journal of an attempt that has begun. `commit` may be replaced. */
async function openJournal(storage: "sqlite" | "memory" = "memory") {
  const clock = createClock();
  const rig = await openRig({ storage, system: clock.system });
  const { document_id, job_id } = await rig.upload("short");
  const claimed = await rig.claim();
  const written: Commit[] = [];
  const hooks = { before: async (_: Commit) => {} };
  const documents = {
    ...rig.documents,
    async commit(commits: Commit[]) {
      await hooks.before(commits[0]!);
      written.push(...commits);
      return rig.documents.commit(commits);
    },
  };
  const journal = createJournal({ system: clock.system, documents }, claimed, await rig.get(document_id));
  const started: EventDraft = {
    event_type: "rag.ingestion.started",
    data: { job_id, version: 1, attempt: 1, worker_id: "wrk_test" },
  };
  const completed = (stage: Stage): EventDraft => ({
    event_type: "rag.ingestion.stage_completed",
    data: { job_id, version: 1, stage, duration_ms: 1, counts: {} },
  });
  await journal.record([started]);
  return { clock, rig, document_id, job_id, claimed, journal, written, hooks, completed };
}

describe.each(["sqlite", "memory"] as const)("progress, in %s", (storage) => {
  test("asked for a thousand times in a second is written ten times", async () => {
    const { clock, rig, document_id, journal } = await openJournal(storage);
    for (let done = 0; done < 1_000; done++) {
      journal.progress("extracting", done, 1_000);
      // Whatever is under way comes to its end, so that nothing but time holds the next one back.
      await journal.commit({});
      clock.advance(1);
    }
    const written = progressOf(await rig.expectReplays(document_id));
    expect(written.map(({ data }) => data.done)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    const times = written.map(({ timestamp }) => Date.parse(timestamp));
    expect(times.slice(1).every((time, place) => time - times[place]! >= 100)).toBe(true);
    expect((await rig.get(document_id)).progress).toEqual({ done: 900, total: 1_000 });
  });
});

test("progress is never told while earlier progress is being written, however long that takes", async () => {
  const { clock, rig, document_id, journal, hooks } = await openJournal();
  const slow = gate();
  hooks.before = () => slow.opened;
  journal.progress("extracting", 1, 9);
  for (let done = 2; done < 9; done++) {
    clock.advance(1_000);
    journal.progress("extracting", done, 9);
  }
  slow.open();
  await journal.commit({});
  journal.progress("extracting", 9, 9);
  await journal.commit({});
  expect(progressOf(await rig.events(document_id)).map(({ data }) => data.done)).toEqual([1, 9]);
});

test("writes go one after another, in the order in which they were asked for", async () => {
  const { rig, document_id, journal, completed, written } = await openJournal();
  const writes = [
    journal.record([completed("extracting")], {
      checkpoint: { stage: "extracting", data: { part_0_key: "k" } },
    }),
    journal.record([completed("chunking")]),
    journal.commit({ chunks: [] }),
    journal.record([completed("embedding"), completed("indexing")]),
  ];
  await Promise.all(writes);
  const events = await rig.expectReplays(document_id);
  expect(events.slice(2).map(({ data }) => "stage" in data && data.stage)).toEqual([...stages]);
  // The two of one call were one transaction, and every one of them was under the lease.
  expect(written.map(({ events: each }) => each?.length ?? 0)).toEqual([1, 1, 1, 0, 2]);
  expect(written.every(({ lease }) => lease !== undefined)).toBe(true);
  expect(journal.document()).toEqual(await rig.get(document_id));
});

test("progress that could not be written shows in the next write, and stops every later one", async () => {
  const { clock, rig, document_id, journal, hooks, completed } = await openJournal();
  const full = new SluiceError("storage_unavailable", "The disk is full.");
  hooks.before = () => Promise.reject(full);
  journal.progress("extracting", 1, 2);
  const before = await rig.get(document_id);
  await expect(journal.record([completed("extracting")])).rejects.toBe(full);
  hooks.before = async () => {};
  clock.advance(1_000);
  journal.progress("extracting", 2, 2);
  await expect(journal.commit({ chunks: [] })).rejects.toBe(full);
  expect(await rig.get(document_id)).toEqual(before);
});

test("another write that was refused leaves the document as the journal knows it, and the next can go on", async () => {
  const { journal, hooks, completed, rig, document_id } = await openJournal();
  const busy = new SluiceError("storage_unavailable", "The database is locked.");
  hooks.before = () => Promise.reject(busy);
  await expect(journal.record([completed("extracting")])).rejects.toBe(busy);
  hooks.before = async () => {};
  await journal.record([completed("extracting")]);
  expect(await rig.get(document_id)).toMatchObject({ stage: "chunking", revision: 3 });
  await rig.expectReplays(document_id);
});

describe("progress never goes back", () => {
  test("in a whole journey whose every step is told", async () => {
    const clock = createClock();
    const embedder = createTestEmbedder("test@1", 2);
    // So fast a clock that nothing is left out for time.
    const system = {
      ...clock.system,
      monotonic() {
        clock.advance(200);
        return clock.system.monotonic();
      },
    };
    const rig = await openRig({ system, embedder });
    const { document_id } = await rig.upload(paragraphs(20));
    const worker = rig.worker();
    await worker.start();
    expect((await rig.settled(document_id)).status).toBe("completed");
    await worker.stop(PATIENCE_MS);
    const told = progressOf(await rig.expectReplays(document_id)).map(({ data }) => data);
    expect(new Set(told.map(({ stage }) => stage))).toEqual(new Set(stages));
    const places = told.map(({ stage, done }) => stages.indexOf(stage) * 1e9 + done);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    for (const { done, total } of told) if (total !== null) expect(done).toBeLessThanOrEqual(total);
  });

  test("when an extractor counts down, or still tells of what is over", async () => {
    const { clock, rig, document_id, journal, completed } = await openJournal();
    const tell = async (stage: Stage, done: number) => {
      clock.advance(1_000);
      journal.progress(stage, done, 10);
      await journal.commit({});
    };
    await tell("extracting", 4);
    await tell("extracting", 2);
    await tell("extracting", 5);
    clock.advance(1_000);
    const ending = journal.record([completed("extracting")]);
    journal.progress("extracting", 9, 10);
    await ending;
    await tell("extracting", 10);
    await tell("chunking", 3);
    const told = progressOf(await rig.expectReplays(document_id)).map(({ data }) => [data.stage, data.done]);
    expect(told).toEqual([
      ["extracting", 4],
      ["extracting", 5],
      ["chunking", 3],
    ]);
    expect(await rig.get(document_id)).toMatchObject({ stage: "chunking", progress: { done: 3, total: 10 } });
  });
});
