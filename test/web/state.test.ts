import { expect, test } from "vitest";
import { aboutNothing } from "../../src/about.ts";
import { advance, type Document, type DocumentRecord, type DocumentSeed } from "../../src/document.ts";
import type { EventData, EventType, SluiceEvent } from "../../src/events.ts";
import { initialState, reduce, type State, sortedRows } from "../../web/src/state.ts";

const error = {
  code: "embedder_unavailable",
  message: "The service did not answer.",
  retryable: true,
} as const;
const first = { job_id: "job_1", version: 1 };
const second = { job_id: "job_2", version: 2 };
const file = { filename: "a.txt", media_type: "text/plain", size_bytes: 3, sha256: "00" };

const about = { ...aboutNothing, title: "A", page_count: 3 };

/** Every kind of event that leaves the document there, in an order that the journey allows. */
const steps: { [T in EventType]: [T, EventData<T>] }[EventType][] = [
  ["rag.document.uploaded", { ...first, ...file }],
  ["rag.ingestion.started", { ...first, attempt: 1, worker_id: "wrk_1" }],
  ["rag.ingestion.progressed", { ...first, stage: "extracting", done: 1, total: 2 }],
  ["rag.ingestion.stage_completed", { ...first, stage: "extracting", duration_ms: 1, counts: {} }],
  ["rag.ingestion.retry_scheduled", { ...first, attempt: 1, error, run_at: "2026-01-01T00:00:09.000Z" }],
  ["rag.ingestion.started", { ...first, attempt: 2, worker_id: "wrk_1" }],
  ["rag.ingestion.failed", { ...first, attempt: 2, error }],
  ["rag.ingestion.requested", { ...first, reason: "retry" }],
  ["rag.ingestion.started", { ...first, attempt: 1, worker_id: "wrk_1" }],
  ["rag.ingestion.completed", { ...first, chunks_created: 4, processing_time_ms: 5, about }],
  ["rag.document.uploaded", { ...second, ...file, filename: "b.txt" }],
  ["rag.ingestion.started", { ...second, attempt: 1, worker_id: "wrk_1" }],
  ["rag.ingestion.progressed", { ...second, stage: "embedding", done: 2, total: 4 }],
  ["rag.ingestion.cancelled", { ...second, reason: "requested" }],
  ["rag.ingestion.requested", { ...second, reason: "retry" }],
  ["rag.ingestion.started", { ...second, attempt: 1, worker_id: "wrk_1" }],
  ["rag.ingestion.progressed", { ...second, stage: "chunking", done: 2, total: null }],
];

/** The document after each step, as the server holds it, and the event that led there. */
function journey() {
  const seed: DocumentSeed = { tenant_id: "t", document_id: "doc_1", collection: "c", metadata: {} };
  const events: SluiceEvent[] = [];
  const documents: Document[] = [];
  let current: DocumentRecord | DocumentSeed = seed;
  let count = 0;
  for (const [event_type, data] of steps) {
    const { document, event }: ReturnType<typeof advance> = advance(current, event_type, data, {
      now: () => Date.UTC(2026, 0, 1) + count,
      newId: (kind) => `${kind}_${++count}`,
      correlation_id: "cor_1",
      causation_id: null,
    });
    current = document;
    events.push({ ...event, sequence: events.length + 1 } as SluiceEvent);
    const { revision: _, ...shown } = document;
    documents.push(shown);
  }
  return { events, documents };
}

const list = (documents: Document[]) =>
  ({ type: "list_came", documents, next_cursor: null, fresh: true }) as const;
const shown = (state: State) => sortedRows(state.rows).map((row) => row.document);

test("after any event, the page shows the document that the server holds", () => {
  const { events, documents } = journey();
  let state = initialState;
  for (const [index, event] of events.entries()) {
    state = reduce(state, { type: "events_came", events: [event] });
    expect(shown(state), event.event_type).toEqual([documents[index]]);
  }
});

test("a list and events that overlap it come to the same, wherever the list was taken and the stream began", () => {
  const { events, documents } = journey();
  const end = [documents.at(-1)];
  for (let listed = 0; listed < events.length; listed++) {
    for (let begun = 0; begun <= listed + 1; begun++) {
      const later = { type: "events_came", events: events.slice(begun) } as const;
      let before = reduce(initialState, { type: "list_requested" });
      before = reduce(reduce(before, later), list([documents[listed] as Document]));
      expect(shown(before), `list after ${listed}, events from ${begun} before it`).toEqual(end);
      let after = reduce(initialState, { type: "list_requested" });
      after = reduce(reduce(after, list([documents[listed] as Document])), later);
      expect(shown(after), `list after ${listed}, events from ${begun} after it`).toEqual(end);
    }
  }
});

test("a document deleted while the list was under way does not come back with it", () => {
  const { events, documents } = journey();
  const last = events.at(-1) as SluiceEvent;
  const deleted = {
    ...last,
    sequence: last.sequence + 1,
    event_type: "rag.document.deleted",
    data: { job_id: "job_3", version: 2 },
  } as SluiceEvent;
  let state = reduce(initialState, { type: "list_requested" });
  state = reduce(state, { type: "events_came", events: [deleted] });
  state = reduce(state, list([documents.at(-1) as Document]));
  expect(shown(state)).toEqual([]);
  expect(state.held).toEqual([]);
});

test("a row tells when the next attempt starts, and in which stage an ingestion ended", () => {
  const { events } = journey();
  const rowAfter = (count: number) =>
    sortedRows(reduce(initialState, { type: "events_came", events: events.slice(0, count) }).rows)[0];
  expect(rowAfter(5)?.retry_at).toBe("2026-01-01T00:00:09.000Z");
  expect(rowAfter(7)).toMatchObject({ retry_at: null, ended_in: "extracting" });
  expect(rowAfter(10)).toMatchObject({ processing_time_ms: 5, ended_in: null });
  expect(rowAfter(14)).toMatchObject({ ended_in: "embedding" });
});

test("what came inside a document stands below it, by name; without its parent it stands for itself", () => {
  const [document] = journey().documents as [Document];
  const known = (document_id: string, filename: string, parent_document_id: string | null) => ({
    ...document,
    document_id,
    filename,
    parent_document_id,
  });
  const documents = [
    known("doc_5", "later.txt", null),
    known("doc_4", "stray.txt", "doc_0"),
    known("doc_3", "b.txt", "doc_1"),
    known("doc_2", "a.zip", "doc_1"),
    known("doc_6", "inner.txt", "doc_2"),
    known("doc_1", "mail.eml", null),
  ];
  const names = shown(reduce(initialState, list(documents))).map(({ filename }) => filename);
  expect(names).toEqual(["later.txt", "stray.txt", "mail.eml", "a.zip", "inner.txt", "b.txt"]);

  const [uploaded] = journey().events as [SluiceEvent];
  const event = {
    ...uploaded,
    document_id: "doc_7",
    data: { ...uploaded.data, filename: "c.txt", parent_document_id: "doc_1" },
  } as SluiceEvent;
  const later = reduce(reduce(initialState, list(documents)), { type: "events_came", events: [event] });
  expect(shown(later).at(-1)).toMatchObject({ document_id: "doc_7", parent_document_id: "doc_1" });
});
