/** How fast bytes go, and how long the rest will take. Pure. */

/** What went longer ago than this says nothing of the speed now. */
const WINDOW_MS = 5_000;
/** Before this, a speed is a guess. */
const ENOUGH_MS = 400;

export interface Rate {
  /** @param sent bytes sent so far @returns bytes a second, null while it is not known */
  note(now: number, sent: number): number | null;
  /** After a pause, what went before it says nothing of the speed. */
  restart(): void;
}

export function createRate(): Rate {
  let samples: { at: number; sent: number }[] = [];
  return {
    note(now, sent) {
      const last = samples.at(-1);
      if (last && sent < last.sent) samples = [];
      samples.push({ at: now, sent });
      while (samples.length > 2 && now - samples[0]!.at > WINDOW_MS) samples.shift();
      const first = samples[0]!;
      const elapsed = now - first.at;
      return elapsed < ENOUGH_MS ? null : ((sent - first.sent) / elapsed) * 1_000;
    },
    restart() {
      samples = [];
    },
  };
}
