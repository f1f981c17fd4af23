/** Sends files, a few at a time, and tells how each one goes. */
import { type Accepted, ApiError, newIdempotencyKey, sendFile } from "./api.ts";
import type { Action, Upload } from "./state.ts";

const AT_ONCE = 4;
/** How often a file that the server can't take yet is sent again by itself. */
const MAX_REPEATS = 5;
const DEFAULT_PAUSE_MS = 2_000;

interface Item {
  id: number;
  file: File;
  /** The same for every time that the file is sent, so that no repeat makes a second document. */
  key: string;
  repeats: number;
}

export interface Uploader {
  add: (files: Iterable<File>) => void;
  /** Sends a refused file once more. */
  repeat: (id: number) => void;
  dismiss: (id: number) => void;
}

export function createUploader(
  dispatch: (action: Action) => void,
  onAccepted: (accepted: Accepted) => void,
): Uploader {
  const queue: Item[] = [];
  const refused = new Map<number, Item>();
  let running = 0;
  let lastId = 0;

  function pump(): void {
    while (running < AT_ONCE) {
      const item = queue.shift();
      if (!item) return;
      running++;
      void send(item).finally(() => {
        running--;
        pump();
      });
    }
  }

  async function send(item: Item): Promise<void> {
    const { id } = item;
    dispatch({ type: "upload_moved", id, change: { state: "sending", sent: 0, error: null } });
    const start = performance.now();
    try {
      const accepted = await sendFile(item.file, item.key, (sent, total) => {
        dispatch({ type: "upload_moved", id, change: { sent: total === 0 ? 1 : sent / total } });
      });
      const { document_id, duplicate } = accepted;
      const milliseconds = performance.now() - start;
      dispatch({ type: "upload_answered", id, document_id, answer: { milliseconds, duplicate } });
      onAccepted(accepted);
    } catch (error) {
      await refuse(item, error);
    }
  }

  async function refuse(item: Item, error: unknown): Promise<void> {
    const { id } = item;
    const message = error instanceof Error ? error.message : String(error);
    const full = error instanceof ApiError && (error.status === 429 || error.status === 503);
    if (full && item.repeats < MAX_REPEATS) {
      item.repeats++;
      dispatch({ type: "upload_moved", id, change: { state: "waiting", sent: 0, error: message } });
      // The place among those sent at once stays taken meanwhile: a server that is full is not asked more often.
      await new Promise((resolve) => setTimeout(resolve, error.retry_after_ms ?? DEFAULT_PAUSE_MS));
      queue.unshift(item);
      return;
    }
    refused.set(id, item);
    dispatch({ type: "upload_moved", id, change: { state: "refused", error: message } });
  }

  return {
    add(files) {
      const uploads: Upload[] = [];
      for (const file of files) {
        const id = ++lastId;
        queue.push({ id, file, key: newIdempotencyKey(), repeats: 0 });
        uploads.push({
          id,
          filename: file.name,
          size_bytes: file.size,
          state: "waiting",
          sent: 0,
          error: null,
        });
      }
      if (uploads.length === 0) return;
      dispatch({ type: "files_chosen", uploads });
      pump();
    },
    repeat(id) {
      const item = refused.get(id);
      if (!item) return;
      refused.delete(id);
      item.repeats = 0;
      queue.push(item);
      dispatch({ type: "upload_moved", id, change: { state: "waiting", sent: 0, error: null } });
      pump();
    },
    dismiss(id) {
      refused.delete(id);
      dispatch({ type: "upload_dismissed", id });
    },
  };
}
