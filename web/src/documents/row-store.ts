/**
 * Every document that some part of the page shows, each a signal of its own: an event redraws the one row that it is
 * about. Knows neither server nor page.
 */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Document } from "../../../src/document.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import { applyEvent, type Row, rowOf } from "../row.ts";

/** Documents that only an event told of are forgotten, oldest first, above this. */
const UNUSED = 2_000;

interface Entry {
  row: Signal<Row | undefined>;
  /** How many parts of the page show it. */
  uses: number;
}

export interface RowStore {
  /** The document's row, undefined while nothing is known of it and after it is gone. Stays until given up as often. */
  keep(document_id: string): ReadonlySignal<Row | undefined>;
  giveUp(document_id: string): void;
  /** The same without keeping it, for what is kept by whoever lists it. Reading it in a component follows it. */
  read(document_id: string): Row | undefined;
  /** Without following it. */
  peek(document_id: string): Row | undefined;
  /**
   * Takes documents in from an answer, and the events that came while it was under way: which of them it holds
   * already is not known, and applying them again does no harm.
   *
   * @returns the answer as it came, less what was deleted meanwhile
   */
  load<T extends { documents: Document[] }>(ask: () => Promise<T>): Promise<T>;
  apply(events: readonly SluiceEvent[]): void;
  /** Forgets what nobody keeps. */
  forget(): void;
}

export function createRowStore(): RowStore {
  const entries = new Map<string, Entry>();
  /** Events that came while an answer was under way, the newest last. */
  let held: SluiceEvent[] = [];
  let loading = 0;
  let unused = 0;

  function entryOf(document_id: string): Entry {
    let entry = entries.get(document_id);
    if (!entry) {
      entry = { row: signal(undefined), uses: 0 };
      entries.set(document_id, entry);
      unused++;
      forgetUnused();
    }
    return entry;
  }

  function forgetUnused(): void {
    if (unused <= UNUSED) return;
    for (const [document_id, { uses }] of entries) {
      if (uses > 0) continue;
      entries.delete(document_id);
      if (--unused <= UNUSED / 2) return;
    }
  }

  return {
    keep(document_id) {
      const entry = entryOf(document_id);
      if (entry.uses++ === 0) unused--;
      return entry.row;
    },
    giveUp(document_id) {
      const entry = entries.get(document_id);
      if (entry && --entry.uses === 0) unused++;
    },
    read: (document_id) => entries.get(document_id)?.row.value,
    peek: (document_id) => entries.get(document_id)?.row.peek(),
    async load(ask) {
      const from = held.length;
      loading++;
      try {
        const answer = await ask();
        const since = Map.groupBy(held.slice(from), ({ document_id }) => document_id);
        const documents = answer.documents.filter((document) => {
          const { row } = entryOf(document.document_id);
          let next: Row | undefined = rowOf(document, row.peek());
          for (const event of since.get(document.document_id) ?? []) next = applyEvent(next, event);
          row.value = next;
          return next !== undefined;
        });
        return { ...answer, documents };
      } finally {
        if (--loading === 0) held = [];
      }
    },
    apply(events) {
      if (loading > 0) held.push(...events);
      for (const event of events) {
        const known = entries.get(event.document_id);
        // What nobody has asked for begins with its upload; of the others there is no whole to add to.
        if (!known && event.event_type !== "rag.document.uploaded") continue;
        const { row } = known ?? entryOf(event.document_id);
        row.value = applyEvent(row.peek(), event);
      }
    },
    forget() {
      for (const [document_id, { uses }] of entries) if (uses === 0) entries.delete(document_id);
      unused = 0;
    },
  };
}
