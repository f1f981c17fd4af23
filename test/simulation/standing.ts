/**
 * Defects that the simulation has found and that still stand. While one is true the simulation goes around it; who
 * mends it sets it to false here, and it stays found for good.
 */
export const standing = {
  /**
   * An upload whose commit was written, but whose answer was lost, removes the bytes that the document names
   * (intake/upload.ts, `end`). Asked again under its Idempotency-Key, it is acknowledged.
   */
  uploadRemovesWhatItCommitted: false,
  /**
   * A machine that sleeps for longer than the sweeper's minimum age, between an upload's bytes and its commit, may
   * wake to a sweep that looks before the commit and removes after it (worker/sweep.ts).
   */
  sweepOnWaking: false,
};
