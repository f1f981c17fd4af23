/** Answers that may be a second old. */
import type { System } from "../ports/system.ts";

export interface ShortMemory<T> {
  /** The answer known of `key`, or `ask`'s. One that failed is not kept; those who came meanwhile share it. */
  get(key: string, ask: () => Promise<T>): Promise<T>;
  forget(): void;
}

/** @param max keys remembered; beyond, all are forgotten */
export function createShortMemory<T>(system: System, ms: number, max = 1_000): ShortMemory<T> {
  const known = new Map<string, { at: number; answer: Promise<T> }>();
  return {
    get(key, ask) {
      const now = system.monotonic();
      const found = known.get(key);
      if (found && now - found.at < ms) return found.answer;
      if (known.size >= max) known.clear();
      const entry = { at: now, answer: ask() };
      known.set(key, entry);
      entry.answer.catch(() => {
        if (known.get(key) === entry) known.delete(key);
      });
      return entry.answer;
    },
    forget: () => known.clear(),
  };
}
