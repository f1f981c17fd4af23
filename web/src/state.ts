/**
 * What the page knows, and how it changes. Pure.
 *
 * Documents come from two sources, lists and events, whose order is not known to each other. That is no trouble:
 * an event only sets fields, so events that a list already holds may be applied to it again and the outcome is the
 * same, as long as all later ones follow. Events that arrive while a list is under way are kept and applied to it.
 */
import { aboutNothing } from "../../src/about.ts";
import type { Document } from "../../src/document.ts";
import type { SluiceEvent, Stage } from "../../src/events.ts";

export const stageOrder: readonly Stage[] = ["extracting", "chunking", "embedding", "indexing"];

/** A document as the list shows it: the document, and what this page saw happen to it. */
export interface Row {
  document: Document;
  /** Stage in which an ingestion ended that this page saw fail or stop. */
  ended_in: Stage | null;
  /** When the next attempt starts, ISO 8601; null unless one is scheduled. */
  retry_at: string | null;
  /** From first start to the end, where this page saw the end. */
  processing_time_ms: number | null;
}

/** A file on its way to the server. It leaves the list when the server has answered. */
export interface Upload {
  id: number;
  filename: string;
  size_bytes: number;
  state: "waiting" | "sending" | "refused";
  /** Of the file, 0 to 1. */
  sent: number;
  error: string | null;
}

/** How the server answered an upload of this page. */
export interface Answer {
  milliseconds: number;
  duplicate: boolean;
}

export interface State {
  rows: ReadonlyMap<string, Row>;
  uploads: readonly Upload[];
  answers: ReadonlyMap<string, Answer>;
  next_cursor: string | null;
  /** A list came at least once. */
  loaded: boolean;
  loading: number;
  held: readonly SluiceEvent[];
  /** Read out by screen readers. */
  announcement: string;
}

export const initialState: State = {
  rows: new Map(),
  uploads: [],
  answers: new Map(),
  next_cursor: null,
  loaded: false,
  loading: 0,
  held: [],
  announcement: "",
};

export type Action =
  | { type: "list_requested" }
  | { type: "list_failed" }
  /** `fresh`: the first page, in place of everything known. */
  | { type: "list_came"; documents: Document[]; next_cursor: string | null; fresh: boolean }
  | { type: "document_came"; document: Document }
  | { type: "events_came"; events: SluiceEvent[] }
  | { type: "document_gone"; document_id: string }
  | { type: "files_chosen"; uploads: Upload[] }
  | { type: "upload_moved"; id: number; change: Partial<Pick<Upload, "state" | "sent" | "error">> }
  | { type: "upload_answered"; id: number; document_id: string; answer: Answer }
  | { type: "upload_dismissed"; id: number }
  | { type: "announced"; announcement: string };

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "list_requested":
      return { ...state, loading: state.loading + 1 };
    case "list_failed":
      return doneLoading(state);
    case "list_came": {
      const rows = new Map(action.fresh ? [] : state.rows);
      for (const document of action.documents) rows.set(document.document_id, rowOf(document, state.rows));
      const known = doneLoading({ ...state, rows, next_cursor: action.next_cursor, loaded: true });
      return applyEvents(known, state.held);
    }
    case "document_came": {
      const { document } = action;
      const rows = new Map(state.rows).set(document.document_id, rowOf(document, state.rows));
      return { ...state, rows };
    }
    case "events_came": {
      const held = state.loading > 0 ? [...state.held, ...action.events] : state.held;
      const applied = applyEvents({ ...state, held }, action.events);
      return { ...applied, announcement: announcementOf(applied, action.events) ?? state.announcement };
    }
    case "document_gone": {
      const rows = new Map(state.rows);
      rows.delete(action.document_id);
      return { ...state, rows };
    }
    case "files_chosen":
      return { ...state, uploads: [...state.uploads, ...action.uploads] };
    case "upload_moved": {
      const { id, change } = action;
      const uploads = state.uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload));
      const refused = change.state === "refused" ? uploads.find((upload) => upload.id === id) : undefined;
      const announcement = refused
        ? `${refused.filename} was not accepted. ${refused.error}`
        : state.announcement;
      return { ...state, uploads, announcement };
    }
    case "upload_answered": {
      const uploads = state.uploads.filter((upload) => upload.id !== action.id);
      return { ...state, uploads, answers: new Map(state.answers).set(action.document_id, action.answer) };
    }
    case "upload_dismissed":
      return { ...state, uploads: state.uploads.filter((upload) => upload.id !== action.id) };
    case "announced":
      return { ...state, announcement: action.announcement };
  }
}

/** Newest first, since document ids are ordered by time; what came inside a document follows it, in the order of names. */
export function sortedRows(rows: State["rows"]): Row[] {
  const inside = Map.groupBy(rows.values(), ({ document }) => {
    const parent = document.parent_document_id;
    // On a page not loaded: then it stands for itself.
    return parent !== null && rows.has(parent) ? parent : null;
  });
  const sorted: Row[] = [];
  function add(row: Row): void {
    sorted.push(row);
    for (const child of (inside.get(row.document.document_id) ?? []).sort(byName)) add(child);
  }
  const newest = (a: Row, b: Row) => (a.document.document_id < b.document.document_id ? 1 : -1);
  for (const row of (inside.get(null) ?? []).sort(newest)) add(row);
  return sorted;
}

function byName({ document: a }: Row, { document: b }: Row): number {
  return a.filename.localeCompare(b.filename) || (a.document_id < b.document_id ? -1 : 1);
}

/** Whether work on the document is under way or to come. */
export function isActive(document: Document): boolean {
  return document.status === "pending" || document.status === "processing";
}

function doneLoading(state: State): State {
  const loading = state.loading - 1;
  return { ...state, loading, held: loading === 0 ? [] : state.held };
}

function rowOf(document: Document, rows: State["rows"]): Row {
  const known = rows.get(document.document_id);
  // What was seen of an earlier ingestion says nothing of this one.
  const same = known?.document.version === document.version && known.document.status === document.status;
  return same
    ? { ...known, document }
    : { document, ended_in: null, retry_at: null, processing_time_ms: null };
}

function applyEvents(state: State, events: readonly SluiceEvent[]): State {
  if (events.length === 0) return state;
  const rows = new Map(state.rows);
  for (const event of events) {
    const row = applyEvent(rows.get(event.document_id), event);
    if (row) rows.set(event.document_id, row);
    else rows.delete(event.document_id);
  }
  return { ...state, rows };
}

/** @returns undefined when there is nothing to show: the document is deleted, or on a page not loaded */
function applyEvent(row: Row | undefined, event: SluiceEvent): Row | undefined {
  if (event.event_type === "rag.document.deleted") return undefined;
  const begun = { ended_in: null, retry_at: null, processing_time_ms: null };
  if (event.event_type === "rag.document.uploaded") {
    const {
      job_id,
      version,
      filename,
      media_type,
      size_bytes,
      sha256,
      parent_document_id = null,
    } = event.data;
    const old = row?.document;
    const document: Document = {
      document_id: event.document_id,
      tenant_id: event.tenant_id,
      collection: event.collection,
      filename,
      media_type,
      size_bytes,
      sha256,
      parent_document_id,
      ...waiting,
      version,
      searchable_version: old?.searchable_version ?? null,
      chunks_created: old?.chunks_created ?? 0,
      // Not in the event, and not shown.
      metadata: old?.metadata ?? {},
      about: old?.about ?? aboutNothing,
      created_at: old?.created_at ?? event.timestamp,
      updated_at: event.timestamp,
      correlation_id: event.correlation_id,
      job_id,
    };
    return { ...begun, document };
  }
  if (!row) return undefined;
  const document: Document = { ...row.document, updated_at: event.timestamp };
  switch (event.event_type) {
    case "rag.ingestion.requested": {
      const { job_id, version } = event.data;
      const { correlation_id } = event;
      return { ...begun, document: { ...document, ...waiting, job_id, version, correlation_id } };
    }
    case "rag.ingestion.started":
      return {
        ...begun,
        document: { ...document, ...waiting, status: "processing", stage: "extracting" },
      };
    case "rag.ingestion.progressed": {
      const { stage, done, total } = event.data;
      return { ...row, document: { ...document, status: "processing", stage, progress: { done, total } } };
    }
    case "rag.ingestion.stage_completed": {
      const { stage } = event.data;
      const next = stageOrder[stageOrder.indexOf(stage) + 1] ?? stage;
      // The last stage stays full until the document is completed.
      const progress = next === stage ? { done: 1, total: 1 } : noProgress;
      return { ...row, document: { ...document, status: "processing", stage: next, progress } };
    }
    case "rag.ingestion.completed": {
      const { version, chunks_created, processing_time_ms, about = aboutNothing } = event.data;
      return {
        ...begun,
        processing_time_ms,
        document: {
          ...document,
          status: "completed",
          stage: null,
          progress: { done: chunks_created, total: chunks_created },
          error: null,
          searchable_version: version,
          chunks_created,
          about,
        },
      };
    }
    case "rag.ingestion.retry_scheduled":
      return {
        ...row,
        retry_at: event.data.run_at,
        document: { ...document, status: "pending", stage: null, error: event.data.error },
      };
    case "rag.ingestion.failed":
      return {
        ...row,
        retry_at: null,
        ended_in: row.document.stage ?? row.ended_in,
        document: { ...document, status: "failed", stage: null, error: event.data.error },
      };
    case "rag.ingestion.cancelled":
      return {
        ...row,
        retry_at: null,
        ended_in: row.document.stage ?? row.ended_in,
        document: { ...document, status: "cancelled", stage: null },
      };
  }
}

const noProgress = { done: 0, total: null };
const waiting = { status: "pending", stage: null, progress: noProgress, error: null } as const;

/** The last thing worth saying aloud; progress is not. */
function announcementOf(state: State, events: readonly SluiceEvent[]): string | undefined {
  for (const event of events.toReversed()) {
    const name = state.rows.get(event.document_id)?.document.filename;
    if (name === undefined) continue;
    if (event.event_type === "rag.ingestion.completed") return `${name} can be searched now.`;
    if (event.event_type === "rag.ingestion.failed") return `${name} failed. ${event.data.error.message}`;
    if (event.event_type === "rag.ingestion.cancelled") return `${name} was cancelled.`;
  }
  return undefined;
}
