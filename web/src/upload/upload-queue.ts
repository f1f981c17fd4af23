/**
 * Files on their way in: a few are sent at once, the others wait. Lives longer than any screen, so that one may walk
 * around meanwhile. Knows neither server nor page.
 */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Accepted, ApiError } from "../../../src/client/index.ts";
import type { RowStore } from "../documents/row-store.ts";
import { isActive, type Row } from "../row.ts";
import { createRate } from "./rate.ts";

/** More at once would only share the same line. */
export const AT_ONCE = 5;

/**
 * `held`: the server is full or away, and the upload goes on by itself; `refused`: it does not; `stopped`: by the
 * user, and it could go on.
 */
export type UploadState = "waiting" | "sending" | "held" | "answered" | "refused" | "stopped";

export interface UploadView {
  state: UploadState;
  /** Bytes. */
  sent: number;
  /** The byte at which it went on from an earlier try. */
  resumed_at: number | null;
  bytes_per_second: number | null;
  /** Why it is held or refused. */
  error: Pick<ApiError, "message" | "code" | "retryable"> | null;
  answer: { document_id: string; milliseconds: number; duplicate: boolean } | null;
}

export interface Upload {
  id: number;
  filename: string;
  size_bytes: number;
  collection: string;
  /** Of whom the document will be. */
  tenant_id: string;
  view: ReadonlySignal<UploadView>;
  /** The document, once there is one. */
  row: ReadonlySignal<Row | undefined>;
}

/** Where an upload stands, its document's ingestion included. */
export type Outcome = "active" | "ready" | "failed" | "cancelled";

export interface Sending {
  signal: AbortSignal;
  onProgress: (progress: { sent: number; resumed_at: number | null }) => void;
  /** It is tried again by itself, and no progress will come for a while. */
  onTrouble: (trouble: { error: ApiError }) => void;
}

interface Given {
  /** Resolves when the document is durable; rejects with what no repeat helps against, or the signal's reason. */
  send: (file: File, upload: Upload, sending: Sending) => Promise<Accepted>;
  rows: RowStore;
  /** Brings a document that no event will tell of. */
  load: (document_id: string) => Promise<unknown>;
  now?: () => number;
}

export interface UploadQueue {
  /** Newest first, and within what came at once in its order. */
  uploads: ReadonlySignal<readonly Upload[]>;
  /** How many have not been answered and will be. */
  under_way: ReadonlySignal<number>;
  /** Whether bytes would be lost if the page were left now. */
  sending: ReadonlySignal<boolean>;
  add(files: Iterable<File>, to: { collection: string; tenant_id: string }): Upload[];
  /** Sends a refused or stopped file once more. */
  retry(id: number): void;
  /** Stops one that waits or is being sent. */
  stop(id: number): void;
  /** Takes it off the list; its document stays. */
  dismiss(id: number): void;
}

interface Item extends Upload {
  file: File;
  view: Signal<UploadView>;
  document_id: Signal<string | undefined>;
  abort: AbortController | undefined;
}

const begun: UploadView = {
  state: "waiting",
  sent: 0,
  resumed_at: null,
  bytes_per_second: null,
  error: null,
  answer: null,
};

export function createUploadQueue({ send, rows, load, now = () => performance.now() }: Given): UploadQueue {
  const items = signal<readonly Item[]>([]);
  const waiting: Item[] = [];
  let running = 0;
  let lastId = 0;

  function change(item: Item, to: Partial<UploadView>): void {
    item.view.value = { ...item.view.peek(), ...to };
  }

  function pump(): void {
    while (running < AT_ONCE) {
      const item = waiting.shift();
      if (!item) return;
      running++;
      void run(item).finally(() => {
        running--;
        pump();
      });
    }
  }

  async function run(item: Item): Promise<void> {
    const abort = new AbortController();
    item.abort = abort;
    const rate = createRate();
    const start = now();
    change(item, { ...begun, state: "sending" });
    try {
      const accepted = await send(item.file, item, {
        signal: abort.signal,
        onProgress({ sent, resumed_at }) {
          if (abort.signal.aborted) return;
          const bytes_per_second = rate.note(now(), sent);
          change(item, { state: "sending", sent, resumed_at, bytes_per_second, error: null });
        },
        onTrouble({ error }) {
          if (abort.signal.aborted) return;
          rate.restart();
          change(item, { state: "held", bytes_per_second: null, error });
        },
      });
      take(item, accepted, now() - start);
    } catch (error) {
      if (abort.signal.aborted) return;
      change(item, { state: "refused", bytes_per_second: null, error: error as ApiError });
    } finally {
      item.abort = undefined;
    }
  }

  function take(item: Item, { document_id, duplicate }: Accepted, milliseconds: number): void {
    batch(() => {
      keep(item, document_id);
      change(item, {
        state: "answered",
        sent: item.size_bytes,
        error: null,
        answer: { document_id, milliseconds, duplicate },
      });
    });
    // Of a new document the stream tells; one that was there before is silent.
    if (duplicate) load(document_id).catch(() => undefined);
  }

  function keep(item: Item, document_id: string): void {
    kept.set(item.id, rows.keep(document_id));
    item.document_id.value = document_id;
  }
  const kept = new Map<number, ReadonlySignal<Row | undefined>>();

  function itemOf(id: number): Item | undefined {
    return items.peek().find((item) => item.id === id);
  }

  function unqueue(item: Item): void {
    const at = waiting.indexOf(item);
    if (at >= 0) waiting.splice(at, 1);
  }

  return {
    uploads: items,
    under_way: computed(() => items.value.filter(({ view }) => isUnderWay(view.value)).length),
    sending: computed(() => items.value.some(({ view }) => view.value.state === "sending")),
    add(files, { collection, tenant_id }) {
      const added = Array.from(files, (file): Item => {
        const id = ++lastId;
        const document_id = signal<string | undefined>(undefined);
        return {
          id,
          file,
          filename: file.name,
          size_bytes: file.size,
          collection,
          tenant_id,
          view: signal(begun),
          document_id,
          row: computed(() => (document_id.value === undefined ? undefined : kept.get(id)?.value)),
          abort: undefined,
        };
      });
      if (added.length === 0) return added;
      items.value = [...added, ...items.peek()];
      waiting.push(...added);
      batch(pump);
      return added;
    },
    retry(id) {
      const item = itemOf(id);
      const state = item?.view.peek().state;
      if (!item || (state !== "refused" && state !== "stopped")) return;
      item.view.value = begun;
      waiting.push(item);
      pump();
    },
    stop(id) {
      const item = itemOf(id);
      if (!item || !isUnderWay(item.view.peek())) return;
      unqueue(item);
      item.abort?.abort();
      change(item, { state: "stopped", bytes_per_second: null, error: null });
    },
    dismiss(id) {
      const item = itemOf(id);
      if (!item) return;
      unqueue(item);
      item.abort?.abort();
      const document_id = item.document_id.peek();
      if (document_id !== undefined) rows.giveUp(document_id);
      kept.delete(id);
      items.value = items.peek().filter((each) => each !== item);
    },
  };
}

function isUnderWay({ state }: UploadView): boolean {
  return state === "waiting" || state === "sending" || state === "held";
}

/** @param row of its document, undefined while there is none, or after it is gone */
export function outcomeOf({ state, answer }: UploadView, row: Row | undefined): Outcome {
  if (state === "refused") return "failed";
  if (state === "stopped") return "cancelled";
  if (state !== "answered") return "active";
  if (!row) return answer?.duplicate ? "ready" : "active";
  if (isActive(row.document)) return "active";
  return row.document.status === "completed" ? "ready" : (row.document.status as Outcome);
}
