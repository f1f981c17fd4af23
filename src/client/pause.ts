/** Waiting: for a time, for the network, and for a next try. */
import { ApiError } from "./api-error.ts";
import { browser, onNetwork } from "./browser.ts";

/** @throws the signal's reason when it fires before the time is over */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", fail);
    };
    const fail = () => {
      end();
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      end();
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", fail);
  });
}

/**
 * As `pause`, but it ends when the machine comes back on line, and where the machine says that it has no network, it
 * lasts up to `longest` for that to happen.
 */
export async function pauseForNetwork(milliseconds: number, longest: number, signal?: AbortSignal) {
  const back = new AbortController();
  const forget = onNetwork("online", () => back.abort());
  const either = signal ? AbortSignal.any([signal, back.signal]) : back.signal;
  try {
    await pause(browser.offline ? Math.max(longest, milliseconds) : milliseconds, either);
  } catch {
    signal?.throwIfAborted();
  } finally {
    forget();
  }
}

/** Milliseconds before try `count + 1`: growing, and never the same for all who lost the same server. */
export function growingPause(count: number, first: number, longest: number): number {
  return Math.min(longest, first * 2 ** Math.min(count, 20)) * (0.5 + Math.random() / 2);
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A server that asks for more is asked again after this all the same. */
const LONGEST_OBEDIENCE_MS = 120_000;
/** What went wrong in the server itself is hardly better the next time. */
const INTERNAL_REPEATS = 3;

export interface Trouble {
  error: ApiError;
  /** Milliseconds until the next try; it comes earlier when the machine comes back on line. */
  retry_in_ms: number;
}

/**
 * Does something again until it succeeds or there is no hope in it.
 *
 * @param attempt calls `progressed` when it got somewhere, so that pauses begin short again
 * @throws ApiError that is not retryable; the signal's reason
 */
export async function persist<T>(
  attempt: (progressed: () => void) => Promise<T>,
  {
    signal,
    onTrouble,
  }: { signal?: AbortSignal | undefined; onTrouble?: ((trouble: Trouble) => void) | undefined },
): Promise<T> {
  let failures = 0;
  let internal = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
        internal = 0;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof ApiError) || !error.retryable) throw error;
      if (error.status === 500 && ++internal > INTERNAL_REPEATS) throw error;
      const asked = Math.min(error.retry_after_ms ?? 0, LONGEST_OBEDIENCE_MS);
      const retry_in_ms = Math.max(asked, growingPause(failures++, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
      onTrouble?.({ error, retry_in_ms });
      await pauseForNetwork(retry_in_ms, LONGEST_OBEDIENCE_MS, signal);
    }
  }
}
