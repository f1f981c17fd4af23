/**
 * What browsers have and Node has not, as far as the client uses it: each undefined where it is missing. Spelled out,
 * because the types of both worlds at once would let every file use what only one of them has.
 */

export interface Xhr {
  readonly status: number;
  readonly responseText: string;
  readonly upload: { onprogress: ((event: { loaded: number; total: number }) => void) | null };
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: Blob): void;
  abort(): void;
}

export interface Storage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

interface Listens {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

const globals = globalThis as unknown as {
  location?: { origin: string };
  XMLHttpRequest?: new () => Xhr;
  localStorage?: Storage;
  navigator?: { onLine?: boolean };
  document?: unknown;
} & Partial<Listens>;

export const browser = {
  get location() {
    return globals.document === undefined ? undefined : globals.location;
  },
  get XMLHttpRequest() {
    return globals.XMLHttpRequest;
  },
  /** Undefined too where the page may not store anything. */
  get localStorage(): Storage | undefined {
    try {
      // Node has one of its own, which warns when it is looked at.
      return globals.document === undefined ? undefined : globals.localStorage;
    } catch {
      return undefined; // The page is sandboxed, or the user said no.
    }
  },
  /** Whether the machine itself says that it has no network. */
  get offline(): boolean {
    return globals.document !== undefined && globals.navigator?.onLine === false;
  },
};

/** Calls back when the machine goes on or off line; never where it doesn't tell. @returns stops it */
export function onNetwork(type: "online" | "offline", listener: () => void): () => void {
  if (globals.document === undefined) return () => {};
  globals.addEventListener?.(type, listener);
  return () => globals.removeEventListener?.(type, listener);
}
