/**
 * Uploads that were broken off by a reload or a crash: what the client remembers of them, and besides it what a person
 * knows the file by.
 */
import type { UploadStore } from "../../../src/client/index.ts";
import type { Upload } from "./upload-queue.ts";

const PREFIX = "sluice_unfinished:";

export interface Unfinished {
  /** Where it is remembered. */
  name: string;
  upload_id: string;
  filename: string;
  size_bytes: number;
  collection: string;
  tenant_id: string;
}

type About = Pick<Upload, "filename" | "size_bytes" | "collection" | "tenant_id">;

/** Told when something is remembered or forgotten. */
const listeners = new Set<() => void>();

export function onUnfinished(listener: () => void): () => void {
  const other = ({ key }: StorageEvent) => {
    if (key === null || key.startsWith(PREFIX)) listener();
  };
  window.addEventListener("storage", other);
  listeners.add(listener);
  return () => {
    window.removeEventListener("storage", other);
    listeners.delete(listener);
  };
}

/**
 * Where the client remembers one upload.
 *
 * @returns with `release`, to be called when the upload has ended in this tab, however it did
 */
export function storeFor(about: About): UploadStore & { release: () => void } {
  const abort = new AbortController();
  let locked = false;
  const { filename, size_bytes, collection, tenant_id } = about;
  return {
    getItem(name) {
      const text = localStorage.getItem(PREFIX + name);
      if (text === null) return null;
      lock(name);
      return (JSON.parse(text) as { value: string }).value;
    },
    setItem(name, value) {
      const kept = { value, filename, size_bytes, collection, tenant_id };
      localStorage.setItem(PREFIX + name, JSON.stringify(kept));
      lock(name);
      tell();
    },
    removeItem(name) {
      localStorage.removeItem(PREFIX + name);
      tell();
    },
    release: () => {
      abort.abort();
      tell();
    },
  };

  /** Other tabs see by it that somebody is at it; it ends with this tab. Pages over plain HTTP have no locks. */
  function lock(name: string): void {
    if (locked || abort.signal.aborted) return;
    locked = true;
    void navigator.locks?.request(PREFIX + name, { ifAvailable: true }, (held) =>
      held === null
        ? undefined
        : new Promise<void>((resolve) => {
            abort.signal.addEventListener("abort", () => resolve(), { once: true });
          }),
    );
  }
}

function tell(): void {
  for (const listener of listeners) listener();
}

/** Those of a tenant that no tab is at. */
export async function listUnfinished(tenant_id: string): Promise<Unfinished[]> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const busy = new Set(held.map(({ name }) => name));
  return Object.keys(localStorage)
    .filter((name) => name.startsWith(PREFIX) && !busy.has(name))
    .map((name) => {
      const { value, ...about } = JSON.parse(localStorage.getItem(name)!) as About & { value: string };
      const { upload_id } = JSON.parse(value) as { upload_id: string };
      return { name, upload_id, ...about };
    })
    .filter((each) => each.tenant_id === tenant_id);
}

export function forgetUnfinished({ name }: Unfinished): void {
  localStorage.removeItem(name);
  tell();
}
