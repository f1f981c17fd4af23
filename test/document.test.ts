import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { manualClock } from "../contracts/index.ts";
import { aboutNothing, aboutOf } from "../src/about.ts";
import {
  advance,
  collectionSchema,
  type DocumentRecord,
  type DocumentSeed,
  documentSchema,
  documentStatuses,
  evolve,
  isTerminal,
  type JourneyState,
  legalAfter,
  metadataSchema,
  nextStage,
} from "../src/document.ts";
import type { EventData, EventType, NewEvent } from "../src/events.ts";
import { eventTypes, stages } from "../src/events.ts";

const { system } = manualClock();
const job_id = "job_1";
const error = { code: "internal", message: "broke", retryable: true } as const;
const seed: DocumentSeed = {
  tenant_id: "t1",
  document_id: "doc_1",
  collection: "default",
  metadata: { lang: "en" },
};
const context = { ...system, correlation_id: "cor_1", causation_id: "req_1" };

/** Data of each type of event that fit a document at this version. */
function sampleData(version: number): { [T in EventType]: EventData<T> } {
  const file = { filename: "a.txt", media_type: "text/plain", size_bytes: 3, sha256: `${version}` };
  return {
    "rag.document.uploaded": { job_id, version, ...file },
    "rag.ingestion.requested": { job_id: "job_2", version, reason: "reingest" },
    "rag.ingestion.started": { job_id, version, attempt: 1, worker_id: "wrk_1" },
    "rag.ingestion.progressed": { job_id, version, stage: "embedding", done: 4, total: 9 },
    "rag.ingestion.stage_completed": {
      job_id,
      version,
      stage: "chunking",
      duration_ms: 1.5,
      counts: { chunks: 9 },
    },
    "rag.ingestion.completed": {
      job_id,
      version,
      chunks_created: 9,
      processing_time_ms: 12,
      about: { ...aboutNothing, title: `Title ${version}`, page_count: version },
    },
    "rag.ingestion.retry_scheduled": {
      job_id,
      version,
      attempt: 1,
      error,
      run_at: "2026-01-01T00:00:01.000Z",
    },
    "rag.ingestion.failed": { job_id, version, attempt: 1, error },
    "rag.ingestion.cancelled": { job_id, version, reason: "requested" },
    "rag.document.deleted": { job_id, version },
  };
}

function step(current: DocumentRecord | DocumentSeed, type: EventType) {
  const before = "version" in current ? current.version : 0;
  const renews = type === "rag.document.uploaded" || type === "rag.ingestion.requested";
  return advance(current, type, sampleData(renews ? before + 1 : before)[type], context);
}

/** A shortest way to each state. */
const ways: Record<Exclude<JourneyState, "none" | "deleted">, EventType[]> = {
  pending: ["rag.document.uploaded"],
  processing: ["rag.document.uploaded", "rag.ingestion.started"],
  completed: ["rag.document.uploaded", "rag.ingestion.started", "rag.ingestion.completed"],
  failed: ["rag.document.uploaded", "rag.ingestion.started", "rag.ingestion.failed"],
  cancelled: ["rag.document.uploaded", "rag.ingestion.cancelled"],
};

function documentIn(state: keyof typeof ways): DocumentRecord {
  let current: DocumentRecord | DocumentSeed = seed;
  for (const type of ways[state]) current = step(current, type).document;
  return current as DocumentRecord;
}

/** Written out a second time, by hand, from the blueprint's words: what may happen where, and where it leads. */
const expected: [JourneyState, EventType, JourneyState][] = [
  ["none", "rag.document.uploaded", "pending"],
  ["pending", "rag.ingestion.started", "processing"],
  ["pending", "rag.ingestion.failed", "failed"],
  ["pending", "rag.ingestion.cancelled", "cancelled"],
  ["pending", "rag.document.deleted", "deleted"],
  ["processing", "rag.ingestion.progressed", "processing"],
  ["processing", "rag.ingestion.stage_completed", "processing"],
  ["processing", "rag.ingestion.completed", "completed"],
  ["processing", "rag.ingestion.retry_scheduled", "pending"],
  ["processing", "rag.ingestion.failed", "failed"],
  ["processing", "rag.ingestion.cancelled", "cancelled"],
  ["processing", "rag.document.deleted", "deleted"],
  ["completed", "rag.document.uploaded", "pending"],
  ["completed", "rag.ingestion.requested", "pending"],
  ["completed", "rag.document.deleted", "deleted"],
  ["failed", "rag.document.uploaded", "pending"],
  ["failed", "rag.ingestion.requested", "pending"],
  ["failed", "rag.document.deleted", "deleted"],
  ["cancelled", "rag.document.uploaded", "pending"],
  ["cancelled", "rag.ingestion.requested", "pending"],
  ["cancelled", "rag.document.deleted", "deleted"],
];
const leadsTo = new Map(expected.map(([from, type, to]) => [`${from} ${type}`, to]));

describe("what a document says of itself", () => {
  const said = (document: DocumentRecord) => document.about;

  test("is known once a version is searchable, and stays until the next one is", () => {
    const completed = documentIn("completed");
    expect(said(documentIn("processing"))).toEqual(aboutNothing);
    expect(said(completed)).toEqual({ ...aboutNothing, title: "Title 1", page_count: 1 });
    let next = completed;
    for (const type of ["rag.document.uploaded", "rag.ingestion.started"] as const) {
      next = step(next, type).document;
      expect(said(next)).toEqual(said(completed));
    }
    expect(said(step(next, "rag.ingestion.failed").document)).toEqual(said(completed));
    expect(said(step(next, "rag.ingestion.completed").document).title).toBe("Title 2");
  });

  test("is replaced as a whole, by nothing too: events of older logs tell nothing", () => {
    const processing = step(
      step(documentIn("completed"), "rag.document.uploaded").document,
      "rag.ingestion.started",
    );
    const { version } = processing.document;
    const { document } = advance(
      processing.document,
      "rag.ingestion.completed",
      { job_id, version, chunks_created: 1, processing_time_ms: 1 },
      context,
    );
    expect(said(document)).toEqual(aboutNothing);
  });

  test("is tidy, and never longer than a line", () => {
    const found = {
      title: ` On\u0000\n locks ${"x".repeat(600)}`,
      page_count: 2,
      facts: { author: "\t", language: "de" },
    };
    const about = aboutOf(found);
    expect(about).toMatchObject({ author: null, authored_at: null, language: "de", page_count: 2 });
    expect(about.title).toMatch(/^On locks x{491}$/);
    expect(aboutOf({ title: `${"x".repeat(499)}😀`, page_count: null }).title?.isWellFormed()).toBe(true);
    expect(aboutOf({ title: null, page_count: null })).toEqual(aboutNothing);
  });
});

describe("the journey", () => {
  const states: JourneyState[] = ["none", ...documentStatuses, "deleted"];

  test.each(states)("from %s exactly the documented events are legal", (state) => {
    for (const type of eventTypes) {
      expect(legalAfter(state, type), `${type} while ${state}`).toBe(leadsTo.get(`${state} ${type}`));
    }
  });

  test.each(["none", ...documentStatuses] as const)("evolve obeys the table from %s", (state) => {
    for (const type of eventTypes) {
      const current = state === "none" ? seed : documentIn(state);
      const to = leadsTo.get(`${state} ${type}`);
      if (to === undefined) {
        expect(() => step(current, type), `${type} while ${state}`).toThrow(`${type} is not legal`);
      } else if (to !== "deleted") {
        expect(step(current, type).document.status, `${type} while ${state}`).toBe(to);
      }
    }
  });

  test("whatever happens, one event is one revision and the document stays a document", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 60 }), (choices) => {
        let current: DocumentRecord | DocumentSeed = seed;
        let state: JourneyState = "none";
        const log: NewEvent[] = [];
        for (const choice of choices) {
          const legal = eventTypes.filter((type) => legalAfter(state, type) !== undefined);
          const type = legal[choice % legal.length];
          if (!type || type === "rag.document.deleted") continue;
          const before = current;
          const { document, event } = step(current, type);
          state = legalAfter(state, type) as JourneyState;
          log.push(event);
          expect(document.status).toBe(state);
          expect(document.revision).toBe(log.length);
          expect(event.idempotency_key).toBe(`doc_1:${log.length}`);
          expect(document.stage === null).toBe(state !== "processing");
          if (state === "failed") expect(document.error).toEqual(error);
          if (state === "completed") {
            expect(document).toMatchObject({ error: null, searchable_version: document.version });
          } else if ("searchable_version" in before) {
            // Only completing changes what searches see.
            expect(document.searchable_version).toBe(before.searchable_version);
            expect(document.chunks_created).toBe(before.chunks_created);
          }
          documentSchema.parse(document);
          current = document;
        }
        let replayed: DocumentRecord | DocumentSeed = seed;
        for (const event of log) replayed = evolve(replayed, event);
        expect(replayed).toEqual(current);
      }),
      { numRuns: 200 },
    );
  });

  test("evolve changes nothing that it was given", () => {
    const before = documentIn("processing");
    const copy = structuredClone(before);
    step(before, "rag.ingestion.progressed");
    step(before, "rag.ingestion.failed");
    expect(before).toEqual(copy);
  });

  test("a new upload keeps what searches see, and its birthday, and takes the new file's facts", () => {
    const { document } = step(documentIn("completed"), "rag.document.uploaded");
    expect(document).toMatchObject({
      version: 2,
      searchable_version: 1,
      chunks_created: 9,
      sha256: "2",
      progress: { done: 0, total: null },
      created_at: documentIn("completed").created_at,
    });
  });

  test("a stage that ends makes the next one current", () => {
    const { document } = step(documentIn("processing"), "rag.ingestion.stage_completed");
    expect(document).toMatchObject({ stage: "embedding", progress: { done: 0, total: null } });
    expect(stages.map(nextStage)).toEqual([...stages.slice(1), undefined]);
  });

  test("only completed, failed and cancelled are the end", () => {
    expect(documentStatuses.filter(isTerminal)).toEqual(["completed", "failed", "cancelled"]);
  });
});

describe("what a caller may name", () => {
  test.each(["default", "a", "A1._-z", "x".repeat(100)])("the collection %s", (name) => {
    expect(collectionSchema.safeParse(name).success).toBe(true);
  });
  test.each(["", ".hidden", "-x", "a b", "a/b", "ä", "x".repeat(101)])("not the collection %j", (name) => {
    expect(collectionSchema.safeParse(name).success).toBe(false);
  });

  test("metadata of flat values", () => {
    const metadata = { s: "x", n: 1.5, b: false, none: null, list: ["a", 1, true], "a.b-c_d": 1 };
    expect(metadataSchema.parse(metadata)).toEqual(metadata);
  });
  test.each([
    { "1st": 1 },
    { "": 1 },
    { "a b": 1 },
    { nested: { a: 1 } },
    { list: [["x"]] },
    { long: "x".repeat(1_001) },
    { list: new Array(101).fill(1) },
    Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, n])),
  ])("not metadata beyond that (%#)", (metadata) => {
    expect(metadataSchema.safeParse(metadata).success).toBe(false);
  });
});
