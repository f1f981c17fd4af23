/** A queue under test, as far as all of them have it in common. */

export interface Drain {
  /** How it works: batch size, concurrency. */
  how: string;
  /**
   * Works until `count` jobs are done for good, `loops` loops or workers at a time, all in this process.
   * @returns what stops the workers, which is not measured
   */
  run(count: number, loops: number): Promise<() => Promise<unknown>>;
}

export interface QueueUnderTest {
  /** Name and version. */
  name: string;
  /** Enqueues one job that does nothing; durable when it resolves. */
  enqueue(): Promise<unknown>;
  /** So many in one call. */
  enqueueBatch(count: number): Promise<unknown>;
  drains: Drain[];
  /** Tables whose statistics a fill changes. */
  tables: string[];
  /** Removes every job, finished ones too. */
  clear(): Promise<unknown>;
  /** Jobs not done. */
  left(): Promise<number>;
  close(): Promise<void>;
}

/** Connections of each queue's pool; it is what each has as its default. */
export const POOL = 10;
/** The name of the job that does nothing, where a queue wants one. */
export const NOTHING = "nothing";

/** For loops that have ended by themselves. */
export const nothingToStop = async (): Promise<void> => {};
