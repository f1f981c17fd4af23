/** A fixed number of places, given out in the order of asking. */
export interface Slots {
  /**
   * Waits for a place.
   * @returns a function that gives it back
   * @throws the signal's reason when it fires first
   */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createSlots(size: number): Slots {
  let free = size;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    async take(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return release;
      }
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(signal.reason);
        };
        const onTurn = () => {
          signal.removeEventListener("abort", onAbort);
          resolve(release);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        waiting.push(onTurn);
      });
    },
  };
}
