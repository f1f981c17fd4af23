/** Tasks in turns, so that whatever disturbs the machine for a while disturbs all of them. */
import type { Row } from "../benchmark.ts";
import { median, perSecond, rounded } from "../statistics.ts";

export interface Task {
  task: string;
  /** What is not measured. */
  prepare?: () => Promise<unknown>;
  /** @returns how many were done */
  run: () => Promise<number>;
  /** What is not measured either: stops, and looks whether all was done. */
  after?: () => Promise<unknown>;
  /** The task whose rate this one is compared with. */
  beside: string;
  /** Least rate per second that is wanted. */
  aim?: number;
}

/** Runs every task once to warm up, then so many times; another one goes first each round. */
export async function inRounds(tasks: Task[], rounds: number, say: (text: string) => void): Promise<Row[]> {
  const rates = new Map<string, number[]>(tasks.map(({ task }) => [task, []]));
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? "  warming up" : `  round ${round} of ${rounds}`);
    for (let turn = 0; turn < tasks.length; turn++) {
      const { task, prepare, run, after } = tasks[(turn + round) % tasks.length] as Task;
      await prepare?.();
      const started = performance.now();
      const done = await run();
      if (round > 0) rates.get(task)?.push(perSecond(done, performance.now() - started));
      await after?.();
    }
  }
  return tasks.map(({ task, beside, aim }): Row => {
    const own = rates.get(task) as number[];
    const others = rates.get(beside) as number[];
    const rate = median(own);
    return {
      task,
      per_s: rate,
      lowest: Math.min(...own),
      highest: Math.max(...own),
      ratio: rounded(median(own.map((each, round) => each / (others[round] as number)))),
      ...(aim === undefined ? {} : { aim, verdict: verdict(rate >= aim) }),
    };
  });
}

export const verdict = (met: boolean): string => (met ? "met" : "missed");

/** `count` calls by so many callers, each of which waits for its answer before the next. */
export async function inTurns(count: number, callers: number, call: () => Promise<unknown>): Promise<number> {
  let left = count;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left-- > 0) await call();
    }),
  );
  return count;
}
