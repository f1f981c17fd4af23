/** The page's one queue of uploads, and where they go. */
import { computed, signal } from "@preact/signals";
import { rows } from "../documents/rows.ts";
import { isActive } from "../row.ts";
import { session, sluice } from "../session.ts";
import { storeFor } from "./unfinished.ts";
import { createUploadQueue, type Outcome, outcomeOf, type Upload } from "./upload-queue.ts";

/** The client that each upload was begun with: it goes on for the same tenant, whomever the page acts for meanwhile. */
const clients = new WeakMap<object, ReturnType<typeof sluice>>();

const load = (document_id: string) =>
  rows.load(async () => ({ documents: [await sluice().getDocument(document_id)] }));

export const queue = createUploadQueue({
  rows,
  load,
  async send(file, upload, { signal, onProgress, onTrouble }) {
    const client = clients.get(file) ?? sluice();
    const { collection } = upload;
    const store = storeFor(upload);
    try {
      return await client.upload(file, { collection, store, signal, onProgress, onTrouble });
    } finally {
      store.release();
    }
  },
});

/** The collection that files go into. */
export const collection = signal("default");

/** Files that came in, of whatever way. @returns how many */
export function uploadFiles(files: readonly File[]): number {
  const tenant_id = session.peek()?.tenant_id;
  if (tenant_id === undefined) return 0;
  for (const file of files) clients.set(file, sluice());
  return queue.add(files, { collection: collection.peek(), tenant_id }).length;
}

/** Those of the tenant that the page acts for. */
export const uploads = computed<readonly Upload[]>(() => {
  const tenant_id = session.value?.tenant_id;
  return queue.uploads.value.filter((upload) => upload.tenant_id === tenant_id);
});

export const outcomes = computed(() => {
  const counts: Record<Outcome, number> = { active: 0, ready: 0, failed: 0, cancelled: 0 };
  for (const { view, row } of uploads.value) counts[outcomeOf(view.value, row.value)]++;
  return counts;
});

/** Whether trying again may end otherwise. */
export function canRetry({ view, row }: Upload): boolean {
  const { state, error } = view.value;
  if (state === "stopped") return true;
  if (state === "refused") return error?.retryable !== false;
  const document = row.value?.document;
  if (document?.status === "cancelled") return true;
  return document?.status === "failed" && document.error?.retryable !== false;
}

/** Sends the file once more, or runs its document's job again. */
export async function retry({ id, view, row }: Upload): Promise<void> {
  if (view.peek().state !== "answered") return queue.retry(id);
  const document = row.peek()?.document;
  if (document && !isActive(document)) await sluice().retryJob(document.job_id);
}

window.addEventListener("beforeunload", (event) => {
  if (queue.sending.peek()) event.preventDefault();
});

session.subscribe((current) => {
  if (!current) return;
  // A new session's stream begins at its own start: what happened between the two is asked for.
  for (const { row } of queue.uploads.peek()) {
    const document = row.peek()?.document;
    if (document && document.tenant_id === current.tenant_id && isActive(document)) {
      load(document.document_id).catch(() => undefined);
    }
  }
});
