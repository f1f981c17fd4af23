/** Remembers uploads that have begun, so that the same file goes on where it stood after a reload or a crash. */
import { browser } from "./browser.ts";
import type { Http } from "./http.ts";
import type { Source } from "./source.ts";
import type { UploadFields } from "./upload-fields.ts";

/** Where unfinished uploads are remembered; `localStorage` is one. */
export interface UploadStore {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): void | Promise<void>;
  removeItem(name: string): void | Promise<void>;
}

/** What is remembered of one file. */
export interface Remembered {
  upload_id: string;
  /** ISO 8601; null where the server did not say. */
  expires_at: string | null;
}

export interface Memory {
  get(): Promise<Remembered | undefined>;
  set(remembered: Remembered): Promise<void>;
  forget(): Promise<void>;
}

const PREFIX = "sluice_upload:";

/**
 * The memory of one upload. A file is the same when name, size and time of change are, and when it goes to the same
 * place with the same fields. What is no file has nothing to be known by and is not remembered.
 *
 * A store that fails costs the going on after a reload, and never the upload.
 */
export function memoryOf(
  http: Http,
  source: Source,
  fields: UploadFields,
  given: UploadStore | undefined,
): Memory {
  const store = given ?? browser.localStorage;
  if (store === undefined || source.modified === undefined) return { get: none, set: none, forget: none };
  const name = `${PREFIX}${JSON.stringify([
    http.url,
    http.tenant_id ?? null,
    source.filename,
    source.bytes.size,
    source.modified,
    fields,
  ])}`;
  const attempt = async <T>(act: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      console.warn("sluice: an unfinished upload can't be remembered", error);
      return undefined;
    }
  };
  return {
    get: () =>
      attempt(async () => {
        const text = await store.getItem(name);
        return text === null ? undefined : (JSON.parse(text) as Remembered);
      }),
    async set(remembered) {
      await attempt(() => store.setItem(name, JSON.stringify(remembered)));
      if (store === browser.localStorage) await attempt(prune);
    },
    async forget() {
      await attempt(() => store.removeItem(name));
    },
  };
}

async function none(): Promise<undefined> {
  return undefined;
}

/** Files that were never chosen again would be remembered for ever. */
function prune(): void {
  const storage = browser.localStorage;
  if (storage === undefined) return;
  for (const name of Object.keys(storage).filter((each) => each.startsWith(PREFIX))) {
    const { expires_at } = JSON.parse(storage.getItem(name) ?? "{}") as Partial<Remembered>;
    if (expires_at && Date.parse(expires_at) < Date.now()) storage.removeItem(name);
  }
}
