/** Loading something for a screen, again whenever what it depends on changes. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  /** The last that came, also while a newer one is under way or failed. */
  value: T | undefined;
  error: Error | undefined;
  loading: boolean;
  /** Asks again. */
  reload: () => void;
}

/**
 * @param ask the signal fires when the answer is no longer wanted
 * @param on asked again when one of these changes
 */
export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, on: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>({
    value: undefined,
    error: undefined,
    loading: true,
  });
  const [round, setRound] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    const abort = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    latest.current(abort.signal).then(
      (value) => {
        if (!abort.signal.aborted) setState({ value, error: undefined, loading: false });
      },
      (error: Error) => {
        if (!abort.signal.aborted) setState((before) => ({ ...before, error, loading: false }));
      },
    );
    return () => abort.abort();
  }, [...on, round]);
  return { ...state, reload: () => setRound((before) => before + 1) };
}
