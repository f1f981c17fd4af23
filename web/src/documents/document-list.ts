/**
 * The documents that match a query, page by page as far as they were scrolled to, and kept up with what happens. Rows
 * never move under the reader: what changes stays in its place, and what is new comes in at the top, or waits to be
 * asked for.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { DocumentPage, DocumentQuery, DocumentSummary } from "../../../src/client/index.ts";
import type { DocumentStatus } from "../../../src/document.ts";
import type { EventType, SluiceEvent } from "../../../src/events.ts";
import { filterOf, groups, type ListQuery, placeOfNew, sorts } from "./query.ts";
import type { RowStore } from "./row-store.ts";

/** The most that the API gives at once. */
export const PAGE = 200;
/** More rows are not offered: a browser's page has an end, and nobody scrolls that far. */
export const MOST = 100_000;
/** The counts are asked for again at most this often while documents change. */
const COUNTS_EVERY_MS = 1_000;

export interface ListClient {
  listDocuments(query: DocumentQuery, options: { signal: AbortSignal }): Promise<DocumentPage>;
  summarizeDocuments(query: DocumentQuery, options: { signal: AbortSignal }): Promise<DocumentSummary>;
}

interface Given {
  client: ListClient;
  query: ListQuery;
  rows: RowStore;
  onEvents: (listener: (events: SluiceEvent[]) => void) => () => void;
  /** Whether the reader sees the top of the list, so that a row coming in there moves nothing away. */
  atTop: () => boolean;
  /** Documents asked for at once. */
  page?: number;
}

export interface DocumentList {
  query: ListQuery;
  /** Those loaded, in order. */
  ids: ReadonlySignal<readonly string[]>;
  /** How many there are; undefined until that is known. */
  total: ReadonlySignal<number | undefined>;
  /** Counted without the filter by status. */
  counts: ReadonlySignal<DocumentSummary | undefined>;
  /** Documents that came since, and are not among the rows. */
  fresh: ReadonlySignal<number>;
  error: ReadonlySignal<Error | undefined>;
  /** Loads on until the row at `index` is there. */
  need(index: number): void;
  /** Loads everything anew, and with it what is fresh. */
  reload(): void;
  dispose(): void;
}

export function createDocumentList({
  client,
  query,
  rows,
  onEvents,
  atTop,
  page: size = PAGE,
}: Given): DocumentList {
  const abort = new AbortController();
  const ids = signal<readonly string[]>([]);
  const counts = signal<DocumentSummary | undefined>(undefined);
  const ended = signal(false);
  const error = signal<Error | undefined>(undefined);
  const fresh = signal<ReadonlySet<string>>(new Set());
  const filter = filterOf(query);
  const { sort, order } = sorts[query.sort];
  let here = new Set<string>();
  let cursor: string | null = null;
  let wanted = size;
  let loading: Promise<void> | undefined;
  /** A reload makes what is still under way worthless. */
  let round = 0;
  let pause: ReturnType<typeof setTimeout> | undefined;

  const counted = computed(() => {
    const summary = counts.value;
    if (!summary) return undefined;
    return groups[query.status].statuses.reduce((sum, status) => sum + (summary.by_status[status] ?? 0), 0);
  });
  const total = computed(() => {
    const { length } = ids.value;
    if (ended.value) return length;
    // While a page is still to come, there is at least one more row; a count may be a moment behind.
    return counted.value === undefined ? undefined : Math.min(MOST, Math.max(length + 1, counted.value));
  });

  async function loadPages(mine: number): Promise<void> {
    while (!ended.peek() && ids.peek().length < wanted && ids.peek().length < MOST) {
      const asked: DocumentQuery = { ...filter, sort, order, limit: size, ...(cursor ? { cursor } : {}) };
      const page = await rows.load(() => client.listDocuments(asked, { signal: abort.signal }));
      if (mine !== round || abort.signal.aborted) return;
      const more = page.documents.map(({ document_id }) => document_id).filter((id) => !here.has(id));
      for (const id of more) {
        here.add(id);
        rows.keep(id);
      }
      cursor = page.next_cursor;
      ended.value = cursor === null;
      ids.value = [...ids.peek(), ...more];
      error.value = undefined;
    }
  }

  function load(): void {
    const mine = round;
    loading ??= loadPages(mine)
      .catch((trouble: Error) => {
        if (mine === round && !abort.signal.aborted) error.value = trouble;
      })
      .finally(() => {
        if (mine === round) loading = undefined;
      });
  }

  async function count(): Promise<void> {
    const { status: _, ...rest } = filter;
    try {
      const answer = await client.summarizeDocuments(rest, { signal: abort.signal });
      if (!abort.signal.aborted) counts.value = answer;
    } catch (trouble) {
      if (!abort.signal.aborted && counts.peek() === undefined) error.value = trouble as Error;
    }
  }

  function countSoon(): void {
    pause ??= setTimeout(() => {
      pause = undefined;
      if (!abort.signal.aborted) void count();
    }, COUNTS_EVERY_MS);
  }

  function remove(document_ids: ReadonlySet<string>): void {
    for (const id of document_ids) {
      here.delete(id);
      rows.giveUp(id);
    }
    ids.value = ids.peek().filter((id) => !document_ids.has(id));
  }

  function take(events: SluiceEvent[]): void {
    const gone = new Set<string>();
    const top: string[] = [];
    const waiting = new Set(fresh.peek());
    for (const event of events) {
      const { document_id } = event;
      if (event.event_type === "rag.document.deleted") {
        waiting.delete(document_id);
        const at = top.indexOf(document_id);
        if (at >= 0) top.splice(at, 1);
        else if (here.has(document_id)) gone.add(document_id);
        continue;
      }
      const place = here.has(document_id) ? "nowhere" : placeOf(event);
      if (place === "nowhere" && event.event_type in becomes) waiting.delete(document_id);
      if (place === "top" && atTop() && waiting.size === 0) top.unshift(document_id);
      else if (place !== "nowhere" && !top.includes(document_id)) waiting.add(document_id);
    }
    if (gone.size > 0) remove(gone);
    if (top.length > 0) {
      const added = top.filter((id) => !here.has(id));
      for (const id of added) {
        here.add(id);
        rows.keep(id);
      }
      ids.value = [...added, ...ids.peek()];
    }
    if (waiting.size !== fresh.peek().size) fresh.value = waiting;
    if (events.some(({ event_type }) => event_type === "rag.document.deleted" || becomes[event_type]))
      countSoon();
  }

  /** Where a document that is not among the rows belongs after this event. */
  function placeOf(event: SluiceEvent): "top" | "somewhere" | "nowhere" {
    const status = becomes[event.event_type];
    // Without a filter by status, nothing but an upload brings a document in.
    const uploaded = event.event_type === "rag.document.uploaded" && event.data.version === 1;
    if (status === undefined) return "nowhere";
    if (query.status === "all" && !uploaded)
      return fresh.peek().has(event.document_id) ? "somewhere" : "nowhere";
    const file =
      event.event_type === "rag.document.uploaded" ? event.data : rows.peek(event.document_id)?.document;
    const { parent_document_id = null } = file ?? {};
    return placeOfNew(query, {
      status,
      uploaded,
      collection: event.collection,
      file: file && { ...file, parent_document_id },
    });
  }

  const forget = onEvents(take);
  load();
  void count();

  return {
    query,
    ids,
    total,
    counts,
    fresh: computed(() => fresh.value.size),
    error,
    need(index) {
      // A page ahead, so that whoever scrolls steadily never waits.
      const next = Math.min(MOST, index + size);
      if (next > wanted) wanted = next;
      if (error.peek() === undefined) load();
    },
    reload() {
      round++;
      loading = undefined;
      cursor = null;
      wanted = size;
      for (const id of here) rows.giveUp(id);
      here = new Set();
      ids.value = [];
      ended.value = false;
      error.value = undefined;
      fresh.value = new Set();
      load();
      void count();
    },
    dispose() {
      abort.abort();
      clearTimeout(pause);
      forget();
      for (const id of here) rows.giveUp(id);
    },
  };
}

/** The status that an event leads to, where it is another one than before it. */
const becomes: Partial<Record<EventType, DocumentStatus>> = {
  "rag.document.uploaded": "pending",
  "rag.ingestion.requested": "pending",
  "rag.ingestion.retry_scheduled": "pending",
  "rag.ingestion.started": "processing",
  "rag.ingestion.completed": "completed",
  "rag.ingestion.failed": "failed",
  "rag.ingestion.cancelled": "cancelled",
};
